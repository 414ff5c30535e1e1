"""Early warning: cash below the report, money that passes through, weeks unlike the others."""

from __future__ import annotations

from datetime import date, timedelta

import pytest


def test_cash_in_large_sums_and_in_split_ones(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | direction | type            | amount
        2026-01-30    | in        | cash_deposit    | 49999.99
        2026-01-30    | in        | cash_deposit    | 40000
        2026-01-28    | in        | cash_deposit    | 50000
        2026-01-20    | in        | cash_deposit    | 45000
        2026-01-19    | in        | cash_deposit    | 39999.99
        2026-01-10    | out       | cash_withdrawal | 8000
        2026-01-10    | out       | cash_withdrawal | 1000
    """)  # fmt: skip
    assert (row["split_cash_count_7d"], row["split_cash_count_30d"]) == (2, 3)  # 40,000 up to less than 50,000 each
    assert (row["cash_in_largest_day_30d"], row["cash_out_largest_day_30d"]) == (pytest.approx(89999.99), 9000)


def test_money_that_only_passes_through(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | direction | type     | amount
        2026-01-10    | in        | transfer | 1000
        2026-01-10    | out       | transfer | 300
        2026-01-11    | out       | transfer | 600
        2026-01-13    | out       | transfer | 100
        2026-01-31    | in        | transfer | 1000
        2026-01-31    | out       | transfer | 200
        2026-02-01    | out       | transfer | 800
    """)  # fmt: skip
    # Of the 10th: 300 + 600 of 1,000 leave within the next day. Of the 31st: 200; tomorrow is not seen.
    assert row["pass_through_share_30d"] == pytest.approx((900 + 200) / 2000)


def test_a_week_unlike_the_others(one):
    # 26 weeks to 31 January: net inflows of 1, 2, …, 25 a week, and 100 in the last one.
    day, flows = date(2026, 1, 31), [100, *range(25, 0, -1)]
    rows = "\n".join(f"{day - timedelta(days=7 * week)} | in | {flow}" for week, flow in enumerate(flows))
    row = one("early_warning", "2026-01-31", transactions=f"business_date | direction | amount\n{rows}")
    # Lower median of 26: the 13th, 13. Distances from it: 0, 1 1, 2 2, …, 12 12, 87; their 13th is 6.
    assert row["flow_z"] == pytest.approx(0.6745 * (100 - 13) / 6)


def test_who_did_nothing_gives_no_warning(one):
    row = one("early_warning", "2026-01-31")
    assert (row["split_cash_count_7d"], row["cash_in_largest_day_30d"], row["pass_through_share_30d"], row["flow_z"]) == (
        0,
        None,
        None,
        None,
    )
