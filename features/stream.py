"""A stream of day tiles, sorted by customer → measures of many as-of dates, as Arrow batches.

All sources come in one stream and one shape, so that a night takes one shuffle, one sort and one pass. A customer is
never torn apart: what follows the last whole customer of a batch waits for the next. Memory is bounded by CELLS, however
many dates are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.arithmetic import Integers
from features.kernel import DAY_BITS, NOTHING, Questions, Rows, Sweep, answer, one_per_day
from features.spec import Empty

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from features.spec import Source, Wanted

# What a row of the stream holds: whose it is and for which as-of days [owned_from, owned_to), and the tile's columns.
ROW_DDL = "customer_key bigint, owned_from int, owned_to int, source int, day int, tile array<bigint>"
FIRST_DAY, LAST_DAY = -(2**31), 2**31 - 1
CELLS = 2_000_000
ROWS = 50_000
# Most measures look back so far and no further.
NEAR_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a source is asked for; `columns` are the names within a row's `tile`, of which old rows may hold the first `far` only."""

    source: Source
    columns: tuple[str, ...]
    far: int
    wanted: tuple[Wanted, ...]

    @property
    def reach(self) -> int | None:
        """How many days back from an as-of date rows are looked at, itself included; None: as far as there are rows."""
        reaches = [item.reach for item in self.wanted]
        return None if None in reaches else max(filter(None, reaches), default=0)


def asked_of(source: Source, wanted: Sequence[Wanted]) -> Asked:
    """What a source is asked for, of the columns that its measures need; those that are asked for beyond NEAR_DAYS come first."""
    mine = tuple(item for item in wanted if item.source is source)
    needed = {column.name: False for column in source.columns if any(column in item.tile_columns for item in mine)}
    for item in mine:
        needed |= {column.name: True for column in item.tile_columns if item.reach is None or item.reach > NEAR_DAYS}
    return Asked(source=source, columns=tuple(sorted(needed, key=lambda name: not needed[name])), far=sum(needed.values()), wanted=mine)


@dataclass(frozen=True)
class Everybody:
    """Every customer is asked for, as of each of these days since 1970-01-01, ascending."""

    days: Integers

    @property
    def per_customer(self) -> int:
        return len(self.days)

    def questions(self, _: Integers, since: Integers, until: Integers) -> Questions:
        """Segments × days, for those days that are the segment's own: [since, until)."""
        segment, position = np.nonzero((self.days >= since[:, None]) & (self.days < until[:, None]))
        return Questions(segment, self.days[position])


@dataclass(frozen=True)
class Each:
    """Customers are asked for as of days of their own; sorted by customer, no pair twice."""

    customer: Integers
    day: Integers

    @property
    def spans(self) -> pa.Table:
        """Grain: customer_key that is asked for; the first and the last of its as-of dates."""
        pairs = pa.table({"customer_key": self.customer, "as_of": pa.array(self.day.astype(np.int32)).cast(pa.date32())})
        found = pairs.group_by("customer_key").aggregate([("as_of", "min"), ("as_of", "max")])
        return found.select(["customer_key", "as_of_min", "as_of_max"]).rename_columns(["customer_key", "first_as_of", "last_as_of"])

    @property
    def per_customer(self) -> int:
        """On average, rounded up."""
        return 1 + len(self.day) // (1 + int(np.count_nonzero(np.diff(self.customer))))

    def questions(self, customer: Integers, since: Integers, until: Integers) -> Questions:
        """As those of `Everybody`, for the pairs of the segments' customers."""
        first, after = (np.searchsorted(self.customer, customer, side=side) for side in ("left", "right"))
        segment = np.repeat(np.arange(len(customer)), after - first)
        day = self.day[np.arange(len(segment)) + np.repeat(first - _before(after - first), after - first)]
        mine = (day >= since[segment]) & (day < until[segment])
        return Questions(segment[mine], day[mine])


def _before(counts: Integers) -> Integers:
    """Per segment how many there are in all segments before it."""
    found: Integers = np.cumsum(counts) - counts
    return found


def measured(batches: Iterable[pa.RecordBatch], asked: Sequence[Asked], as_of: Everybody | Each) -> Iterator[pa.RecordBatch]:
    """Grain: customer_key × as_of_date that sees a row; one column per wanted measure.

    batches: rows of ROW_DDL, sorted by customer; `source` is a position in `asked`. Several of a day are merged.
    """
    width = as_of.per_customer * (2 + sum(len(one.wanted) for one in asked))
    for rows in whole_customers(batches):
        for part in parts(rows, customers=max(1, CELLS // width)):
            yield _measured(part, asked, as_of)


def whole_customers(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of at least ROWS rows (the last may be smaller) that end where a customer ends."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) < ROWS:
            continue
        rows = pa.concat_batches(waiting)
        keys = rows.column("customer_key").to_numpy()
        whole = int(np.searchsorted(keys, keys[-1], side="left"))
        waiting = [rows.slice(whole)]
        if whole:
            yield rows.slice(0, whole)
    if waiting and sum(one.num_rows for one in waiting):
        yield pa.concat_batches(waiting)


def parts(rows: pa.RecordBatch, *, customers: int) -> Iterator[pa.RecordBatch]:
    keys = rows.column("customer_key").to_numpy()
    borders = np.append(np.flatnonzero(np.append(True, np.diff(keys) != 0))[::customers], len(keys))
    for first, after in pairwise(borders):
        yield rows.slice(int(first), int(after - first))


def _measured(rows: pa.RecordBatch, asked: Sequence[Asked], as_of: Everybody | Each) -> pa.RecordBatch:
    key, since, until, source, day = (rows.column(name).to_numpy().astype(np.int64) for name in rows.schema.names[:5])
    begins, begin = np.unique(since, return_inverse=True)
    order = in_order(_numbers(key) * len(begins) + begin, source, day)
    key, since, until, source, day = (values[order] for values in (key, since, until, source, day))
    starts = np.flatnonzero(np.append(True, (np.diff(key) != 0) | (np.diff(since) != 0)))
    segment = np.cumsum(np.append(False, (np.diff(key) != 0) | (np.diff(since) != 0)))
    questions = _seeing(as_of.questions(key[starts], since[starts], until[starts]), np.minimum.reduceat(day, starts))
    columns: dict[str, pa.Array] = {
        "customer_key": pa.array(key[starts][questions.segment]),
        "as_of_date": pa.array(questions.as_of.astype(np.int32)).cast(pa.date32()),
    }
    for position, one in enumerate(asked):
        mine = np.flatnonzero(source == position)
        tiles = Rows(segment[mine], day[mine], tile_columns(rows.column("tile"), order[mine], one.columns))
        sweep = Sweep(one_per_day(tiles, {column.name: column.merge for column in one.source.columns}), questions)
        columns |= {item.column: measure_array(answer(sweep, item), item) for item in one.wanted}
    return pa.RecordBatch.from_pydict(columns)


def in_order(segment: Integers, source: Integers, day: Integers) -> Integers:
    """Positions by segment, then source, then day.

    The engines sort by customer alone, which is one integer and so costs them a fraction; what is left is nearly in order.
    """
    return np.argsort((segment * (1 + source.max(initial=0)) + source << DAY_BITS) + day, kind="stable")


def _numbers(key: Integers) -> Integers:
    """0, 1, 2 … for customers that come one after the other."""
    return np.cumsum(np.append(False, np.diff(key) != 0))


def _seeing(questions: Questions, first_day: Integers) -> Questions:
    """Those questions that see a row of their segment."""
    sees = questions.as_of >= first_day[questions.segment]
    return Questions(questions.segment[sees], questions.as_of[sees])


def tile_columns(tiles: pa.ListArray, mine: Integers, names: Sequence[str]) -> dict[str, Integers]:
    offsets, values = tiles.offsets.to_numpy(), tiles.values.to_numpy()
    first, length = offsets[:-1][mine], np.diff(offsets)[mine]
    shortest = int(length.min(initial=len(names)))
    found = {name: values[first + position] for position, name in enumerate(names[:shortest])}
    for position, name in enumerate(names[shortest:], start=shortest):
        is_held = length > position
        # Nothing asks for what is not held.
        found[name] = np.zeros(len(first), dtype=np.int64)
        found[name][is_held] = values[(first + position)[is_held]]
    return found


def measure_array(values: Integers, wanted: Wanted) -> pa.Array:
    return pa.array(values, mask=values == NOTHING) if wanted.measure.empty is Empty.UNKNOWN else pa.array(values)
