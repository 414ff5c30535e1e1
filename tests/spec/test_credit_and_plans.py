"""Credit and recurring deposits: what is owed, is it paid, what is saved. A payment after the date is not seen."""

from __future__ import annotations

from math import cos, hypot, log, pi, sin, sqrt
from statistics import pstdev

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


def test_recurring_deposits(one):
    row = one("deposits_recurring", "2026-01-31", deposit_plans="""
        plan_id | started_on | matures_on | closed_on  | planned_months | status
        P1      | 2025-06-10 | 2026-06-10 | -          | 12             | active
        P2      | 2024-12-01 | 2025-12-01 | 2025-12-01 | 12             | rolled_over
        P3      | 2025-01-05 | 2026-01-05 | 2025-09-01 | 12             | broken
        P4      | 2026-02-01 | 2027-02-01 | -          | 12             | active
    """, deposit_instalments="""
        plan_id | instalment_no | due_on     | paid_on
        P1      | 1             | 2025-10-10 | 2025-10-10
        P1      | 2             | 2025-11-10 | 2025-11-10
        P1      | 3             | 2025-12-10 | 2025-12-15
        P1      | 4             | 2026-01-10 | 2026-01-09
    """)  # fmt: skip
    assert row["has_plan"] == 1
    assert (row["plan_count"], row["instalment_agreed"], row["planned_months"], row["matures_in_days"]) == (1, 500, 12, 130)
    assert (row["due_count_365d"], row["missed_count_365d"], row["missed_count_90d"], row["on_time_share_365d"]) == (4, 1, 1, 0.75)
    assert row["missed_gap_days"] == 52
    assert (row["rollover_share_365d"], row["broken_count_365d"]) == (0.5, 1)


def test_regular_saving(one):
    row = one("deposits_recurring", "2026-01-31", deposit_instalments="""
        plan_id | instalment_no | due_on     | paid_on    | due | paid
        P1      | 1             | 2025-09-10 | -          | 500 | -
        P1      | 2             | 2025-10-10 | 2025-10-10 | 500 | 500
        P1      | 3             | 2025-11-10 | 2025-11-10 | 500 | 500
        P1      | 4             | 2025-12-31 | 2025-12-31 | 500 | 800
        P1      | 5             | 2026-01-31 | 2026-01-01 | 500 | 500
    """)  # fmt: skip
    assert row["streak_365d"] == 4  # since September's was missed
    assert row["paid_cv_365d"] == pytest.approx(pstdev([500, 500, 800, 500]) / 575)
    # Days 10, 10, 31 and 1 on a circle of 31: the last two lie a day apart.
    angles = [2 * pi * (day - 1) / 31 for day in (10, 10, 31, 1)]
    closeness = hypot(sum(map(cos, angles)), sum(map(sin, angles))) / 4
    assert row["paid_day_std_365d"] == pytest.approx(sqrt(-2 * log(closeness)) * 31 / (2 * pi), rel=1e-6)


def test_the_regularity_of_payments(one):
    row = one("deposits_recurring", "2026-01-31", deposit_instalments="""
        plan_id | instalment_no | due_on     | paid_on    | paid
        P1      | 1             | 2025-10-10 | 2025-10-10 | 500
        P1      | 2             | 2025-11-10 | 2025-11-09 | 500
        P2      | 1             | 2025-11-10 | 2025-11-09 | 500
        P1      | 3             | 2025-12-10 | 2025-12-14 | 500
        P1      | 4             | 2026-01-10 | 2026-02-01 | 500
    """)  # fmt: skip
    # Payment days 10 October, 9 November, 14 December: gaps of 30 and 35 days.
    assert row["regularity_365d"] == pytest.approx(1 - pstdev([30, 35]) / 32.5)


def test_one_payment_day_has_no_gaps_and_no_payment_no_day(one):
    once = one(
        "deposits_recurring", "2026-01-31", deposit_instalments="plan_id | due_on | paid_on | paid\nP1 | 2025-10-10 | 2025-10-10 | 500"
    )
    never = one("deposits_recurring", "2026-01-31", deposit_instalments="plan_id | due_on | paid_on | paid\nP1 | 2025-10-10 | - | -")
    assert (once["regularity_365d"], never["regularity_365d"], never["paid_day_std_365d"]) == (None, None, None)
    assert (once["has_plan"], never["missed_count_365d"]) == (0, 1)


def test_always_the_same_day_and_a_missed_last_one(one):
    row = one("deposits_recurring", "2026-01-31", deposit_instalments="""
        plan_id | instalment_no | due_on     | paid_on    | paid
        P1      | 1             | 2025-11-10 | 2025-11-10 | 500
        P1      | 2             | 2025-12-10 | 2025-12-10 | 500
        P1      | 3             | 2026-01-10 | -          | -
    """)  # fmt: skip
    assert (row["streak_365d"], row["paid_cv_365d"]) == (0, 0)
    assert row["paid_day_std_365d"] == pytest.approx(0, abs=0.01)
