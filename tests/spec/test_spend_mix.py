"""Spending mix: what for, how paid, and with whom. Windows of 90 days at 31 January begin on 3 November."""

from __future__ import annotations

from math import log

import pytest


def test_categories_and_ways_of_paying(one):
    row = one("spend_mix", "2026-01-31", transactions="""
        business_date | type            | amount | mcc_group | channel | is_cross_border
        2026-01-02    | purchase        | 10     | grocery   | app     |
        2026-01-03    | purchase        | 10     | grocery   | app     |
        2026-01-04    | purchase        | 10     | travel    | -       | true
        2025-12-05    | purchase        | 10     | unheard   | web     |
        2026-01-06    | cash_withdrawal | 500    | -         | atm     |
        2026-01-07    | rent            | 3000   | -         | branch  |
    """)  # fmt: skip
    assert (row["purchase_count_30d"], row["purchase_count_90d"], row["purchase_sum_90d"]) == (3, 4, 40)
    assert (row["category_count_90d"], row["grocery_share_90d"], row["travel_share_90d"], row["dining_share_90d"]) == (3, 0.5, 0.25, 0)
    assert row["category_entropy"] == pytest.approx(-(0.5 * log(0.5) + 2 * 0.25 * log(0.25)))
    assert row["cash_share_90d"] == pytest.approx(1 / 6)
    assert row["online_share_90d"] == pytest.approx(3 / 6)
    assert (row["cross_border_count_90d"], row["pays_rent_90d"], row["pays_tuition_365d"]) == (1, 1, 0)


def test_by_channel_currency_and_counterparty(one):
    row = one("spend_mix", "2026-01-31", transactions="""
        business_date | direction | type            | amount | channel | currency | is_customer_initiated | merchant_key | counterparty_key | counterparty_bank
        2026-01-02    | out       | purchase        | 10     | app     |          | true                  | 5            | 40               | -
        2026-01-02    | out       | purchase        | 30     | app     | USD      | true                  | -            | -                | -
        2026-01-05    | in        | refund          | 30     | -       |          | false                 | 5            | 40               | -
        2026-01-07    | out       | transfer        | 500    | branch  |          | true                  | -            | 60               | CMB
        2026-01-08    | out       | transfer        | 200    | wechat  |          | true                  | -            | 61               | -
        2026-01-09    | out       | wealth_buy      | 1000   | app     |          | true                  | -            | -                | -
        2026-01-10    | out       | cash_withdrawal | 100    | atm     |          | true                  | -            | -                | -
        2026-01-15    | in        | salary          | 9000   | -       |          | false                 | -            | 10               | -
        2025-11-02    | out       | purchase        | 77     | web     | HKD      | true                  | 5            | 40               | -
    """)  # fmt: skip

    def told(category):
        return tuple(row[f"{category}_{part}_90d"] for part in ("count", "sum", "share", "days"))

    # Six transactions in 90 days are the customer's, eight are there in all; 2 November is the 91st day back.
    assert told("channel_app") == (3, 1040, 3 / 6, 2)
    assert told("channel_branch") == (1, 500, pytest.approx(1 / 6), 1)
    assert told("channel_web") == (0, 0, 0, 0)
    assert told("currency_cny") == (7, 10 + 30 + 500 + 200 + 1000 + 100 + 9000, 7 / 8, 7)
    assert told("currency_other") == (1, 30, 1 / 8, 1)
    # A purchase is with a merchant, whether the merchant is named or not, and a refund of one is, too.
    assert told("counterparty_merchant") == (3, 70, 3 / 8, 2)
    assert told("counterparty_other_bank") == (1, 500, 1 / 8, 1)
    assert told("counterparty_same_bank") == (2, 9200, 2 / 8, 2)  # the transfer and the employer
    assert told("counterparty_own") == (1, 1000, 1 / 8, 1)  # cash has nobody at the other end


def test_nothing_bought_has_no_mix(one):
    row = one("spend_mix", "2026-01-31")
    assert (row["purchase_count_90d"], row["category_count_90d"], row["pays_rent_90d"]) == (0, 0, 0)
    assert (row["grocery_share_90d"], row["category_entropy"], row["online_share_90d"], row["cash_share_90d"]) == (None, None, None, None)


def test_days_rarity_and_new_categories(one):
    row = one("spend_mix", "2026-01-31", transactions="""
        business_date | mcc_group
        2026-01-31    | government
        2026-01-05    | grocery
        2026-01-05    | grocery
        2026-01-02    | travel
        2026-01-01    | grocery
        2025-08-05    | travel
        2025-08-04    | government
        2026-01-20    | unheard
    """)  # fmt: skip
    assert (row["grocery_days_90d"], row["travel_days_90d"], row["government_days_90d"], row["fuel_days_90d"]) == (2, 1, 1, 0)
    # Of six purchases three are groceries, which nearly everybody buys: 3/6 × .39; one is government: 1/6 × 3.45.
    assert row["grocery_rarity_90d"] == pytest.approx(3 / 6 * 0.39)
    assert row["government_rarity_90d"] == pytest.approx(1 / 6 * 3.45)
    # Of the last 30 days: government, grocery, travel. Groceries were bought on 1 January, travel on 5 August, 179 days
    # ago; government was, too, but 180 days ago. Unknown categories are not told apart.
    assert row["new_category_count"] == 1


def test_purchases_by_category(one):
    row = one("spend_mix", "2026-01-31", transactions="""
        business_date | type     | amount | mcc_group | is_cross_border
        2026-01-02    | purchase | 10.50  | fuel      |
        2026-01-03    | purchase | 20     | fuel      |
        2026-01-04    | purchase | 30     | beauty    | true
        2026-01-05    | transfer | 99     | -         | true
    """)  # fmt: skip
    assert (row["fuel_count_90d"], row["fuel_sum_90d"], row["fuel_share_90d"]) == (2, 30.5, pytest.approx(2 / 3))
    assert (row["beauty_count_90d"], row["beauty_sum_90d"], row["home_count_90d"], row["home_sum_90d"]) == (1, 30, 0, 0)
    assert row["cross_border_share_90d"] == 2 / 4
