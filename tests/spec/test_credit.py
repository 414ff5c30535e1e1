"""Credit: what is owed, how much of the limit is used, is it paid. A payment after the date is not seen."""

from __future__ import annotations

import pytest


def test_debt_utilisation_and_days_past_due(one):
    row = one("credit", "2026-01-31", credit_accounts="""
        credit_account_id | kind | product_code | business_date | limit | owed  | days_past_due | minimum | last_payment | status
        C1                | card | C01          | 2025-08-05    | 10000 | 2000  | 0             | -       | -            |
        C1                | card | C01          | 2025-12-31    | 10000 | 8000  | 0             | 400     | 600          |
        L1                | loan | L01          | 2025-03-01    | 50000 | 30000 | 35            | -       | -            |
        L1                | loan | L01          | 2025-04-01    | 50000 | 29000 | 0             | -       | -            |
        L2                | loan | L01          | 2024-01-01    | 50000 | 20000 | 0             | -       | -            |
        L2                | loan | L01          | 2025-12-01    | 50000 | 0     | 0             | -       | -            | closed
    """)  # fmt: skip
    assert (row["loan_count"], row["debt"], row["card_limit"], row["utilisation"]) == (1, 37000, 10000, 0.8)
    # 180 days, 5 August to 31 January: 148 days of 2,000 and 32 of 8,000 on a limit of 10,000.
    assert row["utilisation_mean_180d"] == pytest.approx((148 * 2000 + 32 * 8000) / (180 * 10000))
    assert row["payment_to_minimum"] == 1.5
    # The loan was past due from 1 to 31 March 2025, 306 days before the date.
    assert (row["days_past_due"], row["days_past_due_highest_90d"], row["days_past_due_highest_365d"], row["past_due_gap_days"]) == (
        0,
        0,
        35,
        306,
    )
    assert row["past_due_30_count_365d"] == 1
    # 90 days before: 2,000 on the card, 29,000 and 20,000 on the loans.
    assert row["debt_surge_90d"] == pytest.approx(37000 / 51000 - 1)


def test_instalments_late_early_and_missed(one):
    row = one("credit", "2026-01-31", transactions="business_date | direction | type | amount\n2026-01-15 | in | salary | 1000", credit_instalments="""
        instalment_no | due_on     | due | paid_on    | paid
        1             | 2025-10-20 | 100 | 2025-10-18 | 100
        2             | 2025-11-20 | 100 | 2025-11-26 | 100
        3             | 2025-12-20 | 100 | 2026-02-03 | 100
        4             | 2026-01-20 | 100 | -          | -
    """)  # fmt: skip
    # The payment of February is not known yet: 2, 3 and 4 were not paid by their due days, two payments were made.
    assert (row["instalment_missed_count_365d"], row["early_repayment_count_365d"]) == (3, 1)
    assert row["instalment_late_days_365d"] == (-2 + 6) / 2
    assert row["debt_service_ratio_90d"] == pytest.approx(300 / 1000)  # due 20 November to 20 January


def test_without_credit_there_is_nothing_past_due(one):
    row = one("credit", "2026-01-31")
    assert (row["loan_count"], row["debt"], row["in_default"], row["instalment_missed_count_365d"]) == (0, 0, 0, 0)
    assert (row["utilisation"], row["days_past_due"], row["debt_surge_90d"], row["instalment_late_days_365d"]) == (None, None, None, None)
