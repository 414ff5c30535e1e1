"""Recurring deposits (零存整取): is what was agreed paid, on time, and what happens at the end."""

from __future__ import annotations

from math import cos, hypot, log, pi, sin, sqrt
from statistics import pstdev

import pytest


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
