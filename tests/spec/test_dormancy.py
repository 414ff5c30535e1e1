"""Dormancy: who sleeps, since when, and what they may still need."""

from __future__ import annotations


def test_who_sleeps(bank):
    rows = bank(customers="""
        customer_key | opened_on
        1            | 2020-01-01
        2            | 2025-12-01
        3            | 2020-01-01
        4            | 2020-01-01
        5            | 2020-01-01
        6            | 2020-01-01
        7            | 2020-01-01
    """, transactions="""
        customer_key | business_date | direction | type           | amount | is_customer_initiated
        3            | 2025-06-01    | out       | purchase       | 5      | true
        4            | 2026-01-01    | out       | rent           | 5      | true
        6            | 2026-01-20    | in        | interest       | 5      | false
        7            | 2025-12-01    | out       | standing_order | 5      | false
    """, accounts="account_key\n5", balances="""
        account_key | customer_key | business_date | balance
        5           | 5            | 2025-05-01    | 900
    """).features("dormancy", "2026-01-31")  # fmt: skip
    told = {
        customer: (row["is_dormant"], row["is_drowsy"], row["dormant_days"], row["latent_credit"]) for (customer, _), row in rows.items()
    }
    assert told == {
        1: (1, 1, 365, 0),  # silent for a year, nothing left
        2: (0, 0, 61, 0),  # too new to sleep
        3: (0, 1, 244, 0),  # silent since June
        4: (0, 0, 30, 1),  # pays rent, has no loan
        5: (0, 0, 365, 0),  # silent, but money is left
        6: (1, 1, 365, 0),  # interest is no sign of life
        7: (0, 0, 365, 0),  # a standing order is one, though not the customer's doing
    }


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
