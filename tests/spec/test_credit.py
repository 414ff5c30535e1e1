"""Credit: what is owed, how much of the limit is used, is it paid. A payment after the date is not seen."""

from __future__ import annotations

import pytest

DAY = "2026-01-31"
BANK = {
    "transactions": "business_date | direction | type | amount\n2026-01-15 | in | salary | 1000",
    "credit_accounts": """
        credit_account_id | kind | product_code | business_date | limit | owed  | days_past_due | minimum | last_payment | status
        C1                | card | C01          | 2025-08-05    | 10000 | 2000  | 0             | -       | -            |
        C1                | card | C01          | 2025-12-31    | 10000 | 8000  | 0             | 400     | 600          |
        L1                | loan | L01          | 2025-03-01    | 50000 | 30000 | 35            | -       | -            |
        L1                | loan | L01          | 2025-04-01    | 50000 | 29000 | 0             | -       | -            |
        L2                | loan | L01          | 2024-01-01    | 50000 | 20000 | 0             | -       | -            |
        L2                | loan | L01          | 2025-12-01    | 50000 | 0     | 0             | -       | -            | closed
    """,
    "credit_instalments": """
        instalment_no | due_on     | due | paid_on    | paid
        1             | 2025-10-20 | 100 | 2025-10-18 | 100
        2             | 2025-11-20 | 100 | 2025-11-26 | 100
        3             | 2025-12-20 | 100 | 2026-02-03 | 100
        4             | 2026-01-20 | 100 | -          | -
    """,
}  # fmt: skip
# Of the card's limit of 10,000 over 180 days, 5 August to 31 January: 148 days of 2,000 and 32 of 8,000.
MEAN_USED = (148 * 2000 + 32 * 8000) / (180 * 10_000)
WORKED = {
    1: {
        "loan_count": 1,  # L1; L2 is closed
        "debt": 8000 + 29_000,
        "card_limit": 10_000,
        "utilisation": 8000 / 10_000,
        "utilisation_mean_180d": MEAN_USED,
        "utilisation_less_mean": 0.8 - MEAN_USED,
        "payment_to_minimum": 600 / 400,
        "days_past_due": 0,
        "days_past_due_highest_90d": 0,
        "days_past_due_highest_365d": 35,  # L1 from 1 to 31 March
        "past_due_30_count_365d": 1,
        "past_due_gap_days": 306,  # since 31 March
        "debt_surge_90d": 37_000 / (2000 + 29_000 + 20_000) - 1,  # on 2 November L2 was owed, too
        # What is paid in February is not known yet: 2, 3 and 4 were not paid by their due days.
        "instalment_missed_count_365d": 3,
        "early_repayment_count_365d": 1,  # the first, two days before
        "instalment_late_days_365d": (-2 + 6) / 2,
        "debt_service_ratio_90d": 3 * 100 / 1000,  # due from 20 November to 20 January
    },
}


@pytest.mark.parametrize("customer", WORKED)
def test_worked_values(told, customer):
    assert told[customer] == pytest.approx(WORKED[customer])


def test_without_credit_there_is_nothing_past_due(one):
    row = one("credit", "2026-01-31")
    assert (row["loan_count"], row["debt"], row["in_default"], row["instalment_missed_count_365d"]) == (0, 0, 0, 0)
    assert (row["utilisation"], row["days_past_due"], row["debt_surge_90d"], row["instalment_late_days_365d"]) == (None, None, None, None)
