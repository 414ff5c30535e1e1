"""Laws that features obey whatever the bank: an order of rows means nothing, strangers change nobody, what comes later changes no date before.

Each law makes another bank of a bank, in which the customers' rows of the date must be the same, bit for bit. That a night may be split in
two, and delivered twice, is told of the job: tests/oracle/test_nights.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

from hypothesis import Phase, given
from hypothesis import strategies as st

from features import engine
from jobs.build.facts import planned_once
from tests.fixtures.bank import Bank
from tests.fixtures.examples import examples
from tests.fixtures.random_bank import LAST, LEAP, RandomBank

Rows = dict[str, list[dict[str, Any]]]
DATES = (date(2024, 1, 31), *LEAP, LAST)
BANKS = st.integers(0, 10**9).map(Random)
# Columns that say who and which: those of strangers are others.
KEYS = ("customer_key", "survivor_key", "account_key", "household_key")
# By table the column of the day on which a fact is known, where it is no image with an interval.
KNOWN_ON = {
    "transactions": "business_date", "channel_events": "business_date", "balances": "business_date", "credit_accounts": "business_date",
    "deposit_plans": "started_on", "merges": "merged_on",
}  # fmt: skip


def shuffled(rows: Rows, random: Random, as_of: date) -> Rows:
    """The same rows in another order, and so in other batches."""
    return {name: random.sample(mine, len(mine)) for name, mine in rows.items()}


def with_strangers(rows: Rows, random: Random, as_of: date) -> Rows:
    """And a whole bank of other people, of other households: who moves in with a customer makes its household larger, and is no stranger."""
    others = RandomBank(None, random, people=3).rows
    of_others = {
        name: [row | {key: row[key] + 10_000 for key in KEYS if row.get(key) is not None} | _numbered(row) for row in mine]
        for name, mine in others.items() if name not in {"products", "rates"}
    }  # fmt: skip
    return {name: mine + of_others.get(name, []) for name, mine in rows.items()}


def _numbered(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"of others {row[name]}" for name in ("credit_account_id", "plan_id") if name in row}


def without_what_comes_later(rows: Rows, random: Random, as_of: date) -> Rows:
    """As the bank knew it on the evening of the date."""
    return {name: [seen for row in mine if (seen := as_known(name, row, as_of))] for name, mine in rows.items()}


def as_known(table: str, row: dict[str, Any], as_of: date) -> dict[str, Any] | None:
    """The row as the bank knows it on the evening of the date; None before it does."""
    if table.endswith("_instalments"):
        is_paid = row["paid_on"] is not None and row["paid_on"] <= as_of
        known = row if is_paid else row | {"paid_on": None, "paid_minor": None}
        return known if is_paid or row["due_on"] <= as_of else None
    if row.get(KNOWN_ON.get(table, "valid_from"), as_of) > as_of:
        return None
    if table == "deposit_plans" and row["closed_on"] and row["closed_on"] > as_of:
        return row | {"closed_on": None, "status": "active"}
    is_in_force = row.get("valid_to") is None or row["valid_to"] > as_of
    return row | {"valid_to": None} if "valid_to" in row and is_in_force else row


LAWS: tuple[Callable[[Rows, Random, date], Rows], ...] = (shuffled, with_strangers, without_what_comes_later)


def features(bank: Bank, rows: Rows, as_of: date) -> dict[int, dict[str, Any]]:
    bank.rows = rows
    with planned_once(bank.spark):
        return {row["customer_key"]: row.asDict() for row in engine.features_of(bank.core, [as_of]).collect()}


def expect_the_same(bank: Bank, rows: Rows, by_laws: Rows, as_of: date) -> None:
    told, again = features(bank, rows, as_of), features(bank, by_laws, as_of)
    assert told
    assert {key for key in again if key < 10_000} == told.keys()
    differing = {
        (key, name): (value, again[key][name]) for key, mine in told.items() for name, value in mine.items() if again[key][name] != value
    }
    assert differing == {}


# An example runs the engine twice: all laws at once, which of them is broken is seen by the features that differ.
@examples(1, 60, phases=[Phase.explicit, Phase.generate])
@given(random=BANKS, as_of=st.sampled_from(DATES))
def test_no_law_changes_anybodys_features(spark, random, as_of):
    bank = RandomBank(spark, random, people=random.randint(2, 5))
    rows = by_laws = bank.rows
    for law in LAWS:
        by_laws = law(by_laws, random, as_of)
    expect_the_same(bank, rows, by_laws, as_of)


@examples(6, 600)
@given(random=BANKS, as_of=st.sampled_from(DATES))
def test_each_law_makes_another_bank(random, as_of):
    """What no law changes is told by nobody."""
    rows = RandomBank(None, random, people=5).rows
    for law in LAWS:
        assert law(rows, random, as_of) != rows
    later = without_what_comes_later(rows, random, as_of)
    assert {name for name in KNOWN_ON if len(later[name]) < len(rows[name])} >= {"transactions", "channel_events"}


def test_the_banks_hold_what_is_seldom():
    """Ties, nulls, facts told twice, refunds, ends of months, leap days, and customers without rows; in each of ten."""
    for seed in range(10):
        bank = RandomBank(None, Random(seed), people=6)
        facts = bank.rows["transactions"]
        days = [row["business_date"] for row in facts]
        assert any(row["type"] == "refund" for row in facts)
        assert all(
            any(row[name] is None for row in facts) for name in ("customer_key", "mcc_group", "local_hour", "channel", "counterparty_key")
        )
        assert any(facts.count(row) > 1 for row in facts)
        assert LEAP[1] in days
        assert any((row["customer_key"], row["business_date"]) in {(1, LEAP[1]), (2, LEAP[1]), (3, LEAP[1])} for row in facts)
        assert sum(day.day >= 28 for day in days) > len(days) / 8
        busy = {
            row["customer_key"]
            for name, mine in bank.rows.items()
            if name not in {"customers", "merges"}
            for row in mine
            if "customer_key" in row
        }
        assert 7 in {row["customer_key"] for row in bank.rows["customers"]} - busy
