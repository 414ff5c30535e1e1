"""Every way of writing: what is stored, what is counted, and that a rerun changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as altered
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.settings import Settings
from expectations.contracts import core
from expectations.contracts.types import KNOWN, VALID, Column, Table, Write
from jobs import tables, tables_log, tables_read, writes_commit, writes_rows
from jobs.context import JobContext, now
from jobs.errors import ConfigurationError, DataRejectedError, InputNotReadyError, InvariantError
from jobs.serving import lake

Contexts = Callable[..., JobContext]

ID = Column(name="id", type="string", description="id")
DAY = Column(name="day", type="date", description="day")
AMOUNT = Column(name="amount", type="bigint", description="amount")
PLACE = Column(name="place", type="string", description="place")


def _table(name: str, write: Write, **more: Any) -> Table:
    given = {"key": ("id",), "columns": (ID, DAY, AMOUNT), "grain": "id"} | more
    return Table(layer="core", name=name, title="t", title_zh="t", write=write, **given)


LEDGER = _table("ledger", Write.INTERVALS, interval=KNOWN, date="day", partition_by=("month",))
PERSON = _table("person", Write.INTERVALS, interval=VALID, columns=(ID, AMOUNT))
FACTS = _table("facts", Write.APPEND)
KNOWN_FACTS = _table("known_facts", Write.APPEND, date="day")
SLICES = _table("slices", Write.REPLACE, date="day", partition_by=("month",))
FEATURES = _table("features", Write.REVISIONS, key=("id", "day"), date="day", partition_by=("month",))
MART = _table("mart", Write.CHANGED, change_feed=True, columns=(ID, altered(DAY, is_content=False), AMOUNT))


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _rows(context: JobContext, *rows: tuple[str, str, int | None]) -> DataFrame:
    return context.spark.createDataFrame([(i, _day(d), a) for i, d, a in rows], "id string, day date, amount bigint")


def _incoming(context: JobContext, *rows: tuple[str, str, int, int]) -> DataFrame:
    """Rows of (id, day, amount, known on that day of June 2026)."""
    data = [(i, _day(d), a, datetime(2026, 6, known)) for i, d, a, known in rows]
    return context.spark.createDataFrame(data, "id string, day date, amount bigint, known_from timestamp")


def _images(context: JobContext) -> list[tuple[str, int, int, int | None]]:
    rows = tables.read(context, LEDGER).collect()
    return sorted((r.id, r.amount, r.known_from.day, r.known_to.day if r.known_to else None) for r in rows)


def _stored(context: JobContext, table: Table, *names: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in tables.read(context, table).select(*names).collect())


# --- intervals ----------------------------------------------------------------------------------------------------


def test_correction_closes_the_earlier_image(context_for: Contexts) -> None:
    first, second = context_for("one"), context_for("two")
    tables.merge_intervals(first, LEDGER, _incoming(first, ("a", "2026-05-01", 10, 1), ("b", "2026-05-01", 5, 1)))
    written = tables.merge_intervals(
        second, LEDGER, _incoming(second, ("a", "2026-05-01", 12, 3), ("b", "2026-05-01", 5, 3), ("c", "2026-06-01", 1, 3))
    )
    assert (written.inserted, written.updated, written.unchanged, written.rows_in) == (1, 1, 1, 3)
    assert _images(second) == [("a", 10, 1, 3), ("a", 12, 3, None), ("b", 5, 1, None), ("c", 1, 3, None)]


def test_an_image_that_arrives_late_ends_where_the_same_was_said_again(context_for: Contexts) -> None:
    # In order: 10 from the 1st, 12 from the 2nd, 10 again from the 3rd. The 2nd arrives last.
    one, three, two = context_for("1"), context_for("3"), context_for("2")
    tables.merge_intervals(one, LEDGER, _incoming(one, ("a", "2026-05-01", 10, 1)))
    again = tables.merge_intervals(three, LEDGER, _incoming(three, ("a", "2026-05-01", 10, 3)))
    assert (again.unchanged, again.changed) == (1, False)
    assert _images(three) == [("a", 10, 1, None)]
    late = tables.merge_intervals(two, LEDGER, _incoming(two, ("a", "2026-05-01", 12, 2)))
    assert (late.updated, late.first_date) == (1, "2026-05-01")
    assert _images(two) == [("a", 10, 1, 2), ("a", 10, 3, None), ("a", 12, 2, 3)]


def test_an_image_before_the_first_one_is_put_where_it_belongs(context_for: Contexts) -> None:
    first, late = context_for("one"), context_for("late")
    tables.merge_intervals(first, LEDGER, _incoming(first, ("a", "2026-05-01", 12, 3)))
    written = tables.merge_intervals(late, LEDGER, _incoming(late, ("a", "2026-05-01", 10, 1)))
    assert written.inserted == 1  # before it nothing was known
    assert _images(late) == [("a", 10, 1, 3), ("a", 12, 3, None)]


def test_a_correction_moves_a_row_to_another_month(context_for: Contexts) -> None:
    first, later, same = context_for("one"), context_for("later"), context_for("same")
    tables.merge_intervals(first, LEDGER, _incoming(first, ("a", "2026-05-31", 10, 1), ("b", "2026-05-31", 10, 1)))
    tables.merge_intervals(later, LEDGER, _incoming(later, ("a", "2026-06-01", 10, 2)))
    written = tables.merge_intervals(same, LEDGER, _incoming(same, ("b", "2026-04-30", 10, 1)))  # at the same start: replaced
    assert _stored(same, LEDGER, "id", "month", "known_to") == [
        ("a", 202605, datetime(2026, 6, 2)),
        ("a", 202606, None),
        ("b", 202604, None),
    ]
    assert written.first_date == "2026-04-30"  # and the day it left is later


def test_many_images_in_one_load(context_for: Contexts) -> None:
    load = context_for()
    written = tables.merge_intervals(
        load, LEDGER, _incoming(load, *(("a", "2026-05-01", amount, known) for amount, known in ((7, 4), (5, 1), (5, 2), (6, 3))))
    )
    assert (written.inserted, written.updated, written.unchanged) == (1, 2, 1)
    assert _images(load) == [("a", 5, 1, 3), ("a", 6, 3, 4), ("a", 7, 4, None)]


def test_the_same_delivery_again_makes_no_commit(context_for: Contexts) -> None:
    rows = (("a", "2026-05-01", 10, 1), ("b", "2026-05-01", 5, 2))
    first, again = context_for("one"), context_for("one", generation=1)
    written = tables.merge_intervals(first, LEDGER, _incoming(first, *rows))
    repeated = tables.merge_intervals(again, LEDGER, _incoming(again, *rows))
    assert (repeated.version, repeated.unchanged) == (written.version, 2)


def test_a_key_twice_at_one_start_is_refused(context: JobContext) -> None:
    with pytest.raises(InvariantError, match=r"core.ledger.*\[1\] rows.*null or repeated"):
        tables.merge_intervals(
            context, LEDGER, _incoming(context, ("a", "2026-05-01", 10, 1), ("a", "2026-05-01", 11, 1), ("b", "2026-05-01", 1, 1))
        )
    assert _images(context) == []


def test_a_change_of_tonight_leaves_earlier_dates_as_they_were(context_for: Contexts) -> None:
    opened, night = context_for("one"), context_for("two")
    schema = "id string, amount bigint, valid_from date"
    tables.merge_intervals(opened, PERSON, opened.spark.createDataFrame([("a", 1, _day("2020-01-01"))], schema))
    written = tables.merge_intervals(night, PERSON, night.spark.createDataFrame([("a", 2, _day("2026-01-31"))], schema))
    assert written.first_date == "2026-01-31"
    before = tables.valid_on(tables.read(night, PERSON), PERSON, _day("2026-01-30")).collect()
    assert [row.amount for row in before] == [1]


# --- slices, revisions, changed rows, facts -----------------------------------------------------------------------


def test_replace_touches_its_slice_and_only_when_it_differs(context_for: Contexts) -> None:
    runs = [context_for(str(n)) for n in range(4)]
    tables.replace(runs[0], SLICES, _rows(runs[0], ("a", "2026-05-01", 1), ("a", "2026-05-02", 2)), where="day >= '2026-05-01'")
    equal = tables.replace(runs[1], SLICES, _rows(runs[1], ("a", "2026-05-02", 2)), where="day = '2026-05-02'")
    assert (equal.unchanged, equal.changed, equal.version) == (1, False, 1)
    other = tables.replace(runs[2], SLICES, _rows(runs[2], ("b", "2026-05-02", 3)), where="day = '2026-05-02'")
    assert (other.inserted, other.removed, other.first_date) == (1, 1, "2026-05-02")
    with pytest.raises(DataRejectedError, match=r"core.slices.*day = '2026-05-02'.*empty frame"):
        tables.replace(runs[3], SLICES, _rows(runs[3]), where="day = '2026-05-02'")
    assert _stored(runs[3], SLICES, "id", "day", "amount") == [("a", _day("2026-05-01"), 1), ("b", _day("2026-05-02"), 3)]


def test_a_day_that_may_be_empty_can_be_emptied(context_for: Contexts) -> None:
    first, second = context_for("1"), context_for("2")
    tables.replace(first, SLICES, _rows(first, ("a", "2026-05-01", 1)), where="day = '2026-05-01'")
    written = tables.replace(second, SLICES, _rows(second), where="day = '2026-05-01'", may_be_empty=True)
    assert (written.removed, _stored(second, SLICES, "id")) == (1, [])


def test_rows_outside_of_the_slice_are_refused(context_for: Contexts) -> None:
    first, second = context_for("first"), context_for("second")
    rows = ("a", "2026-05-01", 1), ("b", "2026-05-02", 2)
    for context, many in ((first, rows), (second, rows[1:])):
        with pytest.raises(InvariantError, match=r"\[1\] of \[\d\] rows for \[.*\] lie outside of \[day = '2026-05-01'\]"):
            tables.replace(context, SLICES, _rows(context, *many), where="day = '2026-05-01'")
    assert not tables.read(first, SLICES).count()


# Few rows are compared with what is published in this process, many by Spark.
FEW_OR_MANY = pytest.mark.parametrize("few", [writes_commit.FEW_BYTES, 0], ids=["few", "many"])


@FEW_OR_MANY
def test_a_date_is_published_once_and_then_revised(context_for: Contexts, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(writes_commit, "FEW_BYTES", few)
    first, second = context_for("1"), context_for("2")
    tables.append_revisions(first, FEATURES, _rows(first, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2)))
    # The 1st: a as it was, b corrected, c new. The 2nd: not published before.
    written = tables.append_revisions(
        second, FEATURES, _rows(second, ("c", "2026-05-01", 3), ("b", "2026-05-01", 9), ("a", "2026-05-02", 1), ("a", "2026-05-01", 1))
    )
    assert (written.inserted, written.updated, written.unchanged, written.first_date) == (2, 1, 1, "2026-05-01")
    assert _stored(second, FEATURES, "id", "day", "amount", "revision") == [
        ("a", _day("2026-05-01"), 1, 0), ("a", _day("2026-05-02"), 1, 0), ("b", _day("2026-05-01"), 2, 0),
        ("b", _day("2026-05-01"), 9, 1), ("c", _day("2026-05-01"), 3, 0),
    ]  # fmt: skip
    again = context_for("2", generation=1)
    repeated = tables.append_revisions(again, FEATURES, _rows(again, ("b", "2026-05-01", 9), ("a", "2026-05-01", 1)))
    assert (repeated.version, repeated.unchanged) == (written.version, 2)


@FEW_OR_MANY
def test_what_is_no_more_of_a_scope_is_withdrawn_and_may_come_back(
    context_for: Contexts, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(writes_commit, "FEW_BYTES", few)
    first, second, third, fourth = (context_for(str(nth)) for nth in range(4))
    tables.append_revisions(
        first, FEATURES, _rows(first, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2), ("c", "2026-05-01", 3), ("a", "2026-05-02", 1))
    )
    # a and b alone are looked at, of the 1st alone: there is no b any more.
    of_two = tables.Scope([_day("2026-05-01")], second.spark.createDataFrame([("a",), ("b",)], "id string"))
    left = _rows(second, ("a", "2026-05-01", 1))
    written = tables.append_revisions(second, FEATURES, left, scope=of_two)
    assert (written.rows_in, written.inserted, written.updated, written.unchanged, written.removed) == (1, 0, 0, 1, 1)
    assert _stored(second, FEATURES, "id", "day", "revision", "amount", "row_hash")[-2] == ("b", _day("2026-05-01"), 1, None, None)
    again = tables.append_revisions(third, FEATURES, left, scope=of_two)
    assert (again.version, again.removed) == (written.version, 0)
    back = tables.append_revisions(fourth, FEATURES, _rows(fourth, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2)), scope=of_two)
    assert (back.inserted, back.updated, back.unchanged, back.removed) == (0, 1, 1, 0)


@pytest.mark.parametrize(
    ("few", "few_keys"), [(writes_commit.FEW_BYTES, 0), (0, writes_rows.FEW_KEYS), (0, 0)], ids=["few", "many", "many keys"]
)
def test_a_range_of_which_some_dates_were_published(
    context_for: Contexts, monkeypatch: pytest.MonkeyPatch, few: int, few_keys: int
) -> None:
    """Of the 1st a is as it was, b corrected, c gone, d new; of the 2nd nothing was published; the 3rd nobody asks for."""
    monkeypatch.setattr(writes_commit, "FEW_BYTES", few)
    monkeypatch.setattr(writes_rows, "FEW_KEYS", few_keys)
    zeroth, first, second, third = (context_for(str(nth)) for nth in range(4))
    tables.append_revisions(zeroth, FEATURES, _rows(zeroth, ("a", "2026-05-03", 7)))
    tables.append_revisions(first, FEATURES, _rows(first, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2), ("c", "2026-05-01", 3)))
    asked = [("a", "2026-05-01", 1), ("b", "2026-05-01", 9), ("d", "2026-05-01", 4), ("a", "2026-05-02", 5), ("b", "2026-05-02", None)]
    of_both = tables.Scope([_day("2026-05-01"), _day("2026-05-02")])
    written = tables.append_revisions(second, FEATURES, _rows(second, *asked), scope=of_both)
    assert (written.rows_in, written.inserted, written.updated, written.unchanged, written.removed) == (5, 3, 1, 1, 1)
    assert written.first_date == "2026-05-01"
    stored = _stored(second, FEATURES, "id", "day", "revision", "amount", "month", "known_at")
    assert [row[:4] for row in stored] == [
        ("a", _day("2026-05-01"), 0, 1), ("a", _day("2026-05-02"), 0, 5), ("a", _day("2026-05-03"), 0, 7),
        ("b", _day("2026-05-01"), 0, 2), ("b", _day("2026-05-01"), 1, 9), ("b", _day("2026-05-02"), 0, None),
        ("c", _day("2026-05-01"), 0, 3), ("c", _day("2026-05-01"), 1, None), ("d", _day("2026-05-01"), 0, 4),
    ]  # fmt: skip
    assert {row[4] for row in stored} == {202605}
    assert len({row[5] for row in stored}) == 3
    again = tables.append_revisions(third, FEATURES, _rows(third, *asked), scope=of_both)
    assert (again.version, again.inserted, again.updated, again.removed) == (written.version, 0, 0, 0)


def test_the_log_tells_which_dates_were_never_published_or_revised(context_for: Contexts, settings: Settings) -> None:
    first, second = context_for("1"), context_for("2")
    tables.append_revisions(first, FEATURES, _rows(first, ("a", "2026-05-01", 1), ("a", "2026-05-03", 1)))
    assert not tables_log.may_hold(settings, FEATURES, _day("2026-04-01"), _day("2026-04-30"))
    assert tables_log.may_hold(settings, FEATURES, _day("2026-05-03"), _day("2026-06-01"))
    assert not tables.may_be_revised(settings, FEATURES, _day("2026-05-01"), _day("2026-05-31"))
    tables.append_revisions(second, FEATURES, _rows(second, ("a", "2026-05-01", 2)))
    assert tables.may_be_revised(settings, FEATURES, _day("2026-05-01"), _day("2026-05-01"))
    assert not tables.may_be_revised(settings, FEATURES, _day("2026-05-04"), _day("2026-05-31"))
    assert not tables_log.may_hold(settings, SLICES, _day("2026-05-01"), _day("2026-05-31"))  # no such table


def test_a_change_feed_is_read_as_far_back_as_its_files_are_kept(context: JobContext, settings: Settings) -> None:
    hour = timedelta(hours=1)
    for table in (core.CUSTOMER, core.PRODUCT):
        tables.create(context, table)
    assert tables.tells_changes(settings, core.CUSTOMER, after=-1, kept_since=now() - hour)
    assert not tables.tells_changes(settings, core.CUSTOMER, after=-1, kept_since=now() + hour)
    assert not tables.tells_changes(settings, core.CUSTOMER, after=0, kept_since=now() - hour)  # no such commit yet
    assert not tables.tells_changes(settings, core.PRODUCT, after=-1, kept_since=now() - hour)  # keeps none
    assert not tables.tells_changes(settings, core.ACCOUNT, after=-1, kept_since=now() - hour)  # no such table


def test_what_a_job_knows_itself_is_read_like_any_other_rows(context_for: Contexts, settings: Settings) -> None:
    context = context_for("job")
    written = tables.record(context, KNOWN_FACTS, [("a", _day("2026-05-02"), 1), ("b", _day("2026-05-01"), 2)])
    assert (written.inserted, written.first_date, written.version) == (2, "2026-05-01", 1)
    assert _stored(context, KNOWN_FACTS, "id", "day", "amount") == [("a", _day("2026-05-02"), 1), ("b", _day("2026-05-01"), 2)]
    assert next(iter(tables.commits(settings, KNOWN_FACTS)))["run_id"] == context.run_id
    nothing = tables.record(context_for("other"), KNOWN_FACTS, [])
    assert (nothing.version, nothing.inserted) == (1, 0)


def test_the_log_tells_which_date_later_commits_touched_first(context_for: Contexts, settings: Settings) -> None:
    def touched(after: int) -> str:
        return tables.first_touched(settings, KNOWN_FACTS, after=after)

    assert touched(-1) == ""  # no such table: nothing was touched
    for number, day in enumerate(("2026-05-02", "2026-05-09", "2026-05-04")):
        tables.record(context_for(f"job {number}"), KNOWN_FACTS, [(str(number), _day(day), 1)])
    assert [touched(after) for after in (0, 1, 2, 3)] == ["2026-05-02", "2026-05-04", "2026-05-04", ""]
    assert touched(4) == "0001-01-01"  # the table was made anew: nothing is known of what it held

    opened = DeltaTable(tables.location(settings, KNOWN_FACTS))
    opened.optimize.compact()
    assert touched(3) == ""  # the same rows in fewer files
    opened.create_checkpoint()
    for version in (0, 1):
        (Path(tables.location(settings, KNOWN_FACTS)) / "_delta_log" / f"{version:020}.json").unlink()
    assert [touched(after) for after in (0, 1, 2)] == ["0001-01-01", "2026-05-04", "2026-05-04"]  # version 1 has left the log
    opened.delete("id = '0'")
    assert touched(3) == "0001-01-01"  # rows went without a note of ours


def test_only_changed_people_are_touched(context_for: Contexts) -> None:
    first, second, third = context_for("1"), context_for("2"), context_for("3")
    tables.merge_changed(first, MART, _rows(first, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2), ("c", "2026-05-01", 3)))
    # a: only the carried date moves; b changes; c leaves; d comes.
    written = tables.merge_changed(second, MART, _rows(second, ("a", "2026-05-02", 1), ("b", "2026-05-02", 9), ("d", "2026-05-02", 4)))
    assert (written.inserted, written.updated, written.unchanged, written.removed) == (1, 1, 1, 1)
    at = {row.id: row.updated_at for row in tables.read(second, MART).collect()}
    assert (set(at), at["a"] < at["b"], at["b"] == at["d"]) == ({"a", "b", "d"}, True, True)
    feed = second.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", written.version)
    told = feed.load(tables.location(second.settings, MART)).select("id", "_change_type").collect()
    assert sorted(map(tuple, told)) == [("b", "update_postimage"), ("b", "update_preimage"), ("c", "delete"), ("d", "insert")]
    with pytest.raises(DataRejectedError, match=r"core.mart.*remove everybody"):
        tables.merge_changed(third, MART, _rows(third))
    with pytest.raises(InvariantError, match=r"core.mart.*\['id'\] more than once"):
        tables.merge_changed(context_for("4"), MART, _rows(third, ("a", "2026-05-01", 1), ("a", "2026-05-01", 1)))


# --- exactly once -------------------------------------------------------------------------------------------------

WRITES: dict[str, tuple[Table, Callable[[JobContext], tables.Written]]] = {
    "append": (FACTS, lambda c: tables.append(c, FACTS, _rows(c, ("a", "2026-05-01", 1)))),
    "record": (KNOWN_FACTS, lambda c: tables.record(c, KNOWN_FACTS, [("a", _day("2026-05-01"), 1)])),
    "replace": (SLICES, lambda c: tables.replace(c, SLICES, _rows(c, ("a", "2026-05-01", 1)), where="day = '2026-05-01'")),
    "intervals": (LEDGER, lambda c: tables.merge_intervals(c, LEDGER, _incoming(c, ("a", "2026-05-01", 1, 1)))),
    "revisions": (FEATURES, lambda c: tables.append_revisions(c, FEATURES, _rows(c, ("a", "2026-05-01", 1)))),
    "changed": (MART, lambda c: tables.merge_changed(c, MART, _rows(c, ("a", "2026-05-01", 1)))),
}


@pytest.mark.parametrize("mode", WRITES)
def test_a_second_attempt_skips_what_the_first_committed_and_counts_it(context_for: Contexts, mode: str) -> None:
    table, write = WRITES[mode]
    one = write(context_for("job"))
    attempt = context_for("job")
    two = write(attempt)
    assert two == one
    assert (two.inserted, two.unchanged) == (1, 0)  # what was done, not that nothing is left to do
    assert tables.version(attempt.settings, table) == 1
    with pytest.raises(InvariantError, match=f"{table.full_name}.*twice by one run"):
        write(attempt)
    assert {name for name, _ in attempt.spark.sparkContext.getConf().getAll() if "txn" in name.lower()} == set()
    assert attempt.spark.conf.get("spark.databricks.delta.write.txnAppId", None) is None


def test_an_attempt_on_other_inputs_is_another_write(context_for: Contexts) -> None:
    killed, mended = context_for("job"), altered(context_for("job"), stands_on="a mended delivery")
    tables.merge_intervals(killed, LEDGER, _incoming(killed, ("a", "2026-05-01", 10, 1)))
    written = tables.merge_intervals(mended, LEDGER, _incoming(mended, ("a", "2026-05-01", 11, 1)))
    assert (written.updated, _images(mended)) == (1, [("a", 11, 1, None)])


def test_force_and_parts_write_again(context_for: Contexts) -> None:
    for context in (context_for("job"), context_for("job", generation=1)):
        for part in ("loans", "cards"):
            tables.append(context, FACTS, _rows(context, (part, "2026-05-01", context.generation)), part=part)
    assert _stored(context_for(), FACTS, "id", "amount") == [("cards", 0), ("cards", 1), ("loans", 0), ("loans", 1)]


def test_a_commit_says_who_wrote_what(context_for: Contexts, settings: Settings) -> None:
    context = context_for("job", scope="credit")
    tables.append(context, FACTS, _rows(context, ("a", "2026-05-01", 1)))
    (note,) = tables.commits(settings, FACTS)
    said = {name: note[name] for name in ("run_id", "job", "scope", "partition", "generation", "rows_in", "inserted", "version")}
    assert said == {
        "run_id": context.run_id, "job": "job", "scope": "credit", "partition": "2026-01-31", "generation": 0, "rows_in": 1, "inserted": 1,
        "version": 1,
    }  # fmt: skip


def test_every_reader_can_read(context_for: Contexts, settings: Settings) -> None:
    context = context_for()
    tables.merge_intervals(context, LEDGER, _incoming(context, ("a", "2026-05-01", 1, 1)))
    entries = (Path(tables.location(settings, LEDGER)) / "_delta_log" / f"{0:020}.json").read_text(encoding="utf-8").splitlines()
    actions = {name: action for line in entries for name, action in json.loads(line).items()}
    assert "delta.enableDeletionVectors" not in actions["metaData"]["configuration"] or (
        actions["metaData"]["configuration"]["delta.enableDeletionVectors"] == "false"
    )
    assert set(actions["protocol"].get("readerFeatures", [])) == set()


@pytest.mark.parametrize("table", [FACTS, LEDGER], ids=["plain", "partitioned"])
def test_the_checksum_of_an_empty_table_is_what_delta_finds_in_its_log(
    context: JobContext, settings: Settings, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes_commit, "FEW_BYTES", 0)  # the checksum is Delta's writer's
    tables.create(context, table)
    log = Path(tables.location(settings, table)) / "_delta_log"
    ours = json.loads((log / f"{0:020}.crc").read_text(encoding="utf-8"))
    jvm = context.spark._jvm
    assert jvm is not None
    opened = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(context.spark._jsparkSession, str(log.parent))
    snapshot = opened.unsafeVolatileSnapshot()
    assert snapshot.checksumOpt().isDefined()
    assert snapshot.validateChecksum(jvm.PythonUtils.toScalaMap({}))
    # What Delta makes of it at the first write is as if it had written the table itself.
    if table is FACTS:
        tables.append(context, table, _rows(context, ("a", "2026-05-01", 1)))
    else:
        tables.merge_intervals(context, table, _incoming(context, ("a", "2026-05-01", 1, 1)))
    after = json.loads((log / f"{1:020}.crc").read_text(encoding="utf-8"))
    assert (ours["numFiles"], after["numFiles"], len(after["setTransactions"])) == (0, 1, 1)
    assert after["protocol"] == ours["protocol"]
    assert after["metadata"]["schemaString"] == ours["metadata"]["schemaString"]
    assert opened.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty()).validateChecksum(jvm.PythonUtils.toScalaMap({}))


TYPES = {
    "id": "'a'", "day": "date'2026-05-01'", "amount": "7L", "half": "0.5D", "no_number": "double('NaN')", "none": "cast(null as double)", "money": "12.30BD",
    "at": "timestamp'2026-05-01 23:59:59.123456'", "is_so": "true", "names": "array('甲', null)", "small": "3",
}  # fmt: skip
KINDS = ("string", "date", "bigint", "double", "double", "double", "decimal(20,2)", "timestamp", "boolean", "array<string>", "int")


@pytest.mark.parametrize("write", [Write.APPEND, Write.REVISIONS, Write.REPLACE])
def test_few_rows_are_stored_as_many_are(context_for: Contexts, settings: Settings, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = context_for("first"), context_for("second")
    columns = tuple(Column(name=name, type=kind, description=name) for name, kind in zip(TYPES, KINDS, strict=True))
    values = [f"cast({value} as {kind}) as {name}" for (name, value), kind in zip(TYPES.items(), KINDS, strict=True)]
    row = first.spark.range(1).selectExpr(*values)
    writes: dict[Write, Callable[..., tables.Written]] = {
        Write.APPEND: tables.append,
        Write.REVISIONS: tables.append_revisions,
        Write.REPLACE: lambda context, table, frame: tables.replace(context, table, frame, where=f"id = '{frame.first().id}'"),
    }
    append = writes[write]
    seen = []
    for name, few in (("by_spark", (0, 10_000)), ("by_driver", (10_000, 0))):  # each goes on with what the other began
        table = _table(name, write, key=("id", "day"), date="day", columns=columns, partition_by=("month",))
        monkeypatch.setattr(writes_commit, "FEW_BYTES", few[0])
        written = append(first, table, row)
        monkeypatch.setattr(writes_commit, "FEW_BYTES", few[1])
        append(second, table, row.withColumn("id", F.lit("b")))
        notes = [{**note, "app": ""} for note in tables.commits(settings, table)]
        files = DeltaTable(tables.location(settings, table)).get_add_actions(flatten=True)
        statistics = sorted(column for column in files.column_names if column.startswith(("min.", "max.", "partition.")))
        seen.append((_content(_by_delta(first, table)), tables.as_counts(written) | {"table": ""}, notes, statistics))
    assert seen[0] == seen[1]
    assert len(seen[0][0][1]) == 2


# --- reading ------------------------------------------------------------------------------------------------------


def _by_delta(context: JobContext, table: Table) -> DataFrame:
    return context.spark.read.format("delta").load(tables.location(context.settings, table)).select(*table.column_names)


def _content(frame: DataFrame) -> tuple[list[tuple[str, str]], list[str]]:
    return [(field.name, field.dataType.simpleString()) for field in frame.schema.fields], sorted(map(str, frame.collect()))


def _written(context: JobContext, table: Table, rows: tuple[tuple[str, str, int], ...], known: int) -> tables.Written:
    writes: dict[Write, Callable[[], tables.Written]] = {
        Write.INTERVALS: lambda: tables.merge_intervals(context, table, _incoming(context, *((*row, known) for row in rows))),
        Write.APPEND: lambda: tables.append(context, table, _rows(context, *rows)),
        Write.REPLACE: lambda: tables.replace(context, table, _rows(context, *rows), where="day >= '2026-05-01'"),
        Write.REVISIONS: lambda: tables.append_revisions(context, table, _rows(context, *rows)),
        Write.CHANGED: lambda: tables.merge_changed(context, table, _rows(context, *rows)),
    }
    return writes[table.write]()


@pytest.mark.parametrize("table", [LEDGER, FACTS, SLICES, FEATURES, MART], ids=lambda table: str(table.name))
def test_the_files_that_the_log_names_hold_what_delta_reads(context_for: Contexts, table: Table) -> None:
    """After rows came, changed, moved to another month and left; and of a table that is still empty."""
    nights = ((("a", "2026-05-31", 1), ("b", "2026-05-01", 2)), (("a", "2026-06-01", 3), ("c", "2026-06-02", 4)))
    for nth, rows in enumerate(nights, start=1):
        context = context_for(f"night {nth}")
        tables.create(context, table)
        assert _content(tables.read(context, table)) == _content(_by_delta(context, table))
        assert _written(context, table, rows, known=nth).rows_in == 2
        found = _content(tables.read(context, table))
        assert found == _content(_by_delta(context, table))
        assert found[1]


def test_rows_that_only_the_log_marks_as_deleted_are_not_read(context: JobContext) -> None:
    tables.append(context, FACTS, _rows(context, ("a", "2026-05-01", 1), ("b", "2026-05-01", 2)))
    place = tables.location(context.settings, FACTS)
    context.spark.sql(f"alter table delta.`{place}` set tblproperties ('delta.enableDeletionVectors' = 'true')")
    context.spark.sql(f"delete from delta.`{place}` where id = 'a'")
    assert len(_content(context.spark.read.parquet(f"{place}/*.parquet"))[1]) == 2  # the file still holds both
    assert _stored(context, FACTS, "id") == [("b",)]


def test_a_column_that_the_table_has_not_is_not_read_as_null(context: JobContext) -> None:
    tables.append(context, FACTS, _rows(context, ("a", "2026-05-01", 1)))
    with pytest.raises(InputNotReadyError, match=r"\[core.facts\] has no columns \['place'\] yet; run the job that writes it first"):
        tables.read(context, altered(FACTS, columns=(*FACTS.columns, PLACE)))


@pytest.mark.parametrize("table", [FACTS, SLICES, FEATURES], ids=lambda table: str(table.name))
def test_a_table_gains_the_columns_of_its_contract_and_keeps_those_it_has_no_more(
    context_for: Contexts, settings: Settings, table: Table
) -> None:
    def write(context: JobContext, into: Table, day: str, **more: str) -> None:
        frame = _rows(context, ("a", day, 1)).withColumns({name: F.lit(value) for name, value in more.items()})
        writes: dict[Write, Callable[[], tables.Written]] = {
            Write.APPEND: lambda: tables.append(context, into, frame),
            Write.REPLACE: lambda: tables.replace(context, into, frame, where=f"day = date'{day}'"),
            Write.REVISIONS: lambda: tables.append_revisions(context, into, frame),
        }
        assert writes[table.write]().inserted == 1

    wider = altered(table, columns=(*table.columns, PLACE))
    write(context_for("before"), table, "2026-05-01")
    version = tables.version(settings, table)
    write(context_for("with"), wider, "2026-05-02", place="上海")
    write(context_for("without"), table, "2026-05-03")
    assert _stored(context_for(), wider, "day", "place") == [
        (_day("2026-05-01"), None), (_day("2026-05-02"), "上海"), (_day("2026-05-03"), None),
    ]  # fmt: skip
    # A column more is no change of what was there.
    assert tables.first_touched(settings, table, after=version) == ("" if table is FACTS else "2026-05-02")
    everything = [(None,), ("上海",), (None,)]
    with lake.connect() as connection:
        # Of the first day only a file without the column is read; facts have no date to choose files by.
        for last, places in (("2026-05-01", everything if table is FACTS else [(None,)]), ("2026-05-03", everything)):
            rows = lake.relation(settings, wider, ["day", "place"], first=_day("2026-05-01"), last=_day(last))
            assert connection.sql(f"select place from {rows} order by day").fetchall() == places


def test_many_files_are_left_to_deltas_statistics(context_for: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    for month in ("2026-05-01", "2026-06-01"):
        context = context_for(month)
        tables.append_revisions(context, FEATURES, _rows(context, ("a", month, 1)))
    expected = _content(tables.read(context, FEATURES))
    monkeypatch.setattr(tables_read, "PLAIN_FILES", 1)
    monkeypatch.setattr(tables_read, "_files", None)
    assert _content(tables.read(context, FEATURES)) == expected


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["append", "changed"])
def test_a_place_that_cannot_be_written_is_a_matter_of_configuration(context: JobContext, settings: Settings, mode: str) -> None:
    _, write = WRITES[mode]
    in_the_way = Path(settings.warehouse)
    in_the_way.write_text("a file where the warehouse should be", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"warehouse/core/.*check paths.warehouse"):
        write(context)
