"""Windows in numpy: what sorted day tiles give for many as-of dates at once.

A question is a segment (whose rows) and an as-of date. It is answered by position, never by going through the rows that
a window sees: sums are differences of prefix sums, extrema two overlapping blocks of doubled length (a sparse table),
dates and spells the neighbours in a list of the days concerned. So a window of a year costs what a week's does, and a
pass costs rows + questions. Everything is an integer; NOTHING stands for null.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.spec import LONGEST_WINDOW, Merge, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.spec import Wanted

Integers: TypeAlias = NDArray[np.int64]

NOTHING = np.iinfo(np.int64).min
# Values beyond this could overflow in a sum over the longest window.
LARGEST = np.iinfo(np.int64).max // (LONGEST_WINDOW + 1)
_DAY_BITS = 20


@dataclass(frozen=True)
class Rows:
    """Rows of one source, sorted by segment, then day; at most one per segment and day. Days count from 1970-01-01."""

    segment: Integers
    day: Integers
    columns: Mapping[str, Integers]


_MERGES = {Merge.SUM: np.add, Merge.MAX: np.maximum, Merge.BITS: np.bitwise_or}


def one_per_day(rows: Rows, merges: Mapping[str, Merge]) -> Rows:
    """The rows, where several of a segment and day (those of merged customers) have become one. Raises OverflowError."""
    is_first = np.append(True, (np.diff(rows.segment) != 0) | (np.diff(rows.day) != 0))[: len(rows.day)]
    if is_first.all():
        return rows
    first = np.flatnonzero(is_first)
    columns = {
        name: _MERGES[merges[name]].reduceat(_bounded(values, name) if merges[name] is Merge.SUM else values, first)
        for name, values in rows.columns.items()
    }
    return Rows(rows.segment[first], rows.day[first], columns)


@dataclass(frozen=True)
class Questions:
    """One per segment and as-of date that is asked for."""

    segment: Integers
    as_of: Integers


@dataclass(frozen=True)
class Sweep:
    """Rows and questions, with what answers have in common."""

    rows: Rows
    asked: Questions
    _made: dict[Any, Any] = field(default_factory=dict)

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def after(self, day: Integers) -> Integers:
        """Per question the position of its segment's first row later than the day."""
        keys = self.once("keys", lambda: (self.rows.segment << _DAY_BITS) + self.rows.day)
        return np.searchsorted(keys, (self.asked.segment << _DAY_BITS) + day, side="right")

    def until(self, days_before: int = 0) -> Integers:
        """Per question the position after the last row that is seen `days_before` the as-of date."""
        found: Integers = self.once(days_before, lambda: self.after(self.asked.as_of - days_before))
        return found

    @property
    def start(self) -> Integers:
        """Per question the position of its segment's first row."""
        found: Integers = self.once("start", lambda: np.searchsorted(self.rows.segment, self.asked.segment, side="left"))
        return found

    def prefix(self, column: str) -> Integers:
        """Sums of all rows before a position."""
        found: Integers = self.once(("prefix", column), lambda: _prefix(_bounded(self.rows.columns[column], column)))
        return found

    def days_of(self, column: str) -> Sweep:
        """The rows on which the column is positive, asked the same."""
        found: Sweep = self.once(("days", column), lambda: self._days_of(column))
        return found

    def _days_of(self, column: str) -> Sweep:
        positive = self.rows.columns[column] > 0
        return Sweep(Rows(self.rows.segment[positive], self.rows.day[positive], {}), self.asked)

    def levels(self, column: str) -> Integers:
        """The level that holds from each row on, of a column of changes; one 0 more at the end, for who has no row."""
        found: Integers = self.once(("levels", column), lambda: self._levels(column))
        return found

    def _levels(self, column: str) -> Integers:
        running = self.prefix(column)
        first = np.searchsorted(self.rows.segment, self.rows.segment, side="left")
        return np.append(_bounded(running[1:] - running[first], column), 0)

    def area(self, levels: Integers, days_before: int) -> Integers:
        """Per question levels × days they held, from the segment's first row to `days_before` the as-of date, itself included."""
        day = np.append(self.rows.day, 0)
        held = np.append(np.where(np.diff(self.rows.segment) == 0, np.diff(self.rows.day), 0), 0)
        whole = _prefix(levels[:-1] * held[: len(levels) - 1])
        last = self.until(days_before) - 1
        begun = levels[last] * (self.asked.as_of - days_before - day[last] + 1)
        return np.where(last >= self.start, whole[last] - whole[self.start] + begun, 0)


def _prefix(values: Integers) -> Integers:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])


def _bounded(values: Integers, column: str) -> Integers:
    """The values. Raises OverflowError for one whose sum over the longest window might not be a 64-bit integer."""
    if len(values) and (values.max() > LARGEST or values.min() < -LARGEST):
        worst = max(int(values.max()), int(values.min()), key=abs)
        raise OverflowError(f"Column [{column}] of a day tile reaches [{worst}]; its sum over {LONGEST_WINDOW} days may not fit 64 bits")
    return values


def best(values: Integers, first: Integers, after: Integers, combine: Callable[..., Integers], nothing: int) -> Integers:
    """`combine` over values[first:after] per question; `nothing` where that is empty. combine(x, x) has to be x."""
    found = np.full(len(first), nothing, dtype=np.int64)
    length, block, size = after - first, values, 1
    while (length >= size).any():
        here = (length >= size) & (length < 2 * size)
        found[here] = combine(block[first[here]], block[after[here] - size])
        block, size = combine(block[:-size], block[size:]), 2 * size
    return found


# --- operations: sweep, column, argument, window → one integer per question ----------------------------------------


def _sum(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    total = sweep.prefix(column)
    return total[sweep.until()] - total[sweep.until(window)]


def _max(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    return best(sweep.rows.columns[column], sweep.until(window), sweep.until(), np.maximum, NOTHING)


def _kinds(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    bits = best(sweep.rows.columns[column], sweep.until(window), sweep.until(), np.bitwise_or, 0)
    return np.bitwise_count(bits).astype(np.int64)


def _days(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    days = sweep.days_of(column)
    return days.until() - days.until(window)


def _days_since(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    days = sweep.days_of(column)
    last = np.append(days.rows.day, 0)[days.until() - 1]
    return np.where(days.until() > days.until(window), days.asked.as_of - last, NOTHING)


def _days_since_first(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    days = sweep.days_of(column)
    first = np.append(days.rows.day, 0)[days.until(window)]
    return np.where(days.until() > days.until(window), days.asked.as_of - first, NOTHING)


def _distinct(spell: Integers, first: Integers, after: Integers) -> Integers:
    """How many spells there are in positions [first, after), of days numbered by the spell they lie in."""
    if not len(spell):
        return np.zeros(len(first), dtype=np.int64)
    changes = _prefix((np.diff(spell) != 0).astype(np.int64))
    return np.where(after > first, changes[after - 1] - changes[np.minimum(first, len(spell) - 1)] + 1, 0)


def _spells(sweep: Sweep, column: str, length: int, window: int) -> Integers:
    days = sweep.days_of(column)
    first, after = days.until(window), days.until()
    found = np.zeros(len(first), dtype=np.int64)
    # Spells are counted back from the as-of date: dates that lie whole spells apart share their borders.
    border = days.asked.as_of % length
    for offset in np.unique(border):
        here = border == offset
        found[here] = _distinct((offset - days.rows.day) // length, first[here], after[here])
    return found


def _months(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    days = sweep.days_of(column)
    months_back = -(-window // 30) - 1
    first_month = sweep.asked.as_of.astype("datetime64[D]").astype("datetime64[M]") - months_back
    eve = first_month.astype("datetime64[D]").astype(np.int64) - 1
    first = days.after(np.maximum(eve, sweep.asked.as_of - LONGEST_WINDOW))
    return _distinct(days.rows.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64), first, days.until())


def _level(sweep: Sweep, column: str, _: int, days_before: int) -> Integers:
    last = sweep.until(days_before) - 1
    return np.where(last >= sweep.start, sweep.levels(column)[last], 0)


def _area(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    levels = sweep.levels(column)
    return sweep.area(levels, 0) - sweep.area(levels, window)


def _days_below(sweep: Sweep, column: str, limit: int, window: int) -> Integers:
    below = (sweep.levels(column) < limit).astype(np.int64)
    return sweep.area(below, 0) - sweep.area(below, window)


def _highest(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    # The level that the window begins with was reached before it, unless nothing was.
    first = np.maximum(sweep.until(window - 1) - 1, sweep.start)
    return best(sweep.levels(column)[:-1], first, sweep.until(), np.maximum, NOTHING)


def _largest_fall(sweep: Sweep, column: str, _: int, window: int) -> Integers:
    is_first = np.append(True, np.diff(sweep.rows.segment) != 0)[: len(sweep.rows.segment)]
    fallen = np.where(is_first, 0, np.maximum(-sweep.rows.columns[column], 0))
    return best(fallen, sweep.until(window), sweep.until(), np.maximum, NOTHING)


_OPERATIONS: dict[Operation | None, Callable[[Sweep, str, int, int], Integers]] = {
    Operation.SUM: _sum, Operation.MAX: _max, Operation.KINDS: _kinds, Operation.DAYS: _days, Operation.DAYS_SINCE: _days_since,
    Operation.DAYS_SINCE_FIRST: _days_since_first, Operation.SPELLS: _spells, Operation.MONTHS: _months, Operation.LEVEL: _level,
    Operation.LEVEL_BEFORE: _level, Operation.AREA: _area, Operation.DAYS_BELOW: _days_below, Operation.HIGHEST: _highest,
    Operation.LARGEST_FALL: _largest_fall,
}  # fmt: skip


def answer(sweep: Sweep, wanted: Wanted) -> Integers:
    """One integer per question; NOTHING where there is nothing to tell. Raises KeyError for a measure that is SQL only."""
    measure = wanted.measure
    return _OPERATIONS[measure.operation](sweep, measure.column, measure.argument, wanted.window or 0)
