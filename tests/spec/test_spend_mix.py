"""Spending mix: what for, how paid, and with whom. Windows of 90 days at 31 January begin on 3 November."""

from __future__ import annotations

from math import log

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": """
        business_date | type            | amount | mcc_group | channel | is_cross_border | currency
        2026-01-31    | purchase        | 10.50  | grocery   | app     |                 |
        2026-01-31    | purchase        | 20     | grocery   | app     |                 |
        2026-01-05    | purchase        | 30     | grocery   | web     |                 |
        2026-01-04    | purchase        | 400    | travel    | -       | true            | USD
        2025-12-05    | purchase        | 90     | unheard   | web     |                 |
        2025-09-01    | purchase        | 60     | grocery   | app     |                 |
        2026-01-06    | cash_withdrawal | 500    | -         | atm     |                 |
        2026-01-07    | rent            | 3000   | -         | branch  |                 |
        2026-01-08    | utility         | 200    | -         | app     |                 |
        2026-01-09    | insurance       | 300    | -         | app     | true            |
        2026-01-10    | tuition         | 500    | -         | branch  |                 |
    """,
}  # fmt: skip
# Ten transactions in 90 days, all made by the customer: five purchases, one of cash, four bills. 1 September is before.
WORKED = {
    1: {
        "purchase_count_30d": 4,
        "purchase_count_90d": 5,
        "purchase_sum_30d": 10.50 + 20 + 30 + 400,
        "purchase_sum_90d": 460.50 + 90,
        "grocery_count_90d": 3,
        "grocery_sum_90d": 10.50 + 20 + 30,
        "grocery_share_90d": 3 / 5,
        "grocery_days_90d": 2,
        "grocery_rarity_90d": 3 / 5 * 0.39,  # nearly everybody buys groceries
        "travel_count_90d": 1,
        "travel_sum_90d": 400,
        "travel_share_90d": 1 / 5,
        "travel_days_90d": 1,
        "travel_rarity_90d": 1 / 5 * 1.74,
        "dining_count_90d": 0,
        "category_count_90d": 3,  # groceries, travel, and what is not known
        "category_entropy": -(0.6 * log(0.6) + 0.2 * log(0.2) + 0.2 * log(0.2)),
        "new_category_count": 1,  # travel; groceries were bought on 1 September already
        "cash_share_90d": 1 / 10,
        "online_share_90d": (4 + 2) / 10,  # by app and by web
        "cross_border_count_90d": 2,  # travel, and an insurance abroad
        "cross_border_share_90d": 2 / 10,
        "pays_rent_90d": 1,
        "pays_utility_90d": 1,
        "pays_insurance_365d": 1,
        "pays_tuition_365d": 1,
        "channel_app_count_90d": 4,
        "channel_app_sum_90d": 10.50 + 20 + 200 + 300,
        "channel_app_share_90d": 4 / 10,
        "channel_app_days_90d": 3,  # 31, 8 and 9 January
        "currency_cny_count_90d": 9,
        "currency_cny_sum_90d": 10.50 + 20 + 30 + 90 + 500 + 3000 + 200 + 300 + 500,
        "currency_cny_share_90d": 9 / 10,
        "currency_cny_days_90d": 8,
        "currency_other_sum_90d": 400,
        "counterparty_merchant_count_90d": 5,
        "counterparty_merchant_sum_90d": 550.50,
        "counterparty_merchant_share_90d": 5 / 10,
        "counterparty_merchant_days_90d": 4,
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


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
