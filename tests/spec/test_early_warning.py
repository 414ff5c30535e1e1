"""Early warning: cash below the report, money that passes through, weeks unlike the others."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp

import pytest


def test_cash_in_large_sums_and_in_split_ones(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | direction | type            | amount
        2026-01-30    | in        | cash_deposit    | 49999.99
        2026-01-30    | in        | cash_deposit    | 40000
        2026-01-28    | in        | cash_deposit    | 50000
        2026-01-20    | in        | cash_deposit    | 45000
        2026-01-19    | in        | cash_deposit    | 39999.99
        2026-01-10    | out       | cash_withdrawal | 8000
        2026-01-10    | out       | cash_withdrawal | 1000
    """)  # fmt: skip
    assert (row["split_cash_count_7d"], row["split_cash_count_30d"]) == (2, 3)  # 40,000 up to less than 50,000 each
    assert (row["cash_in_largest_day_30d"], row["cash_out_largest_day_30d"]) == (pytest.approx(89999.99), 9000)


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


def test_money_that_only_passes_through(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | direction | type     | amount
        2026-01-10    | in        | transfer | 1000
        2026-01-10    | out       | transfer | 300
        2026-01-11    | out       | transfer | 600
        2026-01-13    | out       | transfer | 100
        2026-01-31    | in        | transfer | 1000
        2026-01-31    | out       | transfer | 200
        2026-02-01    | out       | transfer | 800
    """)  # fmt: skip
    # Of the 10th: 300 + 600 of 1,000 leave within the next day. Of the 31st: 200; tomorrow is not seen.
    assert row["pass_through_share_30d"] == pytest.approx((900 + 200) / 2000)


def test_a_week_unlike_the_others(one):
    # 26 weeks to 31 January: net inflows of 1, 2, …, 25 a week, and 100 in the last one.
    day, flows = date(2026, 1, 31), [100, *range(25, 0, -1)]
    rows = "\n".join(f"{day - timedelta(days=7 * week)} | in | {flow}" for week, flow in enumerate(flows))
    row = one("early_warning", "2026-01-31", transactions=f"business_date | direction | amount\n{rows}")
    # Lower median of 26: the 13th, 13. Distances from it: 0, 1 1, 2 2, …, 12 12, 87; their 13th is 6.
    assert row["flow_z"] == pytest.approx(0.6745 * (100 - 13) / 6)


def test_who_did_nothing_gives_no_warning(one):
    row = one("early_warning", "2026-01-31")
    assert (row["split_cash_count_7d"], row["cash_in_largest_day_30d"], row["pass_through_share_30d"], row["flow_z"]) == (
        0,
        None,
        None,
        None,
    )


def test_counterparties_that_are_new(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | direction | type           | counterparty_key
        2025-08-05    | out       | transfer       | 100
        2025-08-04    | out       | transfer       | 200
        2026-01-02    | out       | transfer       | 100
        2026-01-10    | in        | transfer       | 200
        2026-01-20    | out       | standing_order | 301
        2026-01-20    | out       | standing_order | 301
        2026-01-21    | out       | purchase       | 400
        2026-01-22    | out       | transfer       | -
    """)  # fmt: skip
    # Counterparties of transfers in 30 days: 100, 200, 301. 100 was there 179 days ago; 200 was, too, but 180 days ago.
    assert row["new_counterparty_share"] == pytest.approx(2 / 3)


def test_counterparties_that_share_a_bucket_are_taken_for_one(one):
    row = one("early_warning", "2026-01-31", transactions="""
        business_date | type     | counterparty_key
        2025-12-01    | transfer | -152
        2026-01-10    | transfer | 352
        2026-01-20    | transfer | 101
    """)  # fmt: skip
    # 252 buckets: 352 falls where -152 did, 100; 101 beside it.
    assert row["new_counterparty_share"] == 1 / 2


def chance(log_odds):
    return 1 / (1 + exp(-log_odds))


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
