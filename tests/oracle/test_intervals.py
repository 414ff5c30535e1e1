"""Intervals against a naive twin: observations in any order and any batches give the images of the sorted history, deletions among them.

Every example holds many independent keys in one frame, so that few Spark runs see many histories.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from expectations.contracts.types import KNOWN, VALID, Column, Table, Write
from jobs import tables
from jobs.context import JobContext
from tests.fixtures.examples import examples

Contexts = Callable[..., JobContext]
Truth = dict[int, dict[int, int | None]]  # key -> start -> amount, as last said; None: the key is deleted

BATCHES = 3
ID = Column(name="id", type="bigint", description="id")
DAY = Column(name="day", type="date", description="day")
AMOUNT = Column(name="amount", type="int", description="amount")
FIRST = date(2026, 4, 20)


class Said(NamedTuple):
    batch: int
    start: int
    amount: int | None


class Image(NamedTuple):
    key: int
    start: int
    end: int | None
    amount: int | None
    confirmed: tuple[int, ...]


def _histories(seed: int) -> list[list[Said]]:
    """Fifty keys' histories. Drawn from a seed, as the smallest example of a strategy would be fifty times the same."""
    chance = random.Random(seed)
    return [
        [Said(chance.randrange(BATCHES), chance.randint(1, 6), chance.choice([0, 1, 2, None])) for _ in range(chance.randint(1, 9))]
        for _ in range(50)
    ]


HISTORIES = st.integers(0, 2**32).map(_histories)


def _table(name: str, *, known: bool) -> Table:
    dated = {"interval": KNOWN, "date": "day", "partition_by": ("month",)} if known else {"interval": VALID}
    return Table(
        layer="core", name=name, title="t", title_zh="t", grain="id × interval", key=("id",), write=Write.INTERVALS,
        columns=(ID, DAY, AMOUNT), **dated,
    )  # fmt: skip


def naive_images(truth: Truth) -> list[Image]:
    """Walk each key's observations by start: a different amount opens an image and ends the one before. A deletion ends at once."""
    images: list[Image] = []
    for key, said in truth.items():
        mine: list[Image] = []
        for start, amount in sorted(said.items()):
            if mine and mine[-1].amount == amount:
                mine[-1] = mine[-1]._replace(confirmed=(*mine[-1].confirmed, start))
                continue
            if mine and mine[-1].amount is not None:
                mine[-1] = mine[-1]._replace(end=start)
            mine.append(Image(key, start, start if amount is None else None, amount, ()))
        images += mine
    return _sorted(images)


def naive_answer(truth: Truth, at: int) -> dict[int, int | None]:
    """Key -> amount in force at an instant; None: deleted by then."""
    answer = {}
    for key, said in truth.items():
        before = [start for start in said if start <= at]
        if before:
            answer[key] = said[max(before)]
    return answer


def _batch(histories: list[list[Said]], batch: int) -> Truth:
    """Key -> start -> amount of one delivery; one that says two things of a key and start would be refused: the last counts."""
    return {key: {s.start: s.amount for s in said if s.batch == batch} for key, said in enumerate(histories)}


def _day(amount: int | None) -> date | None:
    if amount is None:
        return None
    return FIRST + timedelta(days=8 * amount)  # 20 April, 28 April, 6 May: some changes move a row to another month


def _load(context: JobContext, table: Table, batch: Truth, *, known: bool) -> tables.Written:
    start: Callable[[int], object] = (lambda n: datetime(2026, 6, n)) if known else (lambda n: date(2026, 6, n))
    # Whatever else a deletion says counts nothing: each says another thing.
    rows = [
        (key, _day(n % 3 if amount is None else amount), n if amount is None else amount, amount is None, start(n))
        for key, said in batch.items() for n, amount in said.items()
    ]  # fmt: skip
    schema = f"id bigint, day date, amount int, is_deleted boolean, {'known_from timestamp' if known else 'valid_from date'}"
    return tables.merge_intervals(context, table, context.spark.createDataFrame(rows, schema))


def _images(context: JobContext, table: Table) -> list[Image]:
    interval = table.interval
    assert interval is not None
    rows = tables.read(context, table).collect()
    assert all(row.day == _day(row.amount) for row in rows)
    return _sorted(
        Image(
            r.id, r[interval.start].day, r[interval.end].day if r[interval.end] else None, r.amount, tuple(c.day for c in r.confirmed or ())
        )
        for r in rows
    )


def _sorted(images: Iterable[Image]) -> list[Image]:
    return sorted(images, key=lambda image: (image.key, image.start))


def expect_the_answers(context: JobContext, table: Table, truth: Truth) -> None:
    """Who asks for what is in force, at any instant or now, is never told of a deletion."""
    interval, stored = tables.interval_of(table), tables.read(context, table)
    instants = context.spark.range(1, 7).selectExpr("id as at", f"cast(make_date(2026, 6, int(id)) as {interval.type}) as instant")
    found = tables.valid_on(stored.crossJoin(instants), table, F.col("instant")).collect()
    expected = {(at, *told) for at in range(1, 7) for told in naive_answer(truth, at).items() if told[1] is not None}
    assert sorted(expected) == sorted((row["at"], row["id"], row["amount"]) for row in found)
    current = {(row["id"], row["amount"]) for row in tables.current(stored, table).collect()}
    assert current == {(key, amount) for at, key, amount in expected if at == 6}


def _check_any_order(context_for: Contexts, table: Table, histories: list[list[Said]]) -> None:
    known, truth = table.interval == KNOWN, {}
    for batch in range(BATCHES):
        said = {key: starts for key, starts in _batch(histories, batch).items() if starts}
        before = {key: dict(starts) for key, starts in truth.items()}
        for key, starts in said.items():
            truth.setdefault(key, {}).update(starts)
        written = _load(context_for(table.name, scope=str(batch)), table, said, known=known)
        assert written.rows_in == sum(map(len, said.values())) == written.inserted + written.updated + written.unchanged
        if not known and said:
            moved = [at for at in range(1, 7) if naive_answer(before, at) != naive_answer(truth, at)]
            assert written.first_date == (f"2026-06-{min(moved):02}" if moved else written.first_date)
            assert written.changed == bool(moved)
    assert _images(context_for(), table) == naive_images(truth)
    expect_the_answers(context_for(), table, truth)


# An example costs three merges: few, also at length.
EXAMPLES = examples(1, 40, phases=[Phase.generate])
# Numbers of tables: each example writes to a fresh one.
_fresh = iter(range(10**6))


@pytest.mark.parametrize("known", [True, False], ids=["known", "valid"])
def test_any_order_of_arrival_gives_the_sorted_history(context_for: Contexts, known: bool) -> None:
    @EXAMPLES
    @given(HISTORIES)
    def check(histories: list[list[Said]]) -> None:
        _check_any_order(context_for, _table(f"example_{next(_fresh)}", known=known), histories)

    check()


def test_the_twin_on_a_history_worked_out_by_hand() -> None:
    # 10 from 1, said again at 2, 12 from 3, 10 again from 5
    assert naive_images({7: {5: 10, 1: 10, 3: 12, 2: 10}}) == [
        Image(7, 1, 3, 10, (2,)), Image(7, 3, 5, 12, ()), Image(7, 5, None, 10, ()),
    ]  # fmt: skip
    # 10 from 1, deleted at 3 and said so again at 4, there again from 6; of 8 nothing is told but that it is not
    assert naive_images({7: {4: None, 1: 10, 6: 10, 3: None}, 8: {2: None}}) == [
        Image(7, 1, 3, 10, ()), Image(7, 3, 3, None, (4,)), Image(7, 6, None, 10, ()), Image(8, 2, 2, None, ()),
    ]  # fmt: skip
