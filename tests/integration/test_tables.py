"""Every way of writing: what is stored, what is counted, and that a rerun changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from expectations.contracts.types import KNOWN, Column, Table, Write
from jobs import tables
from jobs.context import JobContext

LEDGER = Table(
    layer="core", name="ledger", title="t", title_zh="t", grain="id × known interval", key=("id",), write=Write.INTERVALS, interval=KNOWN,
    date="day", partition_by=("month",),
    columns=(
        Column(name="id", type="string", description="id"),
        Column(name="day", type="date", description="day"),
        Column(name="amount", type="bigint", description="amount"),
    ),
)  # fmt: skip


def _incoming(context: JobContext, *rows: tuple[str, str, int, int]):
    """Rows of (id, day, amount, known on that day of June 2026)."""
    data = [(i, datetime.fromisoformat(d).date(), a, datetime(2026, 6, known)) for i, d, a, known in rows]  # noqa: DTZ001
    return context.spark.createDataFrame(data, "id string, day date, amount bigint, known_from timestamp")


def _stored(context: JobContext) -> list[tuple[str, int, int, int | None]]:
    rows = tables.read(context, LEDGER).collect()
    return sorted((r.id, r.amount, r.known_from.day, r.known_to.day if r.known_to else None) for r in rows)


def test_correction_closes_the_earlier_image(context_for: Callable[..., JobContext]) -> None:
    tables.merge_intervals(context_for("one"), LEDGER, _incoming(context_for(), ("a", "2026-05-01", 10, 1), ("b", "2026-05-01", 5, 1)))
    second = context_for("two")
    written = tables.merge_intervals(
        second, LEDGER, _incoming(second, ("a", "2026-05-01", 12, 3), ("b", "2026-05-01", 5, 3), ("c", "2026-06-01", 1, 3))
    )
    assert (written.inserted, written.updated, written.unchanged, written.rows_in) == (1, 1, 1, 3)
    assert _stored(second) == [("a", 10, 1, 3), ("a", 12, 3, None), ("b", 5, 1, None), ("c", 1, 3, None)]


def test_an_image_that_arrives_out_of_order_is_put_where_it_belongs(context_for: Callable[..., JobContext]) -> None:
    late = context_for("late")
    tables.merge_intervals(context_for("one"), LEDGER, _incoming(late, ("a", "2026-05-01", 12, 3)))
    written = tables.merge_intervals(late, LEDGER, _incoming(late, ("a", "2026-05-01", 10, 1)))
    assert written.inserted == 1  # before it nothing was known
    assert _stored(late) == [("a", 10, 1, 3), ("a", 12, 3, None)]


def test_the_same_delivery_again_makes_no_commit(context_for: Callable[..., JobContext]) -> None:
    rows = (("a", "2026-05-01", 10, 1), ("b", "2026-05-01", 5, 2))
    first, again = context_for("one"), context_for("one", generation=1)
    written = tables.merge_intervals(first, LEDGER, _incoming(first, *rows))
    repeated = tables.merge_intervals(again, LEDGER, _incoming(again, *rows))
    assert (repeated.version, repeated.unchanged) == (written.version, 2)


def test_a_second_attempt_skips_what_the_first_committed(context_for: Callable[..., JobContext]) -> None:
    facts = Table(
        layer="ops", name="facts", title="t", title_zh="t", grain="x", key=("x",), write=Write.APPEND,
        columns=(Column(name="x", type="int", description="x"),),
    )  # fmt: skip
    first, retry, forced = context_for("j"), context_for("j"), context_for("j", generation=1)
    frame = first.spark.createDataFrame([(1,), (2,)], "x int")
    one = tables.append(first, facts, frame)
    two = tables.append(retry, facts, frame)
    assert (one.version, one.inserted) == (two.version, two.inserted)
    assert tables.read(retry, facts).count() == 2
    tables.append(forced, facts, frame)
    assert tables.read(forced, facts).count() == 4
