"""Holdings: which products the customer owns on the date; what is jointly held counts for its first owner only."""

from __future__ import annotations

import pytest


def test_products_owned_opened_and_closed(one):
    row = one("holdings", "2026-01-31", account_parties="account_key\n1\n2\n3\n4", accounts="""
        account_key | product_code | currency | opened_on  | closed_on  | matures_on | opening_channel
        1           | D01          | CNY      | 2020-01-01 | -          | -          | branch
        2           | T12          | CNY      | 2025-02-20 | -          | 2026-02-20 | app
        3           | D01          | USD      | 2025-12-01 | -          | -          | app
        4           | W01          | CNY      | 2024-01-01 | 2025-11-10 | -          | app
    """)  # fmt: skip
    assert (row["account_count"], row["product_count"]) == (3, 2)  # D01 twice
    assert (row["has_demand"], row["has_term"], row["has_wealth"], row["has_foreign_currency"]) == (1, 1, 0, 1)
    assert (row["opened_count_90d"], row["opened_count_365d"]) == (1, 2)
    assert (row["closed_count_90d"], row["closed_count_365d"]) == (1, 1)  # 82 days ago
    assert row["last_opening_days"] == 61
    assert row["online_opened_share"] == pytest.approx(2 / 3)
    assert row["maturing_count"] == 1  # in 20 days


def test_what_is_jointly_held_or_not_yet_opened_does_not_count(one):
    row = one("holdings", "2026-01-31", account_parties="""
        account_key | role  | held_from  | held_to
        1           | owner | 2020-01-01 | 2025-12-31
        2           | joint | 2020-01-01 | -
        3           | owner | 2020-01-01 | -
    """, accounts="""
        account_key | opened_on
        1           | 2020-01-01
        2           | 2020-01-01
        3           | 2026-02-01
    """)  # fmt: skip
    assert (row["account_count"], row["product_count"], row["last_opening_days"], row["online_opened_share"]) == (0, 0, None, None)
