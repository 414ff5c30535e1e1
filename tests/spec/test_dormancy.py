"""Dormancy: who sleeps, since when, and what they may still need."""

from __future__ import annotations

import pytest

DAY = "2026-01-31"
BANK = {
    "customers": """
        customer_key | opened_on  | preapproved_limit_minor
        1            | 2020-01-01 | -
        2            | 2025-12-01 | -
        3            | 2020-01-01 | -
        4            | 2020-01-01 | -
        5            | 2020-01-01 | -
        6            | 2020-01-01 | -
        7            | 2020-01-01 | -
        8            | 2020-01-01 | 5000000
    """,
    "transactions": """
        customer_key | business_date | direction | type           | amount | is_customer_initiated
        3            | 2025-06-01    | out       | purchase       | 5      | true
        4            | 2026-01-01    | out       | rent           | 5      | true
        6            | 2026-01-20    | in        | interest       | 5      | false
        7            | 2025-12-01    | out       | standing_order | 5      | false
        8            | 2025-10-01    | out       | purchase       | 5      | true
    """,
    "accounts": "account_key\n5\n8",
    "balances": """
        account_key | customer_key | business_date | balance
        5           | 5            | 2025-05-01    | 900
        8           | 8            | 2025-03-01    | 5000
        8           | 8            | 2025-06-01    | 2000
        8           | 8            | 2025-12-01    | 9000
    """,
}  # fmt: skip
WORKED = {
    # Silent for a year, nothing left.
    1: {"is_dormant": 1, "is_drowsy": 1, "dormant_days": 365, "latent_credit": 0},
    # Too new to sleep: a customer since 1 December.
    2: {"is_dormant": 0, "is_drowsy": 0, "dormant_days": 30 + 31, "latent_credit": 0},
    # Silent since 1 June: for half a year, not for a whole one.
    3: {"is_dormant": 0, "is_drowsy": 1, "dormant_days": 244, "latent_credit": 0},
    # Pays a rent and has no loan.
    4: {"is_dormant": 0, "is_drowsy": 0, "dormant_days": 30, "latent_credit": 1, "asleep_aum_peak": None},
    # Silent, but money is left. It came in the sleep: 365 days ago there was nothing.
    5: {"is_dormant": 0, "is_drowsy": 0, "dormant_days": 365, "latent_credit": 0, "asleep_aum_peak": None},
    # Interest is no sign of life.
    6: {"is_dormant": 1, "is_drowsy": 1, "dormant_days": 365, "latent_credit": 0},
    # A standing order is one, though not the customer's doing.
    7: {"is_dormant": 0, "is_drowsy": 0, "dormant_days": 365, "latent_credit": 0},
    # Silent since 1 October. Before that the most was 5,000 (180, 270 and 365 days ago: 2,000, 5,000, 0); 9,000 came in the sleep.
    # A loan of 50,000 is offered and none drawn.
    8: {"dormant_days": 122, "asleep_aum_peak": 5000, "preapproved_not_used": 1},
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_the_peak_of_assets_lies_before_the_sleep(bank):
    rows = bank(customers="customer_key\n1\n2\n3\n4\n5\n6", transactions="""
        customer_key | business_date | amount
        1            | 2025-10-01    | 5
        2            | 2025-10-01    | 5
        4            | 2026-01-20    | 5
        6            | 2025-11-02    | 5
    """, accounts="account_key\n1\n2\n3\n4\n5\n6", balances="""
        account_key | customer_key | business_date | balance
        1           | 1            | 2025-03-01    | 5000
        1           | 1            | 2025-06-01    | 2000
        1           | 1            | 2025-12-01    | 9000
        2           | 2            | 2025-05-10    | 7000
        2           | 2            | 2025-05-20    | 300
        3           | 3            | 2024-06-01    | 800
        3           | 3            | 2025-05-01    | 900
        4           | 4            | 2025-05-01    | 900
        5           | 5            | 2025-05-01    | 900
        6           | 6            | 2025-11-01    | 400
        6           | 6            | 2025-11-10    | 600
    """).features("dormancy", "2026-01-31")  # fmt: skip
    assert {customer: row["asleep_aum_peak"] for (customer, _), row in rows.items()} == {
        # Asleep for 122 days; 9,000 came then. 180, 270, 365 days before the date are 4 August, 6 May, 31 January: 2,000, 5,000, 0.
        1: 5000,
        2: 7000,  # the peak of the year lies more than 180 days back: the days of 7,000 are seen though none of the three is among them
        3: 800,  # asleep for more than a year: what lay there 365 days before; 900 came in the sleep
        4: None,  # awake
        5: None,  # asleep for more than a year, with nothing then
        6: 400,  # asleep for 90 days: 2 November is 90 days before the date
    }


def test_a_limit_offered_and_not_used(bank):
    rows = bank(customers="""
        customer_key | preapproved_limit_minor | valid_from | valid_to
        1            | -                       | 2020-01-01 | 2026-01-20
        1            | 5000000                 | 2026-01-20 | -
        2            | 5000000                 | 2020-01-01 | -
    """, credit_accounts="""
        customer_key | kind | business_date | owed
        2            | loan | 2026-01-25    | 100
    """).features("dormancy", "2026-01-19", "2026-01-20", "2026-01-31")  # fmt: skip
    # 1 is offered a loan on the 20th and draws none; 2 draws one on the 25th.
    assert [row["preapproved_not_used"] for row in rows.values()] == [0, 1, 1, 1, 1, 0]
