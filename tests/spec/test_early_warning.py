"""Early warning: cash below the report, money that passes through, weeks unlike the others."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp

import pytest

DAY = "2026-01-31"
# Net inflows of 26 weeks: 1, 2, …, 25 a week, and 100 in the last one.
WEEKS = "\n".join(
    f"3 | {date(2026, 1, 31) - timedelta(days=7 * week)} | in | wealth_sell | {flow} | -"
    for week, flow in enumerate([100, *range(25, 0, -1)])
)
BANK = {
    "customers": "customer_key\n1\n2\n3\n4\n5",
    "transactions": f"""
        customer_key | business_date | direction | type            | amount   | counterparty_key
        1            | 2026-01-31    | in        | cash_deposit    | 40000    | -
        1            | 2026-01-29    | in        | cash_deposit    | 40000    | -
        1            | 2026-01-27    | in        | cash_deposit    | 40000    | -
        1            | 2026-01-20    | in        | cash_deposit    | 49999.99 | -
        1            | 2026-01-12    | in        | cash_deposit    | 39999.99 | -
        1            | 2026-01-12    | in        | cash_deposit    | 20000.01 | -
        1            | 2026-01-10    | out       | cash_withdrawal | 8000     | -
        1            | 2026-01-10    | out       | cash_withdrawal | 1000     | -
        2            | 2026-01-10    | in        | transfer        | 1000     | -
        2            | 2026-01-10    | out       | transfer        | 300      | -
        2            | 2026-01-11    | out       | transfer        | 600      | -
        2            | 2026-01-13    | out       | transfer        | 100      | -
        2            | 2026-01-31    | in        | transfer        | 1000     | -
        2            | 2026-01-31    | out       | transfer        | 200      | -
        2            | 2026-02-01    | out       | transfer        | 800      | -
        4            | 2025-08-05    | out       | transfer        | 1        | 100
        4            | 2025-08-04    | out       | transfer        | 1        | 200
        4            | 2026-01-02    | out       | transfer        | 1        | 100
        4            | 2026-01-10    | in        | transfer        | 1        | 200
        4            | 2026-01-20    | out       | standing_order  | 1        | 301
        4            | 2026-01-20    | out       | standing_order  | 1        | 301
        4            | 2026-01-21    | out       | purchase        | 1        | 400
        {WEEKS}
    """,
    "credit_accounts": """
        customer_key | business_date | limit | owed | days_past_due
        5            | 2025-03-01    | 5000  | 4000 | 0
        5            | 2026-01-01    | 5000  | 4000 | 31
        5            | 2026-01-20    | 5000  | 4000 | 5
    """,
}  # fmt: skip


def chance(log_odds):
    return 1 / (1 + exp(-log_odds))


WORKED = {
    1: {
        "split_cash_count_7d": 3,  # 40,000 up to less than 50,000 each
        "split_cash_count_30d": 4,  # 49,999.99 too, 39,999.99 not
        "split_days_5d": 1,  # 120,000 in five days, no day more than 40,000
        "structuring_score": 2,  # by the deposits and by the days
        "cash_in_largest_day_30d": 60_000,  # 12 January
        "cash_out_largest_day_30d": 9000,
    },
    # Of 1,000 that came on the 10th 300 + 600 had left by the next day; of 1,000 on the 31st 200 have: tomorrow is not seen.
    2: {"pass_through_share_30d": (900 + 200) / 2000},
    # Lower median of the 26 weeks: the 13th, 13. Distances from it: 0, 1, 1, 2, 2, …, 12, 12, 87; their 13th is 6.
    3: {"flow_z": 0.6745 * (100 - 13) / 6},
    # Counterparties of transfers in 30 days: 100, 200, 301. 100 was there 179 days ago; 200 was, too, but 180 days ago.
    4: {"new_counterparty_share": 2 / 3},
    # -5.3, .5 with a loan; now also 1.4 for days past due within 90 days and 2.1 for five of them today. 90 days ago nothing was past due.
    5: {"pd_12m": chance(-5.3 + 0.5 + 1.4 + 2.1), "pd_delta_90d": chance(-5.3 + 0.5 + 1.4 + 2.1) - chance(-5.3 + 0.5)},
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_cash_split_over_days_and_over_deposits(bank):
    rows = bank(transactions="""
        business_date | direction | type         | amount
        2026-01-27    | in        | cash_deposit | 30000
        2026-01-28    | in        | cash_deposit | 20000
        2026-01-28    | in        | cash_deposit | 25000
        2026-01-31    | in        | cash_deposit | 25000
        2026-02-20    | in        | cash_deposit | 40000
        2026-02-22    | in        | cash_deposit | 40000
        2026-02-24    | in        | cash_deposit | 40000
        2026-03-10    | in        | cash_deposit | 50000
        2026-03-11    | in        | cash_deposit | 45000
        2026-03-12    | in        | cash_deposit | 45000
    """).features("early_warning", "2026-01-30", "2026-01-31", "2026-02-01", "2026-02-24", "2026-02-26", "2026-03-12")  # fmt: skip
    assert {day: (row["split_cash_count_7d"], row["split_days_5d"], row["structuring_score"]) for (_, day), row in rows.items()} == {
        "2026-01-30": (0, 0, 0),  # 45,000 on a day, 75,000 in five days
        "2026-01-31": (0, 1, 1),  # 100,000 in the five days from the 27th, no day more than 45,000
        "2026-02-01": (0, 0, 0),  # from the 28th: 70,000
        "2026-02-24": (3, 1, 2),  # three deposits below the report, 120,000 in five days
        "2026-02-26": (3, 0, 1),  # from the 22nd: 80,000
        "2026-03-12": (2, 0, 0),  # 140,000, of which the 10th was reported
    }


def test_who_did_nothing_gives_no_warning(one):
    row = one("early_warning", "2026-01-31")
    assert row["split_cash_count_7d"] == 0
    assert (row["cash_in_largest_day_30d"], row["pass_through_share_30d"], row["flow_z"]) == (None, None, None)


def test_counterparties_that_share_a_bucket_are_taken_for_one(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | type     | counterparty_key
        2025-12-01    | transfer | -152
        2026-01-10    | transfer | 352
        2026-01-20    | transfer | 101
    """)  # fmt: skip
    # 252 buckets: 352 falls where -152 did, 100; 101 beside it.
    assert row["new_counterparty_share"] == 1 / 2


def test_the_chance_of_default_and_how_it_has_changed(bank):
    rows = bank(customers="customer_key\n1\n2\n3\n4", credit_accounts="""
        customer_key | credit_account_id | kind | business_date | limit | owed | days_past_due | status
        1            | L1                | loan | 2025-03-01    | 5000  | 4000 | 0             |
        1            | L1                | loan | 2026-01-01    | 5000  | 4000 | 31            |
        1            | L1                | loan | 2026-01-20    | 5000  | 4000 | 5             |
        2            | K2                | card | 2025-03-01    | 1000  | 200  | 0             |
        2            | K2                | card | 2025-10-01    | 1000  | 300  | 2             |
        2            | K2                | card | 2025-11-02    | 1000  | 300  | 0             |
        3            | L3                | loan | 2025-12-01    | 5000  | 4000 | 0             |
        4            | L4                | loan | 2025-03-01    | 5000  | 4000 | 65            |
        4            | L4                | loan | 2025-12-15    | 5000  | 4000 | 95            | default
    """).features("early_warning", "2025-12-02", "2026-01-31")  # fmt: skip
    told = {customer: (row["pd_12m"], row["pd_delta_90d"]) for (customer, day), row in rows.items() if day == "2026-01-31"}
    # 90 days before 31 January is 2 November. -5.3, .5 with a loan, .2 from 30 % of the limit, 1.4 if ever past due in 90 days, and by days
    # past due now: 2.1, from 30 days 4.2, from 60 days 5.5.
    assert told[1] == (pytest.approx(chance(-5.3 + 0.5 + 1.4 + 2.1)), pytest.approx(chance(-5.3 + 0.5 + 1.4 + 2.1) - chance(-5.3 + 0.5)))
    # Past due until 1 November, which is the 91st day back; on 2 November it was one of the last 90 days.
    assert told[2] == (pytest.approx(chance(-5.3 + 0.2)), pytest.approx(chance(-5.3 + 0.2) - chance(-5.3 + 0.2 + 1.4)))
    assert told[3] == (pytest.approx(chance(-5.3 + 0.5)), None)  # had no contract then
    assert told[4] == (1, pytest.approx(1 - chance(-5.3 + 0.5 + 1.4 + 5.5)))
    # What is told of the past is what was told then: of 2 December on its day, and of a date 90 days after it.
    assert rows[2, "2025-12-02"]["pd_12m"] == pytest.approx(chance(-5.3 + 0.2 + 1.4))
