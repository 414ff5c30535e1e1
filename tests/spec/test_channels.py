"""Channels: how customers come to the bank. A push is the bank's doing, not a visit."""

from __future__ import annotations

from math import log

import pytest


def test_visits_by_channel_and_the_preferred_one(one):
    row = one("channels", "2026-01-31", channel_events="""
        business_date | channel     | event_type    | function
        2026-01-30    | app         | login         | home
        2026-01-30    | app         | view          | balance
        2026-01-30    | app         | view          | balance
        2025-12-20    | web         | login         | home
        2025-12-01    | branch      | transact      | cash
        2025-11-10    | call_centre | complaint     | fraud
        2026-01-29    | app         | push_sent     | -
        2026-01-29    | app         | push_sent     | -
        2026-01-29    | app         | push_opened   | -
        2026-01-15    | app         | device_change | settings
    """)  # fmt: skip
    assert (row["login_gap_days"], row["mobile_login_gap_days"], row["login_count_30d"], row["login_count_90d"]) == (1, 1, 1, 2)
    assert row["login_trend"] == pytest.approx(1 * 3 / 2)
    # Visits of 90 days: app 4, web 1, branch 1, call centre 1; pushes don't count.
    assert (row["preferred_channel"], row["preferred_share"], row["digital_share_90d"]) == (
        "app",
        pytest.approx(4 / 7),
        pytest.approx(5 / 7),
    )
    assert row["channel_entropy"] == pytest.approx(-(4 / 7 * log(4 / 7) + 3 / 7 * log(1 / 7)))
    assert row["function_count_90d"] == 5  # home, balance, cash, fraud, settings
    assert (row["visit_days_90d"], row["branch_count_90d"], row["call_count_90d"], row["atm_count_90d"]) == (5, 1, 1, 0)
    assert (row["push_open_rate_90d"], row["complaint_count_180d"], row["device_change_count_30d"]) == (0.5, 1, 1)


def test_at_a_tie_the_more_digital_channel_is_preferred(one):
    row = one("channels", "2026-01-31", channel_events="""
        business_date | channel | event_type
        2026-01-30    | branch  | service
        2026-01-29    | wechat  | view
    """)  # fmt: skip
    assert (row["preferred_channel"], row["preferred_share"]) == ("wechat", 0.5)


def test_nobody_came(one):
    row = one("channels", "2026-01-31")
    assert (row["login_count_30d"], row["visit_days_90d"], row["function_count_90d"], row["closing_count_90d"]) == (0, 0, 0, 0)
    assert (
        row["login_gap_days"],
        row["preferred_channel"],
        row["preferred_share"],
        row["digital_share_90d"],
        row["push_open_rate_90d"],
    ) == (None,) * 5


def test_the_habitual_channel_weighs_recent_visits_more(one):
    row = one("channels", "2026-01-31", channel_events="""
        business_date | channel | event_type
        2026-01-02    | app     | view
        2026-01-01    | branch  | service
        2025-12-05    | branch  | service
        2025-12-02    | branch  | service
    """)  # fmt: skip
    # 2 January is within 30 days and counts 1; 1 January to 3 December count 1/2; 2 December is 60 days back and counts 1/4.
    assert (row["habitual_channel"], row["habitual_share"]) == ("branch", pytest.approx(1.25 / 2.25))
    assert row["preferred_channel"] == "branch"
