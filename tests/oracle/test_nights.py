"""Many nights of the job on a bank of whatever kind: what is stored of all features, customers and dates is what a rebuild gives.

Gaps, dates caught up as a range, nights that are split in two or run again, the same delivery twice, late facts, facts that never were
and a merger. Sixty nights by `make oracle` (forty minutes of its hours), six by `pytest -m full tests/oracle/test_nights.py` (minutes).
Finished features bit for bit, as their partials: the stored day tiles. And each revision of a few features is what a twin in plain Python
tells of what had come by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import settings as conf
from conf.settings import Settings
from features import catalogue
from features.sources.channel import CHANNEL
from features.sources.transaction import TRANSACTION
from jobs import tables
from jobs.build import features_command
from jobs.build.facts import Facts
from jobs.context import JobContext
from tests.fixtures.bank import deliver_rows
from tests.fixtures.context import context_of
from tests.fixtures.examples import IS_MANY, examples
from tests.fixtures.random_bank import RandomBank
from tests.fixtures.rebuilt import build, expect_a_rebuild
from tests.oracle.test_late_repair import Rows, key_of, numbered
from tests.oracle.test_laws import as_known

pytestmark = pytest.mark.timeout(21600)  # sixty nights on a slow machine

START = date(2024, 2, 27) if not IS_MANY else date(2024, 2, 10)
PEOPLE = 6
NIGHT, TWICE, SILENT, CAUGHT_UP = "a night", "split in two", "silent", "what was silent is caught up"
FEW = (NIGHT, TWICE, SILENT, CAUGHT_UP, SILENT, NIGHT)
ANY = (NIGHT, NIGHT, NIGHT, TWICE, SILENT, CAUGHT_UP)
BANKS = st.integers(0, 2**32).map(Random)


class Deliveries:
    """What a bank tells evening after evening: what it knows now and has not told, but for a tenth that comes up to three evenings later.

    A few amounts that were told turn out to have been others, a few rows never to have been, and some of these to have been after all.
    """

    def __init__(self, rows: Rows, random: Random) -> None:
        self.rows, self.random = rows, random
        self.told: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.late: dict[tuple[Any, ...], date] = {}
        self.gone: list[tuple[str, dict[str, Any]]] = []

    def on(self, day: date) -> Rows:
        news: Rows = {}
        if self.gone and self.random.random() < 0.5:
            table, row = self.gone.pop(0)
            self.rows[table].append(row)
        never_were = {table: self._never_were(table) for table in ("transactions", "channel_events")}
        recent = [row for row in self.rows["transactions"] if day - timedelta(days=30) < row["business_date"] < day]
        for row in self.random.sample(recent, min(9, len(recent))):
            row["amount_base_minor"] += 100
        for table, mine in self.rows.items():
            known = [row for one in mine if (row := as_known(table, one, day))]
            news[table] = [row for row in known if self._is_news((table, *key_of(table, row)), row | {"valid_to": None}, day)]
            news[table] += [row | {"is_deleted": True} for row in never_were.get(table, [])]
        return {table: coming for table, coming in news.items() if coming}

    def _never_were(self, table: str) -> list[dict[str, Any]]:
        told = [row for row in self.rows[table] if (table, *key_of(table, row)) in self.told]
        found = self.random.sample(told, min(3, len(told)))
        self.rows[table] = [row for row in self.rows[table] if row not in found]
        for row in found:
            del self.told[table, *key_of(table, row)]
            self.gone.append((table, row))
        return found

    def _is_news(self, key: tuple[Any, ...], row: dict[str, Any], day: date) -> bool:
        if self.told.get(key) == row:
            return False
        if self.told and key not in self.late and day > START and self.random.random() < 0.1:
            self.late[key] = day + timedelta(days=self.random.randint(1, 3))
        if self.late.get(key, day) > day:
            return False
        self.told[key] = row
        return True


def half(rows: Rows) -> Rows:
    return {table: mine[::2] for table, mine in rows.items()}


def run_night(spark: SparkSession, home: Settings, kind: str, since: date, day: date, coming: Rows) -> Iterator[Rows]:
    """One night, from its delivery to features; split in two, the first half comes again with the second. After each run what had come.

    Every other second half is corrected, of however many; the others are made anew, as those of small banks always are.
    """
    parts = [half(coming), coming] if kind == TWICE else [coming]
    for nth, part in enumerate(parts):
        deliver_rows(context_of(spark, home, "ingest", day, generation=nth), part, datetime.combine(day, time(22 + nth)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(features_command, "FEW", features_command.FEW if day.day % 2 else 0)
            build(context_of(spark, home, "features", since if kind == CAUGHT_UP else day, day, generation=nth))
        yield part


class Told:
    """A twin in plain Python: run after run, what the facts that had come tell of each customer and date by then."""

    def __init__(self) -> None:
        self.come: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.histories: dict[tuple[int, date], list[Any]] = {}

    def after(self, part: Rows, dates: Sequence[date]) -> None:
        # As they were told: the bank may find later that an amount was another.
        self.come |= {(table, *key_of(table, row)): dict(row) for table, mine in part.items() for row in mine}
        for day in dates:
            told = self._on(day)
            for key in range(1, PEOPLE + 2):
                known = self.histories.get((key, day), [])
                if (known or key in told) and known[-1:] != [told.get(key)]:
                    self.histories[key, day] = [*known, told.get(key)]

    def _of(self, table: str) -> list[dict[str, Any]]:
        return [row for key, row in self.come.items() if key[0] == table and not row.get("is_deleted")]

    def _on(self, day: date) -> dict[int, tuple[int, float]]:
        """Of who is open: transactions that the customer made, and debits, within 30 days."""
        owner = {row["customer_key"]: row["survivor_key"] for row in self._of("merges") if row["merged_on"] <= day}
        mine: dict[int, list[dict[str, Any]]] = {
            row["customer_key"]: [] for row in self._of("customers")
            if row["opened_on"] <= day and (row["closed_on"] or date.max) > day and row["customer_key"] not in owner
        }  # fmt: skip
        for row in self._of("transactions"):
            key = owner.get(row["customer_key"], row["customer_key"])
            if key in mine and day - timedelta(days=30) < row["business_date"] <= day:
                mine[key].append(row)
        return {
            key: (sum(row["is_customer_initiated"] for row in rows), sum(row["amount_base_minor"] for row in rows if row["direction"] == "out") / 100)
            for key, rows in mine.items()
        }  # fmt: skip


def expect_each_revision(context: JobContext, told: Told) -> int:
    """What revisions say one after another, and that a row was withdrawn (None), is what the twin was told. So many rows were revised."""
    table = next(group.table for group in catalogue.GROUPS if group.name == "activity")
    columns = ("activity__txn_count_30d", "activity__out_sum_30d")
    found: dict[tuple[int, date], list[Any]] = {}
    for row in sorted(tables.read(context, table).collect(), key=lambda row: row["revision"]):
        said = None if row["row_hash"] is None else tuple(row[name] for name in columns)
        known = found.setdefault((row["customer_key"], row["as_of_date"]), [])
        if known[-1:] != [said]:  # another feature of the group may have changed
            known.append(said)
    assert found == told.histories
    return sum(len(mine) > 1 for mine in found.values())


def expect_the_tiles(context: JobContext, dates: Sequence[date]) -> int:
    """Stored partials are those of core tables, on all days that the last date sees."""
    facts, count = Facts(context, dates[-1], dates[-1]), 0
    for source in (TRANSACTION, CHANNEL):
        seen = f"business_date between date'{facts.since}' and date'{facts.last}' and customer_key is not null"
        columns = ("customer_key", "business_date", *(column.name for column in source.columns))
        stored, made = (
            sorted(map(tuple, frame.where(seen).select(*columns).collect()), key=repr)
            for frame in (tables.read(context, source.table), facts.tiles(source))
        )
        assert stored == made, source.name
        count += len(made)
    return count


@pytest.mark.full
@examples(1, 1, phases=[Phase.generate])
@given(random=BANKS)
def test_nights_of_any_kind_come_out_as_a_rebuild(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    home = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("nights"))})
    kinds = FEW if not IS_MANY else (NIGHT, *random.choices(ANY, k=58), NIGHT)
    rows = numbered(RandomBank(spark, random, people=PEOPLE).rows)
    rows["merges"] = [{"customer_key": 2, "survivor_key": 3, "merged_on": START + timedelta(days=len(kinds) // 2), "valid_from": START}]
    bank, told, dates, silent_since = Deliveries(rows, random), Told(), [], None
    for nth, kind in enumerate(kinds):
        day = START + timedelta(days=nth)
        if kind == SILENT:
            silent_since = silent_since or day
            continue
        since = silent_since or day
        dates += [since + timedelta(days=back) for back in range((day - since).days + 1)] if kind == CAUGHT_UP else [day]
        silent_since = None
        for part in run_night(spark, home, kind, since, day, bank.on(day)):
            told.after(part, dates)
        context = context_of(spark, home, "features", day)
        if nth % 5 == 3 or nth == len(kinds) - 1:
            assert expect_a_rebuild(context, dates) > len(dates)
            assert expect_the_tiles(context, dates) > 0
    assert bank.late
    assert bank.gone
    assert expect_each_revision(context, told) > 0
