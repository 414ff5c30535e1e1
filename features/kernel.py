"""Windows in numpy: what sorted day tiles give for many as-of dates at once.

A question is a segment (whose rows) and an as-of date. It is answered by position, never by going through the rows that
a window sees: sums are differences of prefix sums, extrema two overlapping blocks of doubled length (a sparse table),
dates and spells the neighbours in a list of the days concerned. So a window of a year costs what a week's does, and a
pass costs rows + questions. Everything is an integer; NOTHING stands for null.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from features.arithmetic import Integers, bounded, lower_median, millionths_of_log, month_end, month_of, multiples_of, prefix_sums
from features.operations import HORIZON, Merge, Operation, Span, calendar_months

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.operations import Window
    from features.spec import Measure, Wanted

Made = TypeVar("Made")

NOTHING = np.iinfo(np.int64).min
DAY_BITS = 20


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
        name: _MERGES[merges[name]].reduceat(bounded(values, name) if merges[name] is Merge.SUM else values, first)
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

    def once(self, name: Any, make: Callable[[], Made]) -> Made:
        if name not in self._made:
            self._made[name] = make()
        found: Made = self._made[name]
        return found

    def after(self, day: Integers) -> Integers:
        """Per question the position of its segment's first row later than the day."""
        keys = self.once("keys", lambda: (self.rows.segment << DAY_BITS) + self.rows.day)
        return np.searchsorted(keys, (self.asked.segment << DAY_BITS) + day, side="right")

    def until(self, before: Window = 0) -> Integers:
        """Per question the position after the last row that is seen so many days before the as-of date, or before the span begins."""
        if before is Span.LTD:
            return self.start
        if before is Span.MTD:
            return self.once(before, lambda: self.after(month_end(self.asked.as_of, 1)))
        return self.once(before, lambda: self.after(self.asked.as_of - before))

    @property
    def start(self) -> Integers:
        """Per question the position of its segment's first row."""
        return self.once("start", lambda: np.searchsorted(self.rows.segment, self.asked.segment, side="left"))

    def prefix(self, column: str) -> Integers:
        """Sums of all rows before a position."""
        return self.once(("prefix", column), lambda: prefix_sums(bounded(self.rows.columns[column], column)))

    def days_of(self, column: str) -> Sweep:
        """The rows on which the column is positive, asked the same."""
        return self.once(("days", column), lambda: self._days_of(column))

    def _days_of(self, column: str) -> Sweep:
        positive = self.rows.columns[column] > 0
        return Sweep(Rows(self.rows.segment[positive], self.rows.day[positive], {}), self.asked)

    def levels(self, column: str) -> Integers:
        """The level that holds from each row on, of a column of changes; one 0 more at the end, for who has no row."""
        return self.once(("levels", column), lambda: self._levels(column))

    def _levels(self, column: str) -> Integers:
        running = self.prefix(column)
        first = np.searchsorted(self.rows.segment, self.rows.segment, side="left")
        return np.append(bounded(running[1:] - running[first], column), 0)

    def begun(self, column: str) -> Integers:
        """Per question the position of the row from which on there is a level: the one that holds HORIZON days before
        the as-of date or, where that level is 0, the first one after that changes it. Beyond the rows that are seen where none does.

        Where rows begin does not tell: of who was emptied long ago an as-of date alone may see no row, a long range the last. Nor does
        a row that tells of another column only.
        """
        return self.once(("begun", column), lambda: self._begun(column))

    def _begun(self, column: str) -> Integers:
        after = self.until(HORIZON)
        changes = np.flatnonzero(self.rows.columns[column])
        first = np.append(changes, len(self.rows.day))[np.searchsorted(changes, after)]
        return np.where(_level_on(self, column, after) != 0, after - 1, first)

    def area(self, column: str, levels: Integers, days_before: int, *, moment: bool = False) -> Integers:
        """Per question levels × days they held, from where the column has `begun` to `days_before` the as-of date, itself included.

        levels: of the column, or what is made of them. moment: levels × the numbers of these days.
        """
        start = self.begun(column)
        weight = _days_before if moment else np.positive
        day = self.rows.day
        until = np.append(np.where(np.diff(self.rows.segment) == 0, day[1:], day[:-1]), day[-1:])
        whole = prefix_sums(levels[:-1] * (weight(until) - weight(day)))
        last = self.until(days_before) - 1
        begun = levels[last] * (weight(self.asked.as_of - days_before + 1) - weight(np.append(day, 0)[last]))
        return np.where(last >= start, whole[last] - whole[start] + begun, 0)


def best(values: Integers, first: Integers, after: Integers, combine: Callable[..., Integers], nothing: int) -> Integers:
    """`combine` over values[first:after] per question; `nothing` where that is empty. combine(x, x) has to be x."""
    found = np.full(len(first), nothing, dtype=np.int64)
    length, block, size = after - first, values, 1
    while (length >= size).any():
        here = (length >= size) & (length < 2 * size)
        found[here] = combine(block[first[here]], block[after[here] - size])
        block, size = combine(block[:-size], block[size:]), 2 * size
    return found


# --- operations: sweep, measure, window → one integer per question ---------------------------------------------------


def _days_before(day: Integers) -> Integers:
    """Sum of the numbers of all days before one."""
    return day * (day - 1) // 2


def _total(sweep: Sweep, name: Any, make: Callable[[], Integers], window: Window) -> Integers:
    """Sum over the window of what `make` makes of the rows."""
    total = sweep.once(("total", name), lambda: prefix_sums(make()))
    return total[sweep.until()] - total[sweep.until(window)]


def _sum(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    values = sweep.rows.columns[measure.column]
    if measure.argument:
        return _total(sweep, (measure.column, measure.argument), lambda: multiples_of(values, measure.argument), window)
    total = sweep.prefix(measure.column)
    return total[sweep.until()] - total[sweep.until(window)]


def _squares(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    return _total(sweep, measure, lambda: multiples_of(sweep.rows.columns[measure.column], measure.argument) ** 2, window)


def _decayed(sweep: Sweep, measure: Measure, window: int) -> Integers:
    total, days = sweep.prefix(measure.column), measure.argument
    steps = window // days
    found = np.zeros(len(sweep.asked.as_of), dtype=np.int64)
    for step in range(steps):
        found += (total[sweep.until(step * days)] - total[sweep.until((step + 1) * days)]) << (steps - 1 - step)
    return found


def _sum_after(sweep: Sweep, measure: Measure, window: int) -> Integers:
    total, days = sweep.prefix(measure.column), sweep.days_of(measure.beside)
    last = np.append(days.rows.day, 0)[days.until() - 1]
    eve = np.where(days.until() > days.until(window), last, sweep.asked.as_of - window)
    return total[sweep.until()] - total[sweep.after(eve)]


def _matched(sweep: Sweep, measure: Measure, window: int) -> Integers:
    came, went = (sweep.rows.columns[name] for name in (measure.column, measure.beside))
    follows = (np.diff(sweep.rows.segment) == 0) & (np.diff(sweep.rows.day) == 1)
    until_tomorrow = went + np.append(np.where(follows, went[1:], 0), 0)[: len(went)]
    matched = _total(sweep, measure, lambda: np.minimum(came, until_tomorrow), window)
    # Tomorrow is not seen yet from the as-of date.
    last = sweep.until() - 1
    is_today = np.append(sweep.rows.day, 0)[last] == sweep.asked.as_of
    is_today &= sweep.until() > sweep.until(window)
    unseen = np.append(np.minimum(came, until_tomorrow) - np.minimum(came, went), 0)
    return matched - np.where(is_today, unseen[last], 0)


def _max(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    return best(sweep.rows.columns[measure.column], sweep.until(window), sweep.until(), np.maximum, NOTHING)


def _kinds(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    return _count(_bits(sweep, measure, window, 0))


def _new_kinds(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return _count(_bits(sweep, measure, measure.argument, 0) & ~_bits(sweep, measure, window, measure.argument))


def _bits(sweep: Sweep, measure: Measure, first: Window, after: int) -> Integers:
    return best(sweep.rows.columns[measure.column], sweep.until(first), sweep.until(after), np.bitwise_or, 0)


def _count(bits: Integers) -> Integers:
    return np.bitwise_count(bits).astype(np.int64)


def _members(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    return _total(sweep, measure, lambda: _count(sweep.rows.columns[measure.column]), window)


def _days(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    days = sweep.days_of(measure.column)
    return days.until() - days.until(window)


def _days_since(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    days = sweep.days_of(measure.column)
    last = np.append(days.rows.day, 0)[days.until() - 1]
    return np.where(days.until() > days.until(window), days.asked.as_of - last, NOTHING)


def _days_since_first(sweep: Sweep, measure: Measure, window: Window) -> Integers:
    days = sweep.days_of(measure.column)
    first = np.append(days.rows.day, 0)[days.until(window)]
    return np.where(days.until() > days.until(window), days.asked.as_of - first, NOTHING)


def _gap_squares(sweep: Sweep, measure: Measure, window: int) -> Integers:
    days = sweep.days_of(measure.column)
    if not len(days.rows.day):
        return np.zeros(len(days.asked.as_of), dtype=np.int64)
    total, first, after = prefix_sums(np.diff(days.rows.day) ** 2), days.until(window), days.until()
    return np.where(after > first, total[after - 1] - total[np.minimum(first, len(total) - 1)], 0)


def _distinct(spell: Integers, first: Integers, after: Integers) -> Integers:
    """How many spells there are in positions [first, after), of days numbered by the spell they lie in."""
    if not len(spell):
        return np.zeros(len(first), dtype=np.int64)
    changes = prefix_sums((np.diff(spell) != 0).astype(np.int64))
    return np.where(after > first, changes[after - 1] - changes[np.minimum(first, len(spell) - 1)] + 1, 0)


def _spells(sweep: Sweep, measure: Measure, window: int) -> Integers:
    days, length = sweep.days_of(measure.column), measure.argument
    first, after = days.until(window), days.until()
    found = np.zeros(len(first), dtype=np.int64)
    # Spells are counted back from the as-of date: dates that lie whole spells apart share their borders.
    border = days.asked.as_of % length
    for offset in np.unique(border):
        here = border == offset
        found[here] = _distinct((offset - days.rows.day) // length, first[here], after[here])
    return found


def _months(sweep: Sweep, measure: Measure, window: int) -> Integers:
    days = sweep.days_of(measure.column)
    first = days.after(month_end(sweep.asked.as_of, calendar_months(window)))
    return _distinct(month_of(days.rows.day), first, days.until())


def _flows(sweep: Sweep, measure: Measure, window: int) -> Integers:
    """Week × question: value less `beside`, of the whole weeks counted back from the as-of date."""
    total = sweep.prefix(measure.column) - sweep.prefix(measure.beside)
    borders = np.stack([total[sweep.until(days)] for days in range(0, window + 1, 7)])
    return borders[:-1] - borders[1:]


def _flow_median(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return lower_median(_flows(sweep, measure, window))


def _flow_spread(sweep: Sweep, measure: Measure, window: int) -> Integers:
    flows = _flows(sweep, measure, window)
    return lower_median(np.abs(flows - lower_median(flows)))


def _level_on(sweep: Sweep, column: str, after: Integers) -> Integers:
    """Per question the level that holds before the position; 0 before the first row."""
    return np.where(after > sweep.start, sweep.levels(column)[after - 1], 0)


def _level(sweep: Sweep, measure: Measure, days_before: int) -> Integers:
    return _level_on(sweep, measure.column, sweep.until(days_before))


def _at_month_end(sweep: Sweep, measure: Measure, _: int) -> Integers:
    return _level_on(sweep, measure.column, _until_month_end(sweep, 1))


def _month_ends_below(sweep: Sweep, measure: Measure, window: int) -> Integers:
    levels, found = sweep.levels(measure.column), np.zeros(len(sweep.asked.as_of), dtype=np.int64)
    for months_before in range(1, window // 30 + 1):
        after = sweep.once(("month end", months_before), partial(_until_month_end, sweep, months_before))
        found += (after > sweep.begun(measure.column)) & (levels[after - 1] < measure.argument)
    return found


def _until_month_end(sweep: Sweep, months_before: int) -> Integers:
    return sweep.after(month_end(sweep.asked.as_of, months_before))


def _area_of(sweep: Sweep, measure: Measure, levels: Integers, window: int) -> Integers:
    return sweep.area(measure.column, levels, 0) - sweep.area(measure.column, levels, window)


def _area(sweep: Sweep, measure: Measure, window: int) -> Integers:
    levels = sweep.levels(measure.column)
    return _area_of(sweep, measure, multiples_of(levels, measure.argument) if measure.argument else levels, window)


def _area_squares(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return _area_of(sweep, measure, multiples_of(sweep.levels(measure.column), measure.argument) ** 2, window)


def _logs(sweep: Sweep, measure: Measure) -> Integers:
    return millionths_of_log(multiples_of(sweep.levels(measure.column), measure.argument))


def _area_log(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return _area_of(sweep, measure, _logs(sweep, measure), window)


def _moment_log(sweep: Sweep, measure: Measure, window: int) -> Integers:
    logs = _logs(sweep, measure)
    days = sweep.area(measure.column, logs, 0, moment=True) - sweep.area(measure.column, logs, window, moment=True)
    return sweep.asked.as_of * _area_of(sweep, measure, logs, window) - days


def _days_below(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return _area_of(sweep, measure, (sweep.levels(measure.column) < measure.argument).astype(np.int64), window)


def _highest(sweep: Sweep, measure: Measure, window: int) -> Integers:
    # The level that the window begins with was reached before it, unless nothing was.
    first = np.maximum(sweep.until(window - 1) - 1, sweep.begun(measure.column))
    return best(sweep.levels(measure.column)[:-1], first, sweep.until(), np.maximum, NOTHING)


def _largest_fall(sweep: Sweep, measure: Measure, window: int) -> Integers:
    return best(np.maximum(-sweep.rows.columns[measure.column], 0), sweep.until(window), sweep.until(), np.maximum, NOTHING)


_OPERATIONS: dict[Operation | None, Callable[[Sweep, Measure, Any], Integers]] = {
    Operation.SUM: _sum, Operation.SQUARES: _squares, Operation.DECAYED: _decayed, Operation.SUM_AFTER: _sum_after, Operation.MATCHED: _matched,
    Operation.MAX: _max, Operation.KINDS: _kinds, Operation.NEW_KINDS: _new_kinds, Operation.MEMBERS: _members, Operation.DAYS: _days,
    Operation.DAYS_SINCE: _days_since, Operation.DAYS_SINCE_FIRST: _days_since_first, Operation.GAP_SQUARES: _gap_squares, Operation.SPELLS: _spells,
    Operation.MONTHS: _months,
    Operation.FLOW_MEDIAN: _flow_median, Operation.FLOW_SPREAD: _flow_spread, Operation.LEVEL: _level, Operation.LEVEL_BEFORE: _level,
    Operation.MONTH_END: _at_month_end, Operation.MONTH_ENDS_BELOW: _month_ends_below, Operation.AREA: _area, Operation.AREA_SQUARES: _area_squares, Operation.AREA_LOG: _area_log,
    Operation.MOMENT_LOG: _moment_log, Operation.DAYS_BELOW: _days_below, Operation.HIGHEST: _highest, Operation.LARGEST_FALL: _largest_fall,
}  # fmt: skip


def answer(sweep: Sweep, wanted: Wanted) -> Integers:
    """One integer per question; NOTHING where there is nothing to tell. Raises KeyError for a measure that is SQL only."""
    return _OPERATIONS[wanted.measure.operation](sweep, wanted.measure, wanted.window or 0)
