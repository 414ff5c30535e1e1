"""Recurring deposits (零存整取): is what was agreed paid, on time, and what happens at the end."""

from __future__ import annotations

from math import cos, hypot, log, pi, sin, sqrt
from statistics import mean, pstdev

import pytest

DAY = "2026-01-31"
BANK = {
    "deposit_plans": """
        plan_id | started_on | matures_on | closed_on  | planned_months | status
        P1      | 2025-08-10 | 2026-06-10 | -          | 12             | active
        P2      | 2024-12-01 | 2025-12-01 | 2025-12-01 | 12             | rolled_over
        P3      | 2025-01-05 | 2026-01-05 | 2025-09-01 | 12             | broken
        P4      | 2026-02-01 | 2027-02-01 | -          | 12             | active
    """,
    "deposit_instalments": """
        plan_id | instalment_no | due_on     | paid_on    | due | paid
        P1      | 1             | 2025-09-10 | 2025-09-10 | 500 | 500
        P1      | 2             | 2025-10-10 | 2025-10-10 | 500 | 500
        P1      | 3             | 2025-11-10 | 2025-11-15 | 500 | 500
        P1      | 4             | 2025-12-31 | 2025-12-31 | 500 | 800
        P1      | 5             | 2026-01-31 | 2026-01-01 | 500 | 500
    """,
}  # fmt: skip
# Payments on days 10, 10, 15, 31 and 1 of a circle of 31 days, on which the last two are neighbours.
ANGLES = [2 * pi * (day - 1) / 31 for day in (10, 10, 15, 31, 1)]
CLOSENESS = hypot(sum(map(cos, ANGLES)), sum(map(sin, ANGLES))) / 5
# Between the payments.
GAPS = (30, 36, 46, 1)
WORKED = {
    1: {
        "has_plan": 1,
        "plan_count": 1,  # P1; P4 begins tomorrow
        "instalment_agreed": 500,
        "planned_months": 12,
        "matures_in_days": 28 + 31 + 30 + 31 + 10,  # 10 June
        "due_count_365d": 5,
        "missed_count_90d": 1,  # the third, paid five days late
        "missed_count_365d": 1,
        "on_time_share_365d": 4 / 5,
        "missed_gap_days": 20 + 31 + 31,  # since 10 November
        "streak_365d": 2,  # the fourth and the fifth
        "paid_day_std_365d": sqrt(-2 * log(CLOSENESS)) * 31 / (2 * pi),
        "paid_cv_365d": pstdev([500, 500, 500, 800, 500]) / 560,
        "regularity_365d": 1 - pstdev(GAPS) / mean(GAPS),
        "rollover_share_365d": 1 / 2,  # of P2 and P3
        "broken_count_365d": 1,  # P3
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


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
