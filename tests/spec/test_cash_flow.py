"""Income and cash flow: what comes in, what of it stays, and where the rest goes."""

from __future__ import annotations

from statistics import pstdev

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": """
        business_date | direction | type        | amount | is_customer_initiated | counterparty_bank | counterparty_key
        2026-01-15    | in        | salary      | 9000   | false                 | -                 | 1
        2025-12-15    | in        | salary      | 9000   | false                 | -                 | 1
        2025-11-15    | in        | salary      | 12000  | false                 | -                 | 1
        2026-01-20    | out       | transfer    | 4000   | true                  | CMB               | 2
        2026-01-21    | out       | transfer    | 1000   | true                  | -                 | 3
        2026-01-22    | out       | purchase    | 3000   | true                  | -                 | -
        2026-01-23    | in        | transfer    | 2000   | true                  | -                 | 3
        2025-12-28    | out       | wealth_buy  | 5000   | true                  | -                 | -
        2026-01-28    | in        | wealth_sell | 1500   | true                  | -                 | -
    """,
}  # fmt: skip
# 30 days: in 9,000 + 2,000 + 1,500, out 4,000 + 1,000 + 3,000. 90 days: in 30,000 + 2,000 + 1,500, out 8,000 + 5,000.
IN_30, OUT_30, IN_90, OUT_90 = 12_500, 8_000, 33_500, 13_000
WORKED = {
    1: {
        "income_sum_30d": 9000,
        "income_sum_90d": 9000 + 9000 + 12_000,
        "income_sum_365d": 30_000,
        "income_mean_180d": 30_000 / 3,
        "income_months_180d": 3,
        "has_income_90d": 1,
        "income_gap_days": 31 - 15,
        "income_day": 15,
        "income_largest_ratio": 12_000 / 10_000,
        "income_cv_365d": pstdev([9000, 9000, 12_000]) / 10_000,
        "net_flow_30d": IN_30 - OUT_30,
        "net_flow_90d": IN_90 - OUT_90,
        "net_flow_mtd": IN_30 - OUT_30,  # nothing moved on 1 January
        "net_flow_ratio_30d": (IN_30 - OUT_30) / (IN_30 + OUT_30),
        "net_flow_ratio_90d": (IN_90 - OUT_90) / (IN_90 + OUT_90),
        "savings_rate_90d": 1 - OUT_90 / IN_90,
        "spend_to_income_90d": 3000 / 30_000,  # what is sent elsewhere or invested is not spent
        "other_bank_out_30d": 4000,
        "other_bank_out_90d": 4000,
        "other_bank_share_90d": 4000 / OUT_90,
        "transfer_in_share_90d": 2000 / IN_90,
        "p2p_in_share_90d": 2000 / IN_90,
        "wealth_net_buy_90d": 5000 - 1500,
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


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


def test_the_day_of_the_salary_and_how_it_varies(one):
    row = one("cash_flow", "2026-01-31", transactions="""
        business_date | direction | type   | amount
        2026-01-15    | in        | salary | 9000.40
        2025-12-15    | in        | salary | 9000
        2025-11-14    | in        | salary | 12000
    """)  # fmt: skip
    assert row["income_day"] == 15
    assert row["income_cv_365d"] == pytest.approx(pstdev([9000, 9000, 12000]) / 10000)


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
