"""Balances: a balance holds until the next one, means are weighted by days."""

from __future__ import annotations

from math import log
from statistics import linear_regression, mean, pstdev

import pytest

DAY = "2026-01-31"
BANK = {
    "accounts": """
        account_key | product_code | matures_on | closed_on  | status | valid_from | valid_to
        1           | D01          | -          | -          |        | 2025-11-03 | -
        2           | T12          | 2026-01-02 | -          |        | 2025-12-03 | 2026-01-02
        2           | T12          | 2026-01-02 | 2026-01-02 | closed | 2026-01-02 | -
        3           | T12          | 2026-01-20 | -          |        | 2026-01-02 | 2026-01-20
        3           | T12          | 2026-02-20 | -          |        | 2026-01-20 | -
        4           | W01          | -          | -          |        | 2026-01-02 | -
    """,
    "balances": """
        account_key | business_date | balance
        1           | 2025-11-03    | 50
        1           | 2025-12-03    | 0
        2           | 2025-12-03    | 80000
        1           | 2026-01-02    | 10000
        2           | 2026-01-02    | 0
        3           | 2026-01-02    | 30000
        4           | 2026-01-02    | 10000
    """,
}  # fmt: skip
# The last 90 days begin on 3 November: 30 days of 50, 30 of 80,000 (from 3 December), 30 of 50,000 (from 2 January). Before, nothing.
LEVELS = [50] * 30 + [80_000] * 30 + [50_000] * 30
MEAN = (50 + 80_000 + 50_000) / 3
WORKED = {
    1: {
        "aum_eod": 50_000,
        "aum_mad_30d": 50_000,
        "aum_mad_90d": MEAN,  # 43,350
        "aum_mad_180d": MEAN * 90 / 180,
        "aum_mad_365d": MEAN * 90 / 365,
        "aum_trend": 50_000 / MEAN - 1,
        "aum_change_30d": 50_000 - 80_000,  # 80,000 on 1 January
        "aum_change_90d": 50_000 - 0,
        "aum_highest_90d": 80_000,
        "aum_highest_365d": 80_000,
        "aum_drawdown_90d": 1 - 50_000 / 80_000,
        "aum_less_mean": 50_000 - MEAN * 90 / 365,
        "demand_share": 10_000 / 50_000,
        "term_share": 30_000 / 50_000,
        "wealth_share": 10_000 / 50_000,
        "mix_entropy": -(0.2 * log(0.2) + 0.6 * log(0.6) + 0.2 * log(0.2)),
        "nearly_empty_days_90d": 30,  # 3 November to 2 December
        "largest_fall_ratio": 30_000 / MEAN,  # from 80,000 to 50,000 on 2 January
        "aum_slope_90d": linear_regression(range(90), [log(1 + level) for level in LEVELS]).slope,
        "aum_cv_90d": pstdev(LEVELS) / mean(LEVELS),
        "aum_less_month_end": 50_000 - 80_000,  # 31 December
        "months_below_tier": 1,  # 50,000 is in the tier from 20,000, and on 30 November there were 50
        "term_maturing_30d": 30_000,  # 3, on 20 February
        "term_rollover_share_365d": 1 / 2,  # 3 was rolled over on 20 January, 2 paid out on the 2nd
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


TWO_ACCOUNTS = """
    account_key | product_code
    1           | D01
    2           | T12
"""


def test_means_are_weighted_by_the_days_a_balance_held(one):
    row = one("balances", "2026-01-31", accounts="account_key\n1", balances="""
        business_date | balance
        2025-12-31    | 3000
        2026-01-12    | 6000
        2026-01-31    | 9000
    """)  # fmt: skip
    # 30 days, 2 to 31 January: 10 days of 3,000 (2..11), 19 of 6,000 (12..30), 1 of 9,000.
    assert row["aum_mad_30d"] == pytest.approx((10 * 3000 + 19 * 6000 + 9000) / 30)  # 5,100
    # 90 days: nothing before 31 December, 12 days of 3,000 (31 December to 11 January).
    assert row["aum_mad_90d"] == pytest.approx((12 * 3000 + 19 * 6000 + 9000) / 90)
    assert row["aum_eod"] == 9000
    assert row["aum_change_30d"] == 9000 - 3000  # 1 January still held 3,000


def test_a_gap_of_months_keeps_the_last_balance(one):
    row = one("balances", "2026-01-31", accounts="account_key\n1", balances="""
        business_date | balance
        2025-03-31    | 1200
    """)  # fmt: skip
    assert (row["aum_eod"], row["aum_mad_30d"], row["aum_mad_180d"]) == (1200, 1200, 1200)
    assert row["aum_mad_365d"] == pytest.approx(1200 * 307 / 365)  # 31 March 2025 to 31 January 2026: 307 days
    assert row["aum_trend"] == pytest.approx(0)
    assert row["largest_fall_ratio"] == 0  # nothing moved in 30 days


def test_accounts_add_up_and_the_mix_is_told(one):
    row = one("balances", "2026-01-31", accounts=TWO_ACCOUNTS, balances="""
        account_key | business_date | balance
        1           | 2026-01-01    | 1000
        2           | 2026-01-01    | 3000
        1           | 2026-01-10    | 500
        2           | 2026-01-20    | 9500
    """)  # fmt: skip
    assert (row["aum_eod"], row["demand_share"], row["term_share"], row["wealth_share"]) == (10000, 0.05, 0.95, 0)
    # 4,000, then 3,500 from the 10th, then 10,000.
    assert row["aum_highest_90d"] == 10000
    assert row["aum_drawdown_90d"] == 0
    # Largest fall: 500 on the 10th. Mean of 90 days: (9 × 4,000 + 10 × 3,500 + 12 × 10,000) / 90.
    assert row["largest_fall_ratio"] == pytest.approx(500 / (191000 / 90))


def test_who_was_emptied_more_than_a_year_ago_has_no_balance(bank):
    rows = bank(accounts="account_key\n1", balances="""
        business_date | balance
        2024-01-01    | 500
        2024-06-01    | 0
    """).features("balances", "2025-05-31", "2025-06-02", "2026-01-31")  # fmt: skip
    # 366 days before 31 May 2025 there were 500 still, before 2 June nothing.
    empty, none, long_gone = (rows[1, day] for day in ("2025-05-31", "2025-06-02", "2026-01-31"))
    assert (empty["aum_highest_90d"], empty["nearly_empty_days_90d"]) == (0, 90)
    assert (none["aum_highest_90d"], none["nearly_empty_days_90d"]) == (None, 0)
    assert long_gone == none


def test_loans_are_no_assets_and_customers_without_accounts_have_a_row(one):
    row = one("balances", "2026-01-31", accounts="account_key | product_code\n7 | L01", balances="""
        account_key | business_date | balance
        7           | 2026-01-01    | 50000
    """)  # fmt: skip
    assert (row["aum_eod"], row["aum_mad_90d"], row["aum_change_30d"]) == (0, 0, 0)
    assert (row["aum_trend"], row["aum_highest_90d"], row["demand_share"]) == (None, None, None)


def test_an_account_that_changes_hands_takes_its_balance_along(bank):
    rows = bank(customers="customer_key\n1\n2", accounts="account_key\n1", balances="""
        customer_key | business_date | balance
        1            | 2026-01-01    | 1000
        2            | 2026-01-11    | 1000
    """).features("balances", "2026-01-31")  # fmt: skip
    assert rows[1, "2026-01-31"]["aum_eod"] == 0
    assert rows[2, "2026-01-31"]["aum_eod"] == 1000
    assert rows[1, "2026-01-31"]["aum_mad_30d"] == pytest.approx(9 * 1000 / 30)  # 2 to 10 January
    assert rows[2, "2026-01-31"]["aum_mad_30d"] == pytest.approx(21 * 1000 / 30)  # 11 to 31 January


def test_a_level_that_holds_has_neither_slope_nor_unrest(one):
    row = one("balances", "2026-01-31", accounts="account_key\n1", balances="business_date | balance\n2025-01-01 | 777")
    assert row["aum_slope_90d"] == pytest.approx(0, abs=1e-12)
    assert (row["aum_cv_90d"], row["aum_less_month_end"], row["mix_entropy"]) == (0, 0, 0)


def test_assets_against_those_of_month_ends(one):
    row = one("balances", "2026-01-31", accounts="account_key\n1", balances="""
        business_date | balance
        2025-09-10    | 30000
        2025-10-20    | 19999
        2025-12-05    | 20000
        2026-01-31    | 25000
    """)  # fmt: skip
    assert row["aum_less_month_end"] == 25000 - 20000  # 31 December, though the 31st of January is a month-end too
    # 25,000 is in the tier from 20,000: below it were October and November; before September there was nothing.
    assert row["months_below_tier"] == 2


def test_a_fortune_counts_up_to_thirty_million(one):
    row = one("balances", "2026-01-31", accounts="account_key\n1", balances="""
        business_date | balance
        2025-01-01    | 90000000000
        2026-01-10    | 30000000
    """)  # fmt: skip
    assert (row["aum_cv_90d"], row["aum_eod"]) == (0, 30_000_000)


def test_who_was_emptied_more_than_a_year_ago_has_no_assets_whatever_else_is_told_since(bank):
    rows = bank(accounts="""
        account_key | product_code | matures_on | closed_on  | status | valid_from | valid_to
        1           | T12          | 2026-01-20 | -          |        | 2024-01-20 | 2026-01-20
        1           | T12          | 2026-01-20 | 2026-01-20 | closed | 2026-01-20 | -
    """, balances="""
        business_date | balance
        2024-01-20    | 1000
        2024-10-31    | 0
    """).features("balances", "2025-10-31", "2025-11-01", "2026-01-31")  # fmt: skip
    # On 31 October 2025 the day before 365 days ago still had 1,000. That the term ended on 20 January is no level.
    assert [row["aum_highest_365d"] for row in rows.values()] == [0, None, None]
    assert [row["nearly_empty_days_90d"] for row in rows.values()] == [90, 0, 0]


def test_term_deposits_that_mature_within_thirty_days(bank):
    rows = bank(accounts="""
        account_key | product_code | matures_on | closed_on  | status | valid_from | valid_to
        1           | D01          | 2026-02-20 | -          |        | 2025-02-20 | -
        2           | T12          | 2026-02-20 | -          |        | 2025-02-20 | 2026-02-20
        2           | T12          | 2026-02-20 | 2026-02-20 | closed | 2026-02-20 | -
        3           | T12          | 2026-02-25 | -          |        | 2025-02-25 | 2026-02-25
        3           | T12          | 2027-02-25 | -          |        | 2026-02-25 | -
        4           | T12          | 2026-09-01 | -          |        | 2025-09-01 | -
    """, balances="""
        account_key | business_date | balance
        1           | 2025-12-31    | 1
        2           | 2025-12-31    | 3000
        2           | 2026-02-10    | 3100
        2           | 2026-02-20    | 0
        3           | 2025-12-31    | 500
        4           | 2025-12-31    | 7000
    """).features("balances", "2026-01-20", "2026-01-21", "2026-01-26", "2026-02-10", "2026-02-19", "2026-02-20", "2026-02-24", "2026-02-25")  # fmt: skip
    # 2 matures 30 days after 21 January, 3 thirty days after the 26th; on its day 2 has been paid out, and 3 runs for another year.
    assert [row["term_maturing_30d"] for row in rows.values()] == [0, 3000, 3500, 3600, 3600, 500, 500, 0]


def test_how_many_terms_are_rolled_over(bank):
    rows = bank(accounts="""
        account_key | product_code | matures_on | closed_on  | status | valid_from | valid_to
        1           | T12          | 2025-06-10 | -          |        | 2025-03-10 | 2025-06-10
        1           | T12          | 2025-09-10 | -          |        | 2025-06-10 | 2025-09-12
        1           | T12          | 2025-12-10 | -          |        | 2025-09-12 | 2025-12-10
        1           | T12          | 2025-12-10 | 2025-12-10 | closed | 2025-12-10 | -
        2           | T12          | 2026-05-01 | -          |        | 2025-05-01 | 2025-12-01
        2           | T12          | 2026-05-01 | 2025-12-01 | closed | 2025-12-01 | -
        3           | T12          | 2026-03-01 | -          |        | 2025-04-01 | 2025-07-01
        3           | T12          | 2027-03-01 | -          |        | 2025-07-01 | -
    """, balances="""
        account_key | business_date | balance
        1           | 2025-03-10    | 1000
        1           | 2025-12-10    | 0
        2           | 2025-05-01    | 1000
        3           | 2025-05-01    | 1000
    """).features("balances", "2025-06-09", "2025-06-10", "2026-01-31", "2026-06-10")  # fmt: skip
    # 1: rolled over on 10 June, on 12 September two days late, paid out on 10 December. 2 was broken, 3 was prolonged before it ended.
    # On 10 June 2026 the first of them lies 365 days back.
    assert [row["term_rollover_share_365d"] for row in rows.values()] == [None, 1, pytest.approx(2 / 3), pytest.approx(1 / 2)]
