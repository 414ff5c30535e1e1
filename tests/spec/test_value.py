"""Value: the margin by its parts, RFM by frozen cuts, the return on what debt binds."""

from __future__ import annotations

import pytest

RATES = """
    kind      | code          | value_ppm
    transfer  | demand        | 20000
    client    | D01           | 2000
    transfer  | consumer_loan | 30000
    client    | L01           | 66500
    loss      | L01           | 18250
    unit_cost | app           | 120000
    unit_cost | branch        | 18000000
"""


def test_the_margin_of_a_year(one):
    row = one(
        "value", "2025-12-31", rates=RATES, accounts="account_key\n1",
        balances="business_date | balance\n2025-01-01 | 100000",
        credit_accounts="business_date | owed\n2025-10-23 | 20000",
        transactions="business_date | type | amount | is_customer_initiated\n2025-06-01 | fee | 30 | false",
        channel_events="business_date | channel\n2025-06-01 | app\n2025-06-02 | app\n2025-06-03 | branch",
    )  # fmt: skip
    # Deposit: 100,000 × 365 days × (2 % - 0.2 %) / 365. Loan: 20,000 × 70 days × (6.65 % - 3 %) / 365 = 140.
    assert row["interest_margin_12m"] == pytest.approx(1800 + 140)
    assert row["expected_loss_12m"] == pytest.approx(20000 * 70 * 0.01825 / 365)  # 70
    assert row["cost_to_serve_12m"] == pytest.approx(2 * 0.12 + 18)
    assert row["fee_365d"] == 30
    assert row["margin_12m"] == pytest.approx(1940 + 30 - 70 - 18.24)


def test_a_rate_counts_from_the_day_it_is_in_force(one):
    row = one(
        "value", "2025-12-31", accounts="account_key\n1",
        rates="""
        kind     | code   | value_ppm | valid_from | valid_to
        transfer | demand | 20000     | 2020-01-01 | 2025-10-01
        transfer | demand | 10000     | 2025-10-01 | -
        """,
        balances="business_date | balance\n2025-01-01 | 36500\n2025-10-20 | 36500",
    )  # fmt: skip
    # The rate of the day of a balance row holds until the next row: 292 days at 2 %, 73 at 1 %; 100 units a day and percent… 36,500/365 × 1 % = 1.
    assert row["interest_margin_12m"] == pytest.approx(292 * 2 + 73 * 1)


def test_recency_frequency_amount_by_frozen_cuts(one):
    row = one("value", "2026-01-31", transactions="""
        business_date | amount
        2026-01-20    | 400
        2026-01-10    | 100
        2025-12-10    | 100
    """)  # fmt: skip
    # 11 days ago: within 14 (grade 4); 3 transactions: from 1 (grade 2); 600 units: from 500 (grade 2).
    assert (row["recency_grade"], row["frequency_grade"], row["amount_grade"], row["rfm_cell"]) == (4, 2, 2, 422)
    assert row["rfm_is_missing"] == 0


def test_a_customer_of_whom_nothing_is_known_is_worth_nothing_yet(one):
    row = one("value", "2026-01-31")
    assert (row["margin_12m"], row["rfm_cell"], row["rfm_is_missing"]) == (0, 111, 1)


def test_the_return_on_the_equity_that_debt_binds(one):
    row = one("value", "2025-12-31", rates=RATES, credit_accounts="business_date | owed\n2025-10-23 | 20000")
    # 70 days of 20,000 are a mean of 20,000 × 70 / 365 over the year; 6 % of it is bound. Margin: 140 less 70 lost.
    # 2.5 % are earned on the equity itself; a quarter of all is taxed.
    assert row["raroc"] == pytest.approx((70 / (0.06 * 20000 * 70 / 365) + 0.025) * 0.75)
    assert one("value", "2025-12-31")["raroc"] is None
