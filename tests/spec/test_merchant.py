"""Merchants: what acquirers settle into a customer's account, how steady, and what of it looks like cards turned into cash."""

from __future__ import annotations

from statistics import pstdev

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": """
        business_date | direction | type       | amount | local_hour
        2026-01-31    | in        | settlement | 300.50 | 21
        2026-01-30    | in        | settlement | 400    | 21
        2026-01-30    | in        | settlement | 250.50 | 3
        2026-01-29    | out       | settlement | 95.10  | 10
        2025-12-20    | in        | settlement | 150    | -
        2025-09-10    | in        | settlement | 100    | 21
        2026-01-15    | in        | salary     | 9000   | 2
    """,
}  # fmt: skip
WORKED = {
    1: {
        "settled_sum_30d": 300.50 + 400 + 250.50,  # the refund is not taken off
        "settled_days_30d": 2,
        "settled_cv_90d": pstdev([300, 650, 150]) / (1100 / 3),  # three days, in whole units
        "refund_rate_90d": 95.10 / (951 + 150),
        "ticket_shift": (951 / 3) / (1201 / 5),  # three settlements in 30 days, five in 180
        "night_or_round_share_90d": 2 / 4,  # one of four at three in the night, one in whole hundreds
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_who_is_no_merchant_has_no_settlements(one):
    row = one("merchant", "2026-01-31", transactions="business_date | direction | type | amount\n2026-01-30 | in | refund | 100")
    assert (row["settled_sum_30d"], row["settled_days_30d"]) == (0, 0)
    assert {row[name] for name in ("settled_cv_90d", "refund_rate_90d", "ticket_shift", "night_or_round_share_90d")} == {None}
