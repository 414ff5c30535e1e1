"""Every feature of the catalogue has a value that is neither nothing nor unknown, at a bank where everything happens."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from features.catalogue import FEATURES, GROUPS
from features.sources.transaction import MCC_GROUPS
from tests.fixtures.bank import Bank

DAY = date(2026, 1, 31)
# Purchases on every weekday, in every category, some of them new, at every hour of six.
PURCHASES = "\n".join(
    f"1 | {DAY - timedelta(days=back)} | out | purchase | {20 + 37 * back} | {group} | {hour} | true | app | true | - | - | "
    for back, (group, hour) in enumerate(zip(MCC_GROUPS, (1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11), strict=True), start=1)
)
# Weeks that differ.
FLOWS = "\n".join(
    f"3 | {DAY - timedelta(days=7 * week)} | in | transfer | {1 + week} | - | - | true | app | | - | - | " for week in range(26)
)
EVERYTHING = {
    "customers": """
        customer_key | opened_on  | birth_date | kyc_risk | acquisition_channel | occupation | region | is_employee | household_key | preapproved_limit_minor
        1            | 2020-01-01 | 1990-05-05 | 2        | branch              | clerk      | 杭州   | true        | 7             | -
        2            | 2020-01-01 | -          | -        | -                   | -          | -      | -           | 7             | 5000000
        3            | 2020-01-01 | -          | -        | -                   | -          | -      | -           | -             | -
        4            | 2020-01-01 | -          | -        | -                   | -          | -      | -           | -             | -
    """,
    "products": """
        product_code | family        | is_asset
        D01          | demand        | true
        T12          | term          | true
        R12          | recurring     | true
        W01          | wealth        | true
        C01          | credit_card   | false
        L01          | consumer_loan | false
        M01          | mortgage      | false
    """,
    "accounts": """
        account_key | product_code | currency | opened_on  | closed_on  | matures_on | opening_channel | status | valid_from | valid_to
        1           | D01          | CNY      | 2020-01-01 | -          | -          | branch          |        | 2020-01-01 | -
        2           | T12          | USD      | 2025-12-20 | -          | 2026-02-20 | app             |        | 2020-01-01 | -
        3           | R12          | CNY      | 2025-06-10 | -          | 2026-06-10 | app             |        | 2020-01-01 | -
        4           | W01          | CNY      | 2025-06-10 | -          | -          | app             |        | 2020-01-01 | -
        5           | C01          | CNY      | 2020-01-01 | -          | -          | app             |        | 2020-01-01 | -
        6           | L01          | CNY      | 2020-01-01 | -          | -          | app             |        | 2020-01-01 | -
        7           | M01          | CNY      | 2020-01-01 | -          | -          | app             |        | 2020-01-01 | -
        8           | D01          | CNY      | 2020-01-01 | 2026-01-10 | -          | app             | closed | 2020-01-01 | -
        9           | D01          | CNY      | 2020-01-01 | -          | -          | app             |        | 2020-01-01 | -
        10          | T12          | CNY      | 2024-11-01 | -          | 2025-11-01 | app             |        | 2024-11-01 | 2025-11-01
        10          | T12          | CNY      | 2024-11-01 | -          | 2026-11-01 | app             |        | 2025-11-01 | -
    """,
    "account_parties": "account_key | customer_key\n" + "\n".join(f"{account} | {2 if account == 9 else 1}" for account in range(1, 11)),
    "rates": """
        kind      | code          | value_ppm
        transfer  | demand        | 20000
        client    | D01           | 2000
        transfer  | consumer_loan | 30000
        client    | L01           | 66500
        loss      | L01           | 18250
        unit_cost | app           | 120000
    """,
    "transactions": f"""
        customer_key | business_date | direction | type            | amount | mcc_group | local_hour | is_customer_initiated | channel | is_cross_border | counterparty_bank | counterparty_key | currency
        1            | 2025-08-15    | out       | purchase        | 30     | grocery   | 12         | true                  | app     | true            | -                 | -                | CNY
        1            | 2026-01-30    | out       | cash_withdrawal | 500    | -         | 12         | true                  | atm     |                 | -                 | -                | CNY
        1            | 2026-01-29    | in        | cash_deposit    | 45000  | -         | 12         | true                  | branch  |                 | -                 | -                | CNY
        1            | 2025-12-15    | in        | salary          | 9000   | -         | -          | false                 | -       |                 | -                 | -                | CNY
        1            | 2026-01-15    | in        | salary          | 12000  | -         | -          | false                 | -       |                 | -                 | -                | CNY
        1            | 2026-01-20    | out       | transfer        | 4000   | -         | 12         | true                  | app     |                 | CMB               | -                | CNY
        1            | 2026-01-21    | in        | transfer        | 2000   | -         | 12         | true                  | app     |                 | -                 | 5                | CNY
        1            | 2026-01-22    | out       | wealth_buy      | 5000   | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        1            | 2026-01-22    | out       | fee             | 30     | -         | -          | false                 | -       |                 | -                 | -                | CNY
        1            | 2026-01-05    | out       | rent            | 3000   | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        1            | 2026-01-05    | out       | utility         | 300    | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        1            | 2026-01-05    | out       | insurance       | 300    | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        1            | 2026-01-05    | out       | tuition         | 300    | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        3            | 2026-01-05    | out       | rent            | 3000   | -         | 12         | true                  | app     |                 | -                 | -                | CNY
        4            | 2026-01-27    | in        | cash_deposit    | 45000  | -         | 12         | true                  | web     |                 | -                 | -                | USD
        4            | 2026-01-28    | in        | cash_deposit    | 15000  | -         | 12         | true                  | wechat  |                 | -                 | -                | CNY
        4            | 2026-01-31    | in        | cash_deposit    | 45000  | -         | 12         | true                  | call_centre |             | -                 | -                | CNY
        {PURCHASES}
        {FLOWS}
        3            | 2026-01-05    | in        | settlement      | 200    | -         | 21         | false                 | -       |                 | -                 | 9                | CNY
        3            | 2026-01-06    | in        | settlement      | 350.5  | -         | 2          | false                 | -       |                 | -                 | 9                | CNY
        3            | 2025-11-20    | in        | settlement      | 100    | -         | 21         | false                 | -       |                 | -                 | 9                | CNY
        3            | 2026-01-07    | out       | settlement      | 50     | -         | 10         | false                 | -       |                 | -                 | 9                | CNY
    """,
    "balances": """
        account_key | customer_key | business_date | balance
        1           | 1            | 2025-01-01    | 10
        1           | 1            | 2025-12-10    | 30000
        1           | 1            | 2026-01-20    | 20000
        2           | 1            | 2025-12-20    | 3000
        3           | 1            | 2025-12-20    | 3000
        4           | 1            | 2025-12-20    | 3000
        9           | 2            | 2025-01-01    | 5
        10          | 1            | 2025-01-01    | 8000
    """,
    "channel_events": """
        business_date | channel     | event_type    | function
        2026-01-30    | app         | login         | home
        2026-01-29    | app         | view          | close_account
        2026-01-28    | branch      | service       | cash
        2026-01-28    | atm         | service       | cash
        2026-01-28    | call_centre | complaint     | fraud
        2026-01-28    | call_centre | enquiry       | loan
        2026-01-29    | app         | push_sent     | -
        2026-01-29    | app         | push_opened   | -
        2026-01-15    | app         | device_change | settings
    """,
    "credit_accounts": """
        credit_account_id | customer_key | kind | product_code | business_date | limit | owed  | days_past_due | minimum | last_payment | status
        C1                | 1            | card | C01          | 2025-08-05    | 10000 | 2000  | 0             | 400     | 600          |
        C1                | 1            | card | C01          | 2025-12-31    | 10000 | 8000  | 0             | 400     | 600          |
        L1                | 1            | loan | L01          | 2025-03-01    | 50000 | 30000 | 0             | -       | -            |
        L1                | 1            | loan | L01          | 2026-01-20    | 50000 | 29000 | 35            | -       | -            | default
        L1                | 1            | loan | L01          | 2026-01-25    | 50000 | 29000 | 40            | -       | -            | default
        L2                | 3            | loan | L01          | 2025-03-01    | 50000 | 30000 | 5             | -       | -            |
        L2                | 3            | loan | L01          | 2025-12-28    | 50000 | 0     | 0             | -       | -            | closed
    """,
    "credit_instalments": """
        instalment_no | due_on     | due | paid_on    | paid
        1             | 2025-10-20 | 100 | 2025-10-18 | 100
        2             | 2025-11-20 | 100 | 2025-11-26 | 100
        3             | 2026-01-20 | 100 | -          | -
    """,
    "deposit_plans": """
        plan_id | started_on | matures_on | closed_on  | planned_months | status
        P1      | 2025-06-10 | 2026-06-10 | -          | 12             | active
        P2      | 2024-12-01 | 2025-12-01 | 2025-12-01 | 12             | rolled_over
        P3      | 2025-01-05 | 2026-01-05 | 2025-09-01 | 12             | broken
    """,
    "deposit_instalments": """
        plan_id | instalment_no | due_on     | paid_on    | due | paid
        P1      | 1             | 2025-11-10 | -          | 500 | -
        P1      | 2             | 2025-12-10 | 2025-12-10 | 500 | 500
        P1      | 3             | 2026-01-10 | 2026-01-08 | 500 | 800
    """,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(spark):
    return list(Bank(spark, EVERYTHING).wide(GROUPS, str(DAY)).values())


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_tells_something(rows, name):
    assert [row[name] for row in rows if row[name] not in (None, 0)]
