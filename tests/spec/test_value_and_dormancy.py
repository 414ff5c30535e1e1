"""Value and dormancy: the margin by its parts, RFM by frozen cuts, and who sleeps."""

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


def test_who_sleeps(bank):
    rows = bank(customers="""
        customer_key | opened_on
        1            | 2020-01-01
        2            | 2025-12-01
        3            | 2020-01-01
        4            | 2020-01-01
        5            | 2020-01-01
        6            | 2020-01-01
        7            | 2020-01-01
    """, transactions="""
        customer_key | business_date | direction | type           | amount | is_customer_initiated
        3            | 2025-06-01    | out       | purchase       | 5      | true
        4            | 2026-01-01    | out       | rent           | 5      | true
        6            | 2026-01-20    | in        | interest       | 5      | false
        7            | 2025-12-01    | out       | standing_order | 5      | false
    """, accounts="account_key\n5", balances="""
        account_key | customer_key | business_date | balance
        5           | 5            | 2025-05-01    | 900
    """).features("dormancy", "2026-01-31")  # fmt: skip
    told = {
        customer: (row["is_dormant"], row["is_drowsy"], row["dormant_days"], row["latent_credit"]) for (customer, _), row in rows.items()
    }
    assert told == {
        1: (1, 1, 365, 0),  # silent for a year, nothing left
        2: (0, 0, 61, 0),  # too new to sleep
        3: (0, 1, 244, 0),  # silent since June
        4: (0, 0, 30, 1),  # pays rent, has no loan
        5: (0, 0, 365, 0),  # silent, but money is left
        6: (1, 1, 365, 0),  # interest is no sign of life
        7: (0, 0, 365, 0),  # a standing order is one, though not the customer's doing
    }


def test_the_peak_of_assets_lies_before_the_sleep(bank):
    rows = bank(customers="customer_key\n1\n2\n3\n4\n5\n6", transactions="""
        customer_key | business_date | amount
        1            | 2025-10-01    | 5
        2            | 2025-10-01    | 5
        4            | 2026-01-20    | 5
        6            | 2025-11-02    | 5
    """, accounts="account_key\n1\n2\n3\n4\n5\n6", balances="""
        account_key | customer_key | business_date | balance
        1           | 1            | 2025-03-01    | 5000
        1           | 1            | 2025-06-01    | 2000
        1           | 1            | 2025-12-01    | 9000
        2           | 2            | 2025-05-10    | 7000
        2           | 2            | 2025-05-20    | 300
        3           | 3            | 2024-06-01    | 800
        3           | 3            | 2025-05-01    | 900
        4           | 4            | 2025-05-01    | 900
        5           | 5            | 2025-05-01    | 900
        6           | 6            | 2025-11-01    | 400
        6           | 6            | 2025-11-10    | 600
    """).features("dormancy", "2026-01-31")  # fmt: skip
    assert {customer: row["asleep_aum_peak"] for (customer, _), row in rows.items()} == {
        # Asleep for 122 days; 9,000 came then. 180, 270, 365 days before the date are 4 August, 6 May, 31 January: 2,000, 5,000, 0.
        1: 5000,
        2: 7000,  # the peak of the year lies more than 180 days back: the days of 7,000 are seen though none of the three is among them
        3: 800,  # asleep for more than a year: what lay there 365 days before; 900 came in the sleep
        4: None,  # awake
        5: None,  # asleep for more than a year, with nothing then
        6: 400,  # asleep for 90 days: 2 November is 90 days before the date
    }


def test_the_return_on_the_equity_that_debt_binds(one):
    row = one("value", "2025-12-31", rates=RATES, credit_accounts="business_date | owed\n2025-10-23 | 20000")
    # 70 days of 20,000 are a mean of 20,000 × 70 / 365 over the year; 6 % of it is bound. Margin: 140 less 70 lost.
    # 2.5 % are earned on the equity itself; a quarter of all is taxed.
    assert row["raroc"] == pytest.approx((70 / (0.06 * 20000 * 70 / 365) + 0.025) * 0.75)
    assert one("value", "2025-12-31")["raroc"] is None


def test_a_limit_offered_and_not_used(bank):
    rows = bank(customers="""
        customer_key | preapproved_limit_minor | valid_from | valid_to
        1            | -                       | 2020-01-01 | 2026-01-20
        1            | 5000000                 | 2026-01-20 | -
        2            | 5000000                 | 2020-01-01 | -
    """, credit_accounts="""
        customer_key | kind | business_date | owed
        2            | loan | 2026-01-25    | 100
    """).features("dormancy", "2026-01-19", "2026-01-20", "2026-01-31")  # fmt: skip
    # 1 is offered a loan on the 20th and draws none; 2 draws one on the 25th.
    assert [row["preapproved_not_used"] for row in rows.values()] == [0, 1, 1, 1, 1, 0]
