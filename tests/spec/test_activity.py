"""Activity: what the customer did, when last, how often. A window of 30 days at 31 January holds 2 to 31 January."""

from __future__ import annotations

from statistics import pstdev

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": """
        business_date | direction | type     | amount | is_customer_initiated
        2026-01-28    | out       | purchase | 30     | true
        2026-01-28    | out       | purchase | 50     | true
        2026-01-26    | in        | salary   | 9000   | false
        2026-01-25    | out       | fee      | 5      | false
        2025-12-26    | in        | salary   | 8000   | false
        2025-12-19    | out       | rent     | 120    | true
        2025-11-09    | out       | transfer | 200    | true
        2025-08-21    | out       | purchase | 600    | true
        2025-03-14    | out       | purchase | 1000   | true
    """,
}  # fmt: skip
# A salary and a fee are not the customer's doing: six transactions are, on five days.
WORKED = {
    1: {
        "txn_count_7d": 2,
        "txn_count_30d": 2,
        "txn_count_90d": 4,  # from 3 November on
        "txn_count_180d": 5,  # from 5 August on
        "txn_count_365d": 6,
        "active_days_30d": 1,
        "active_days_90d": 3,
        "active_days_365d": 5,
        "active_weeks_182d": 4,  # 28 January, 19 December, 9 November, 21 August; 14 March is too long ago
        "active_months_12m": 5,
        "days_since_last": 31 - 28,
        "out_sum_7d": 30 + 50 + 5,  # all debits, the fee among them
        "out_sum_30d": 85,
        "out_sum_90d": 85 + 120 + 200,
        "out_sum_180d": 405 + 600,
        "out_sum_365d": 1005 + 1000,
        "in_sum_7d": 9000,
        "in_sum_30d": 9000,
        "in_sum_90d": 9000 + 8000,
        "in_sum_180d": 17_000,
        "in_sum_365d": 17_000,
        "ticket_mean_90d": (30 + 50 + 120 + 200) / 4,  # without the fee
        "ticket_largest_90d": 200,
        "ticket_p95_90d": 200,  # the fourth of four: .95 × 4 = 3.8
        "ticket_std_90d": pstdev([30, 50, 120, 200]),
        "txn_count_trend": 2 * 3 / 4,
        "txn_count_trend_long": 4 * 4 / 6,
        "silence_ratio": 3 / ((323 - 3) / 4),  # four gaps from 14 March, 323 days ago, to 28 January: 80 days each
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_windows_hold_the_last_days_and_not_the_one_before(one):
    row = one("activity", "2026-01-31", transactions="""
        business_date | amount
        2026-01-31    | 10
        2026-01-02    | 20
        2026-01-01    | 40
        2025-11-02    | 80
        2025-02-01    | 160
        2025-01-31    | 320
        2026-02-01    | 640
    """)  # fmt: skip
    # 1 January is 30 days back and out of 30; 3 November would be the first of 90; 1 February 2025 the first of 365.
    # 2 November is the 91st day back: in 180 and 365 days only.
    assert [row[f"out_sum_{days}d"] for days in (7, 30, 90, 180, 365)] == [10, 30, 70, 150, 310]
    assert [row[f"txn_count_{days}d"] for days in (7, 30, 90, 180, 365)] == [1, 2, 3, 4, 5]


def test_a_month_to_date_begins_on_its_first_day(bank):
    held = bank(transactions="""
        business_date | direction | amount
        2024-01-31    | out       | 7
        2024-02-01    | out       | 10
        2024-02-01    | out       | 20
        2024-02-29    | out       | 40
        2024-02-29    | in        | 500
        2024-03-02    | out       | 80
    """)  # fmt: skip
    found = held.features("activity", "2024-01-31", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02")
    month = [(row["out_sum_mtd"], row["in_sum_mtd"], row["active_days_mtd"], row["ticket_largest_mtd"]) for row in found.values()]
    # The leap day is February's last; on 1 March nothing has happened in March.
    assert month == [(7, 0, 1, 7), (30, 0, 1, 20), (70, 500, 2, 40), (0, 0, 0, None), (80, 0, 1, 80)]


def test_a_life_to_date_forgets_nothing(bank):
    held = bank(
        merges="customer_key | survivor_key | merged_on\n2 | 1 | 2026-02-10",
        transactions="""
        customer_key | business_date | amount | is_customer_initiated
        1            | 2021-07-31    | 1000   | true
        1            | 2026-01-31    | 10     | true
        1            | 2026-02-01    | 20     | true
        1            | 2026-02-03    | 5      | false
        2            | 2021-07-31    | 3000   | true
        2            | 2026-02-01    | 40     | true
    """)  # fmt: skip
    found = held.features("activity", "2021-07-31", "2026-01-31", "2026-02-09", "2026-02-10")
    life = [(row["txn_count_ltd"], row["out_sum_ltd"], row["active_days_ltd"], row["ticket_largest_ltd"]) for row in found.values()]
    # On the 10th the other customer's life is theirs too: five transactions, on the same three days.
    assert life == [(1, 1000, 1, 1000), (2, 1010, 2, 1000), (3, 1035, 3, 1000), (5, 4075, 3, 3000)]


def test_weeks_and_months_are_counted_back_from_the_date(one):
    row = one("activity", "2026-01-31", transactions="""
        business_date | amount
        2026-01-31    | 1
        2026-01-25    | 1
        2026-01-24    | 1
        2025-08-03    | 1
        2025-08-02    | 1
        2025-02-01    | 1
        2025-01-31    | 1
    """)  # fmt: skip
    # Weeks: 25..31 January; 18..24 January; the 26th is 3..9 August; 2 August is 182 days back and out.
    assert row["active_weeks_182d"] == 3
    # Calendar months, February 2025 to January 2026: January, August, February. January 2025 is the thirteenth.
    assert row["active_months_12m"] == 3


def test_a_customer_without_transactions_has_a_row(one):
    row = one("activity", "2026-01-31")
    assert (row["txn_count_90d"], row["out_sum_90d"], row["active_days_365d"]) == (0, 0, 0)
    assert (row["days_since_last"], row["ticket_mean_90d"], row["txn_count_trend"], row["silence_ratio"]) == (None, None, None, None)
    assert (row["ticket_p95_90d"], row["ticket_std_90d"]) == (None, None)


def test_a_leap_day_is_a_day_and_a_range_is_one_pass(bank):
    rows = bank(transactions="""
        business_date | amount
        2024-02-29    | 1
        2023-03-02    | 2
        2023-03-01    | 4
    """).features("activity", "2024-02-29", "2024-03-31", "2025-02-27", "2025-02-28")  # fmt: skip
    # 365 days that end with 29 February 2024 begin with 2 March 2023; 28 February 2025 sees from 1 March 2024 on.
    assert {day: row["out_sum_365d"] for (_, day), row in rows.items()} == {
        "2024-02-29": 3, "2024-03-31": 1, "2025-02-27": 1, "2025-02-28": 0,
    }  # fmt: skip


def test_twelve_calendar_months_of_a_leap_year_are_366_days(bank):
    rows = bank(transactions="""
        business_date | amount
        2023-12-31    | 1
        2024-01-01    | 1
        2024-02-29    | 1
    """).features("activity", "2023-12-31", "2024-12-30", "2024-12-31", "2025-01-01")  # fmt: skip
    # Both days of the year 2024 lie in twelve months that end with it; those to January 2025 begin on 1 February.
    assert [row["active_months_12m"] for row in rows.values()] == [1, 2, 2, 1]


def test_the_spread_of_debits_and_their_upper_end(one):
    amounts = [15] * 18 + [400, 12_345]
    rows = "\n".join(f"2026-01-{day:02d} | {amount}" for day, amount in enumerate(amounts, start=1))
    row = one("activity", "2026-01-31", transactions=f"business_date | amount\n{rows}")
    # The 95th percentile is the 19th of 20 (.95 × 20 = 19): 400, in the bin from 300 to 500.
    assert row["ticket_p95_90d"] == 500
    assert row["ticket_std_90d"] == pytest.approx(pstdev(amounts))


def test_the_upper_end_is_at_most_the_largest(bank):
    rows = bank(customers="customer_key\n1\n2\n3\n4\n5", transactions="""
        customer_key | business_date | amount
        1            | 2026-01-20    | 7.5
        2            | 2026-01-20    | 10
        3            | 2026-01-20    | 10.01
        4            | 2026-01-20    | 199999
        5            | 2026-01-20    | 350000
    """).features("activity", "2026-01-31")  # fmt: skip
    # A single debit is the 95th percentile, whatever the bin that it falls into: up to 10, from 10 to 20, up to 200,000 and above.
    assert [row["ticket_p95_90d"] for row in rows.values()] == [7.5, 10, 10.01, 199_999, 350_000]
    assert {row["ticket_std_90d"] for row in rows.values()} == {0}
