"""Rhythm: at which hours, on which days, and how regularly a customer acts."""

from __future__ import annotations

from math import log

import pytest


def test_nights_weekends_and_ends_of_months(one):
    row = one("rhythm", "2026-01-31", transactions="""
        business_date | local_hour
        2026-01-31    | 2
        2026-01-25    | 14
        2026-01-21    | 5
        2026-01-01    | 14
    """)  # fmt: skip
    # 31 January 2026 is a Saturday, the 25th a Sunday, the 21st a Wednesday, 1 January a Thursday.
    assert (row["weekend_share_90d"], row["night_share_90d"], row["month_end_share_90d"]) == (0.5, 0.5, 0.25)
    assert row["weekday_entropy"] == pytest.approx(log(4))
    # 00-04: one, 04-08: one, 12-16: two.
    assert row["hour_entropy"] == pytest.approx(-(2 * 0.25 * log(0.25) + 0.5 * log(0.5)))
    assert row["gap_mean_days"] == 10  # 30 days between the first and the last of four active days


def test_without_times_of_day_the_rhythm_of_days_remains(one):
    row = one("rhythm", "2026-01-31", transactions="business_date | local_hour\n2026-01-31 | -")
    assert (row["night_share_90d"], row["hour_entropy"], row["weekend_share_90d"], row["weekday_entropy"], row["gap_mean_days"]) == (
        None,
        None,
        1,
        0,
        None,
    )


def test_the_days_of_a_week(one):
    row = one("rhythm", "2026-01-31", transactions="business_date\n2026-01-31\n2026-01-24\n2026-01-25\n2026-01-21")
    # Two Saturdays, a Sunday, a Wednesday.
    assert (row["saturday_share_90d"], row["sunday_share_90d"], row["wednesday_share_90d"], row["monday_share_90d"]) == (0.5, 0.25, 0.25, 0)
