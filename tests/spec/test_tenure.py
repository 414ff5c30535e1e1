"""Tenure and identity: who the customer is on the date, as the bank knew it then."""

from __future__ import annotations

import pytest

DAY = "2026-01-31"
BANK = {
    "customers": """
        customer_key | opened_on  | birth_date | kyc_risk | region | occupation | acquisition_channel | is_employee | household_key
        1            | 2025-01-01 | 1990-02-01 | 2        | 上海   | clerk      | branch              | true        | 7
        2            | 2020-01-01 | 1961-01-31 | 1        | 北京   | retired    | app                 | -           | 7
        3            | 2020-01-01 | 2008-02-01 | 1        | 北京   | student    | app                 | -           | 7
        4            | 2020-01-01 | 2008-01-31 | 1        | 北京   | student    | app                 | -           | -
    """,
    "accounts": """
        account_key | opened_on  | closed_on  | status
        1           | 2025-01-11 | 2025-06-30 | closed
        2           | 2025-12-01 | -          |
    """,
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 1",
}  # fmt: skip
WORKED = {
    1: {
        "tenure_days": 365 + 30,  # 1 January 2025 to 31 January 2026
        "first_product_days": 385,  # since 11 January 2025, though that account is closed
        "age_years": 35,  # the birthday is tomorrow
        "age_band": "35_44",
        "kyc_risk": 2,
        "region": "上海",
        "occupation": "clerk",
        "acquisition_channel": "branch",
        "household_size": 3,  # 1, 2 and 3
        "is_employee": 1,
    },
    2: {"age_years": 65, "age_band": "65_plus"},  # 65 today
    3: {"age_years": 17, "age_band": "under_18"},  # 18 tomorrow
    4: {"age_years": 18, "age_band": "18_24"},  # 18 today
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_one_row_for_every_open_customer_and_date(bank):
    rows = bank(customers="""
        customer_key | opened_on  | closed_on  | status | valid_from | valid_to
        1            | 2025-01-01 | -          | active | 2025-01-01 | -
        2            | 2026-01-31 | -          | active | 2026-01-31 | -
        3            | 2025-01-01 | -          | active | 2025-01-01 | 2026-01-15
        3            | 2025-01-01 | 2026-01-15 | closed | 2026-01-15 | -
        4            | 2025-01-01 | 2026-01-31 | active | 2025-01-01 | -
    """).features("tenure", "2025-12-31", "2026-01-31")  # fmt: skip
    # 2 opened on the day itself; 3 has closed by 31 January; 4 is gone on the day the relationship ends.
    assert sorted(rows) == [(1, "2025-12-31"), (1, "2026-01-31"), (2, "2026-01-31"), (3, "2025-12-31"), (4, "2025-12-31")]
    assert rows[1, "2026-01-31"]["tenure_days"] == 395
    assert rows[2, "2026-01-31"]["tenure_days"] == 0


def test_attributes_are_those_the_bank_knew_on_the_date(bank):
    rows = bank(customers="""
        customer_key | birth_date | kyc_risk | region | is_employee | valid_from | valid_to
        1            | 1990-02-01 | 2        | 上海   | -           | 2020-01-01 | 2026-01-10
        1            | 1990-02-01 | 5        | 北京   | true        | 2026-01-10 | -
    """).features("tenure", "2026-01-09", "2026-01-31", "2026-02-01")  # fmt: skip
    known = [(row["kyc_risk"], row["region"], row["is_employee"]) for row in rows.values()]
    assert known == [(2, "上海", 0), (5, "北京", 1), (5, "北京", 1)]
    assert [row["age_years"] for row in rows.values()] == [35, 35, 36]  # the birthday is 1 February


def test_customers_of_one_household(bank):
    rows = bank(customers="""
        customer_key | household_key | opened_on  | status | closed_on  | valid_from | valid_to
        1            | 7             | 2020-01-01 | active | -          | 2020-01-01 | -
        2            | 7             | 2026-01-10 | active | -          | 2026-01-10 | -
        3            | 7             | 2020-01-01 | active | -          | 2020-01-01 | 2026-01-20
        3            | 7             | 2020-01-01 | closed | 2026-01-20 | 2026-01-20 | -
        4            | 8             | 2020-01-01 | active | -          | 2020-01-01 | -
        5            | -             | 2020-01-01 | active | -          | 2020-01-01 | -
    """).features("tenure", "2026-01-09", "2026-01-10", "2026-01-20")  # fmt: skip
    # 2 joins 1 and 3 on the 10th, 3 has left on the 20th; 4 lives alone, of 5 nothing is known.
    assert {key: row["household_size"] for key, row in rows.items()} == {
        (1, "2026-01-09"): 2, (1, "2026-01-10"): 3, (1, "2026-01-20"): 2, (2, "2026-01-10"): 3, (2, "2026-01-20"): 2,
        (3, "2026-01-09"): 2, (3, "2026-01-10"): 3, **{(4, f"2026-01-{day}"): 1 for day in ("09", "10", "20")},
        **{(5, f"2026-01-{day}"): None for day in ("09", "10", "20")},
    }  # fmt: skip


def test_of_some_customers_households_are_counted_whole(bank):
    given = bank(customers="customer_key | household_key\n1 | 7\n2 | 7\n3 | -")
    asked = given.spark.createDataFrame([(1,), (3,)], "customer_key bigint")
    of_some = given.core.of(asked).spine(given.spark.sql("select date'2026-01-31' as as_of_date"))
    assert sorted((row["customer_key"], row["customer_household_size"]) for row in of_some.collect()) == [(1, 2), (3, None)]
