"""Spending mix, rhythm, cash flow: what for, when, and where the money goes."""

from __future__ import annotations

from math import log
from statistics import pstdev

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


def test_income_savings_and_money_that_leaves(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type        | amount | is_customer_initiated | counterparty_bank
        2026-01-15    | in        | salary      | 9000   | false                 |
        2025-12-15    | in        | salary      | 9000   | false                 |
        2025-11-15    | in        | salary      | 12000  | false                 |
        2026-01-20    | out       | transfer    | 4000   | true                  | CMB
        2026-01-21    | out       | transfer    | 1000   | true                  | -
        2026-01-22    | out       | purchase    | 3000   | true                  | -
        2026-01-23    | in        | transfer    | 2000   | true                  | -
        2025-12-28    | out       | wealth_buy  | 5000   | true                  | -
        2026-01-28    | in        | wealth_sell | 1500   | true                  | -
    """)  # fmt: skip
    assert (row["income_sum_30d"], row["income_sum_90d"], row["income_months_180d"], row["income_gap_days"]) == (9000, 30000, 3, 16)
    assert row["income_largest_ratio"] == pytest.approx(12000 / 10000)
    # 90 days: in 30,000 + 2,000 + 1,500; out 4,000 + 1,000 + 3,000 + 5,000.
    assert row["net_flow_90d"] == 33500 - 13000
    assert row["net_flow_mtd"] == 12500 - 8000  # January
    assert row["savings_rate_90d"] == pytest.approx(1 - 13000 / 33500)
    assert row["spend_to_income_90d"] == pytest.approx(3000 / 30000)
    assert (row["other_bank_out_30d"], row["other_bank_share_90d"]) == (4000, pytest.approx(4000 / 13000))
    assert row["wealth_net_buy_90d"] == 3500


def test_spending_is_purchases_and_bills(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type      | amount | is_customer_initiated
        2026-01-15    | in        | salary    | 10000  | false
        2026-01-16    | out       | purchase  | 1000   | true
        2026-01-17    | out       | rent      | 3000   | true
        2026-01-18    | out       | utility   | 200    | false
        2026-01-19    | out       | insurance | 300    | false
        2026-01-20    | out       | tuition   | 500    | true
        2026-01-21    | out       | transfer  | 4000   | true
        2026-01-22    | in        | rent      | 700    | false
    """)  # fmt: skip
    # What is sent elsewhere is not spent; a rent that comes in is none that is paid.
    assert row["spend_to_income_90d"] == pytest.approx((1000 + 3000 + 200 + 300 + 500) / 10000)
    assert row["net_flow_ratio_30d"] == pytest.approx((10700 - 9000) / (10700 + 9000))


def test_months_with_income_are_calendar_months(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type   | amount
        2025-08-01    | in        | salary | 1
        2025-07-31    | in        | salary | 1
        2026-01-01    | in        | salary | 1
        2026-01-31    | in        | salary | 1
    """)  # fmt: skip
    # Six months: August 2025 to January 2026. July is out, January counts once.
    assert row["income_months_180d"] == 2


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


def test_the_days_of_a_week(one):
    row = one("rhythm", "2026-01-31", transactions="business_date\n2026-01-31\n2026-01-24\n2026-01-25\n2026-01-21")
    # Two Saturdays, a Sunday, a Wednesday.
    assert (row["saturday_share_90d"], row["sunday_share_90d"], row["wednesday_share_90d"], row["monday_share_90d"]) == (0.5, 0.25, 0.25, 0)


def test_the_day_of_the_salary_and_how_it_varies(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type   | amount
        2026-01-15    | in        | salary | 9000.40
        2025-12-15    | in        | salary | 9000
        2025-11-14    | in        | salary | 12000
    """)  # fmt: skip
    assert row["income_day"] == 15
    assert row["income_cv_365d"] == pytest.approx(pstdev([9000, 9000, 12000]) / 10000)


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


def test_the_mean_salary_and_what_others_send(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type     | amount | counterparty_key
        2026-01-15    | in        | salary   | 9000   | 1
        2025-08-15    | in        | salary   | 12000  | 1
        2025-08-04    | in        | salary   | 99999  | 1
        2026-01-20    | in        | transfer | 600    | 2
        2026-01-21    | in        | transfer | 2400   | -
    """)  # fmt: skip
    assert row["income_mean_180d"] == 10500  # 4 August lies 180 days back
    # Of 9,000 + 600 + 2,400 in 90 days; 2,400 come from an own account, which is no counterparty.
    assert (row["p2p_in_share_90d"], row["transfer_in_share_90d"]) == (600 / 12000, 3000 / 12000)
