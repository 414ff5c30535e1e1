"""Merchants: what acquirers settle into a customer's account, how steady, and what of it looks like cards turned into cash."""

from __future__ import annotations

from statistics import pstdev

import pytest


def test_settlements_of_a_shop(one):
    row = one("merchant", "2026-01-31", transactions="""
        business_date | direction | type       | amount | local_hour
        2026-01-31    | in        | settlement | 300.50 | 21
        2026-01-30    | in        | settlement | 400    | 21
        2026-01-30    | in        | settlement | 250.50 | 3
        2026-01-29    | out       | settlement | 95.10  | 10
        2025-12-20    | in        | settlement | 150    | -
        2025-09-10    | in        | settlement | 100    | 21
        2026-01-15    | in        | salary     | 9000   | 2
    """)  # fmt: skip
    # 30 days: 300.50 and 400 + 250.50; the refund is not taken off.
    assert (row["settled_sum_30d"], row["settled_days_30d"]) == (951, 2)
    # 90 days: the days took 300, 650 and 150 whole units.
    assert row["settled_cv_90d"] == pytest.approx(pstdev([300, 650, 150]) / (1100 / 3))
    assert row["refund_rate_90d"] == pytest.approx(95.10 / 1101)
    # Three settlements of 951 in 30 days, five of 1,201 in 180 days.
    assert row["ticket_shift"] == pytest.approx((951 / 3) / (1201 / 5))
    # Of four in 90 days one was made at three in the night, one is in whole hundreds; of the last no time of day is known.
    assert row["night_or_round_share_90d"] == 2 / 4


def test_who_is_no_merchant_has_no_settlements(one):
    row = one("merchant", "2026-01-31", transactions="business_date | direction | type | amount\n2026-01-30 | in | refund | 100")
    assert (row["settled_sum_30d"], row["settled_days_30d"]) == (0, 0)
    assert {row[name] for name in ("settled_cv_90d", "refund_rate_90d", "ticket_shift", "night_or_round_share_90d")} == {None}
