"""Channels: how customers come to the bank. A push is the bank's doing, not a visit."""

from __future__ import annotations

from math import log

import pytest

DAY = "2026-01-31"
BANK = {
    "channel_events": """
        business_date | channel     | event_type    | function
        2026-01-30    | app         | login         | home
        2026-01-30    | app         | view          | balance
        2026-01-30    | app         | view          | close_account
        2026-01-15    | app         | device_change | settings
        2026-01-28    | atm         | transact      | cash
        2026-01-27    | call_centre | enquiry       | loan
        2025-12-20    | web         | login         | home
        2025-12-01    | branch      | transact      | cash
        2025-11-10    | call_centre | complaint     | fraud
        2026-01-29    | app         | push_sent     | -
        2026-01-29    | app         | push_sent     | -
        2026-01-29    | app         | push_opened   | -
    """,
}  # fmt: skip
# Nine visits in 90 days: four by app, two calls, one each by web, at a branch, at an ATM.
WORKED = {
    1: {
        "login_gap_days": 1,
        "mobile_login_gap_days": 1,
        "login_count_7d": 1,
        "login_count_30d": 1,
        "login_count_90d": 2,
        "login_trend": 1 * 3 / 2,
        "visit_days_90d": 7,
        "function_count_90d": 7,  # home, balance, close_account, settings, cash, loan, fraud
        "channel_entropy": -(4 / 9 * log(4 / 9) + 2 / 9 * log(2 / 9) + 3 * 1 / 9 * log(1 / 9)),
        "preferred_channel": "app",
        "preferred_share": 4 / 9,
        # Visits of the last 30 days count 1: four by app, at the ATM, the enquiry; those of 30 days before 1/2: web; of 30 before 1/4: branch, complaint.
        "habitual_channel": "app",
        "habitual_share": 4 / (4 + 1 + 1 + 1 / 2 + 1 / 4 + 1 / 4),
        "digital_share_90d": (4 + 1) / 9,
        "branch_count_90d": 1,
        "atm_count_90d": 1,
        "call_count_90d": 2,
        "push_open_rate_90d": 1 / 2,
        "complaint_count_180d": 1,
        "enquiry_count_90d": 1,
        "closing_count_90d": 1,
        "device_change_count_30d": 1,
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


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
    assert {
        row[name] for name in ("login_gap_days", "preferred_channel", "preferred_share", "digital_share_90d", "push_open_rate_90d")
    } == {None}


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
