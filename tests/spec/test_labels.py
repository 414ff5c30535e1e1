"""Labels look forward: observation, gap, outcome; who is eligible, and whose outcome is not known.

As of 31 January 2026 the gap is February (to 2 March), the outcome 3 March to 31 May.
"""

from __future__ import annotations

import pytest

CHURN = ("churn_inactive_90d", "2026-01-31")
SEEN = "business_date | amount\n2026-01-20 | 1\n"


@pytest.mark.parametrize(
    ("later", "churned"),
    [
        ("2026-02-20 | 1", 1),  # in the gap only
        ("2026-03-02 | 1", 1),  # last day of the gap: D + 30
        ("2026-03-03 | 1", 0),  # first day of the outcome
        ("2026-05-31 | 1", 0),  # last day of the outcome: D + 120
        ("2026-06-01 | 1", 1),  # too late to count
    ],
)
def test_churn_is_silence_within_the_outcome_window(bank, later, churned):
    row = bank(transactions=SEEN + later).labels(*CHURN, loaded="2026-12-31")[1, "2026-01-31"]
    assert (row["is_eligible"], row["is_censored"], row["label"], row["reason"]) == (True, False, churned, None)


def test_who_is_eligible(bank):
    rows = bank(customers="""
        customer_key | opened_on
        1            | 2020-01-01
        2            | 2025-12-31
        3            | 2020-01-01
        4            | 2020-01-01
    """, transactions="""
        customer_key | business_date | type     | is_customer_initiated
        1            | 2026-01-20    | purchase | true
        2            | 2026-01-20    | purchase | true
        3            | 2025-11-02    | purchase | true
        4            | 2026-01-20    | salary   | false
    """).labels(*CHURN, loaded="2026-12-31")  # fmt: skip
    told = {customer: (row["is_eligible"], row["reason"]) for (customer, _), row in rows.items()}
    assert told == {
        1: (True, None),
        2: (False, "a customer for less than 90 days"),
        3: (False, "no transaction in the last 90 days: gone already"),  # 90 days before: out of the window
        4: (False, "no transaction in the last 90 days: gone already"),  # a salary is not the customer's doing
    }


def test_an_outcome_that_is_not_loaded_to_its_end_is_censored(bank):
    rows = bank(transactions=SEEN).labels("churn_inactive_90d", "2026-01-31", "2026-02-28", loaded="2026-05-31")
    told = {day: (row["is_censored"], row["label"]) for (_, day), row in rows.items()}
    assert told == {"2026-01-31": (False, 1), "2026-02-28": (True, None)}
    assert rows[1, "2026-02-28"]["reason"] == "the outcome window is not loaded to its end"


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("2025-01-31", None),  # D - 365: before the observation
        ("2025-02-01", "the observation window holds dates that were never delivered"),
        ("2026-01-31", "the observation window holds dates that were never delivered"),  # D itself
        ("2026-03-02", None),  # last day of the gap: no label looks at it
        ("2026-03-03", "the outcome window holds dates that were never delivered"),
        ("2026-05-31", "the outcome window holds dates that were never delivered"),
        ("2026-06-01", None),
    ],
)
def test_nobody_is_silent_on_a_date_that_was_never_delivered(bank, missing, reason):
    row = bank(transactions=SEEN).labels(*CHURN, loaded="2026-12-31", missing=[missing])[1, "2026-01-31"]
    is_observed, is_complete = reason is None or "observation" not in reason, reason is None or "outcome" not in reason
    assert (row["is_eligible"], row["is_censored"], row["reason"]) == (is_observed, not is_complete, reason)
    assert row["label"] == (1 if is_complete else None)


def test_observation_starts_with_the_first_delivery(bank):
    """The 365 days up to 31 January 2026 begin on 1 February 2025."""
    given = bank(transactions=SEEN)
    told = [
        given.labels(*CHURN, loaded="2026-12-31", since=since)[1, "2026-01-31"]["is_eligible"] for since in ("2025-02-01", "2025-02-02")
    ]
    assert told == [True, False]


def test_nothing_delivered_at_all_is_told_as_such(bank):
    row = bank(transactions=SEEN).labels(*CHURN, since="2020-01-01", loaded="2019-12-31")[1, "2026-01-31"]
    assert (row["is_eligible"], row["is_censored"], row["label"]) == (False, True, None)


def test_a_customer_merged_within_the_outcome_is_censored(bank):
    rows = bank(
        customers="customer_key\n1\n2", merges="customer_key | survivor_key | merged_on\n1 | 2 | 2026-04-01",
        transactions="customer_key | business_date\n1 | 2026-01-20\n2 | 2026-01-21\n2 | 2026-04-05",
    ).labels(*CHURN, loaded="2026-12-31")  # fmt: skip
    assert rows[1, "2026-01-31"]["reason"] == "merged into another customer before the end of the outcome window"
    assert (rows[1, "2026-01-31"]["is_censored"], rows[2, "2026-01-31"]["label"]) == (True, 0)


VALUE = {
    "rates": "kind | code | value_ppm\ntransfer | demand | 20000\nclient | D01 | 2000\nunit_cost | branch | 18000000",
    "accounts": "account_key\n1",
}


def test_value_is_the_margin_after_the_date(bank):
    row = bank(
        **VALUE, balances="business_date | balance\n2024-12-31 | 100000",
        transactions="business_date | type | amount | is_customer_initiated\n2024-12-31 | fee | 99 | false\n2025-12-31 | fee | 30 | false",
        channel_events="business_date | channel\n2025-06-01 | branch",
    ).labels("value_12m", "2024-12-31", loaded="2025-12-31")[1, "2024-12-31"]  # fmt: skip
    # 365 days of 100,000 at 1.8 %: 1,800; a fee of 30 (that of the date itself is the past); a branch visit costs 18.
    assert row["label"] == 100 * (1800 + 30 - 18)
    assert (row["is_eligible"], row["is_censored"]) == (True, False)


def test_the_feature_margin_12m_is_the_label_a_year_later(bank):
    """The value model's baseline carries this feature forward: both are one arithmetic."""
    given = VALUE | {
        "balances": "business_date | balance\n2024-12-15 | 4321.09\n2025-06-30 | 77777.77",
        "transactions": "business_date | type | amount\n2025-03-01 | fee | 12.34",
        "credit_accounts": "business_date | owed\n2025-02-01 | 5000",
    }  # fmt: skip
    label = bank(**given).labels("value_12m", "2024-12-31", loaded="2025-12-31")[1, "2024-12-31"]["label"]
    assert bank(**given).features("value", "2025-12-31")[1, "2025-12-31"]["margin_12m"] == pytest.approx(label / 100, abs=0.005)


@pytest.mark.parametrize(
    ("name", "day", "end"), [("churn_inactive_90d", "2025-01-31", "2025-05-31"), ("value_12m", "2024-12-31", "2025-12-31")]
)
def test_nothing_after_the_outcome_window_touches_a_label(bank, name, day, end):
    given = {
        "transactions": SEEN.replace("2026-01-20", day) + "2025-05-01 | 1\n", "balances": "business_date | balance\n2024-06-30 | 1000",
        "channel_events": "business_date | channel\n2025-03-03 | branch", **VALUE,
    }  # fmt: skip
    later = {
        "transactions": given["transactions"] + "2026-01-01 | 5\n", "balances": given["balances"] + "\n2026-01-01 | 9",
        "channel_events": given["channel_events"] + "\n2026-01-01 | branch",
    }  # fmt: skip
    assert bank(**given).labels(name, day, loaded=end) == bank(**(given | later)).labels(name, day, loaded="2026-06-30")
