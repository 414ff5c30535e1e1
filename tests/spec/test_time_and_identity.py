"""Time and identity: nothing after the date is seen, and a merged customer's history counts for the survivor from the merger on."""

from __future__ import annotations

import pytest

from features.catalogue import GROUPS

BEFORE = {
    "accounts": "account_key | opened_on\n1 | 2025-01-01",
    "account_parties": "account_key\n1",
    "transactions": "business_date | amount | type\n2026-01-20 | 5 | purchase\n2025-12-20 | 7 | rent",
    "balances": "business_date | balance\n2026-01-10 | 100",
    "channel_events": "business_date | channel\n2026-01-15 | app",
    "credit_accounts": "business_date | owed | days_past_due\n2025-12-01 | 500 | 3",
    "credit_instalments": "instalment_no | due_on | paid_on\n1 | 2026-01-20 | -",
    "deposit_plans": "plan_id | started_on | closed_on | status\nP1 | 2025-01-01 | - | active",
    "deposit_instalments": "instalment_no | due_on | paid_on\n1 | 2026-01-20 | -",
}  # fmt: skip
AFTER = {
    "accounts": BEFORE["accounts"] + "\n2 | 2026-02-01",
    "account_parties": "account_key\n1\n2",
    "transactions": BEFORE["transactions"] + "\n2026-02-01 | 900 | rent",
    "balances": BEFORE["balances"] + "\n2026-02-01 | 90000",
    "channel_events": BEFORE["channel_events"] + "\n2026-02-01 | branch",
    "credit_accounts": BEFORE["credit_accounts"] + "\n2026-02-01 | 90000 | 90",
    "credit_instalments": "instalment_no | due_on | paid_on\n1 | 2026-01-20 | 2026-02-05\n2 | 2026-02-20 | -",
    "deposit_plans": "plan_id | started_on | closed_on | status\nP1 | 2025-01-01 | 2026-02-03 | broken\nP2 | 2026-02-01 | - | active",
    "deposit_instalments": "instalment_no | due_on | paid_on\n1 | 2026-01-20 | 2026-02-05",
}  # fmt: skip


def test_what_happens_after_the_date_changes_nothing(bank):
    assert bank(**AFTER).wide(GROUPS, "2026-01-31") == bank(**BEFORE).wide(GROUPS, "2026-01-31")


MERGED = {
    "customers": "customer_key | status | valid_from | valid_to\n1 | active | 2020-01-01 | -\n2 | active | 2020-01-01 | -",
    "merges": "customer_key | survivor_key | merged_on\n1 | 2 | 2026-01-15",
    "transactions": "customer_key | business_date | amount\n1 | 2026-01-10 | 10\n2 | 2026-01-10 | 5\n2 | 2026-01-12 | 1",
    "balances": "account_key | customer_key | business_date | balance\n1 | 1 | 2026-01-01 | 100\n2 | 2 | 2026-01-01 | 50",
    "accounts": "account_key\n1\n2",
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2",
}


def test_a_merged_customers_history_counts_for_the_survivor_from_the_day_of_the_merger(bank):
    rows = bank(**MERGED).features("activity", "2026-01-14", "2026-01-15")
    assert sorted(rows) == [(1, "2026-01-14"), (2, "2026-01-14"), (2, "2026-01-15")]
    assert [rows[key]["out_sum_30d"] for key in sorted(rows)] == [10, 6, 16]
    # Both acted on the 10th: that is one active day of the survivor, not two.
    assert [rows[key]["active_days_30d"] for key in sorted(rows)] == [1, 2, 2]


def test_balances_and_accounts_go_with_the_customer(bank):
    balances = bank(**MERGED).features("balances", "2026-01-14", "2026-01-15")
    assert [balances[key]["aum_eod"] for key in sorted(balances)] == [100, 50, 150]
    assert [balances[key]["aum_highest_90d"] for key in sorted(balances)] == [100, 50, 150]
    assert balances[2, "2026-01-15"]["aum_mad_30d"] == pytest.approx(150 * 15 / 30)
    holdings = bank(**MERGED).features("holdings", "2026-01-14", "2026-01-15")
    assert [holdings[key]["account_count"] for key in sorted(holdings)] == [1, 1, 2]
