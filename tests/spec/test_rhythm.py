"""Rhythm: at which hours, on which days, and how regularly a customer acts."""

from __future__ import annotations

from math import log

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": """
        business_date | local_hour
        2026-01-31    | 2
        2026-01-31    | 14
        2026-01-25    | 14
        2026-01-21    | 5
        2026-01-19    | 10
        2026-01-13    | 20
        2026-01-09    | 14
        2026-01-01    | 14
    """,
}  # fmt: skip
# From below: a Thursday, a Friday, a Tuesday, a Monday, a Wednesday, a Sunday, and twice on Saturday 31 January.
WORKED = {
    1: {
        "monday_share_90d": 1 / 8,
        "tuesday_share_90d": 1 / 8,
        "wednesday_share_90d": 1 / 8,
        "thursday_share_90d": 1 / 8,
        "friday_share_90d": 1 / 8,
        "saturday_share_90d": 2 / 8,
        "sunday_share_90d": 1 / 8,
        "weekend_share_90d": 3 / 8,
        "night_share_90d": 2 / 8,  # at two and at five
        "month_end_share_90d": 2 / 8,  # 29 to 31 January
        "weekday_entropy": -(6 * 1 / 8 * log(1 / 8) + 2 / 8 * log(2 / 8)),
        # 00-04, 04-08, 08-12 and 20-24: one each; 12-16: four; 16-20: none.
        "hour_entropy": -(4 * 1 / 8 * log(1 / 8) + 4 / 8 * log(4 / 8)),
        "gap_mean_days": 30 / 6,  # 1 to 31 January, seven active days
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_without_times_of_day_the_rhythm_of_days_remains(one):
    row = one("rhythm", "2026-01-31", transactions="business_date | local_hour\n2026-01-31 | -")
    assert (row["night_share_90d"], row["hour_entropy"]) == (None, None)
    assert (row["weekend_share_90d"], row["weekday_entropy"], row["gap_mean_days"]) == (1, 0, None)
