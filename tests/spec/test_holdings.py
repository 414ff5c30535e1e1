"""Holdings: which products the customer owns on the date. What is held jointly is not counted."""

from __future__ import annotations

import pytest

DAY = "2026-01-31"
BANK = {
    "customers": "customer_key\n1\n2",
    "products": """
        product_code | family
        D01          | demand
        T12          | term
        R12          | recurring
        W01          | wealth
        C01          | credit_card
        L01          | consumer_loan
        M01          | mortgage
    """,
    "account_parties": "account_key | customer_key\n" + "\n".join(f"{account} | {2 if account == 10 else 1}" for account in range(1, 11)),
    "accounts": """
        account_key | product_code | currency | opened_on  | closed_on  | matures_on | opening_channel
        1           | D01          | CNY      | 2020-01-01 | -          | -          | branch
        2           | D01          | USD      | 2025-12-01 | -          | -          | app
        3           | T12          | CNY      | 2025-02-20 | -          | 2026-02-20 | app
        4           | R12          | CNY      | 2024-06-10 | -          | 2026-06-10 | web
        5           | W01          | CNY      | 2023-05-01 | -          | -          | branch
        6           | C01          | CNY      | 2022-03-01 | -          | -          | wechat
        7           | L01          | CNY      | 2024-01-01 | -          | -          | branch
        8           | M01          | CNY      | 2019-01-01 | -          | -          | branch
        9           | W01          | CNY      | 2024-01-01 | 2025-11-10 | -          | app
        10          | D01          | CNY      | 2020-01-01 | -          | -          | branch
    """,
}  # fmt: skip
WORKED = {
    1: {
        "account_count": 8,  # 1 to 8; 9 is closed
        "product_count": 7,  # D01 twice
        "has_demand": 1,
        "has_term": 1,
        "has_recurring": 1,
        "has_wealth": 1,
        "has_credit_card": 1,
        "has_consumer_loan": 1,
        "has_mortgage": 1,
        "has_foreign_currency": 1,  # 2 is in dollars
        "opened_count_90d": 1,  # 2
        "opened_count_365d": 2,  # 2 and 3
        "closed_count_90d": 1,  # 9, 82 days ago
        "closed_count_365d": 1,
        "last_opening_days": 30 + 31,  # since 1 December
        "online_opened_share": 4 / 8,  # 2, 3, 4 and 6
        "maturing_count": 1,  # 3, in 20 days; 4 has 130 days to go
    },
    2: {"account_count": 1, "has_demand": 1, "has_term": 0, "has_wealth": 0, "has_mortgage": 0, "has_foreign_currency": 0},
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


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
