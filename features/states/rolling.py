"""Window states in numpy: what windows are made of as of a day, and how those of a later day come of them.

A state is rolled from one as-of day to a later one by the rows of the days that pass a border in between: those which
enter, and those which leave a window. So a night costs what its own and the leaving days hold, whatever the length of
windows and of history. Without a state all rows pass: the same code makes the first one.

    sums        of what rows tell, and of what levels are on every day, in pieces between borders
    spans       sums, and greatest values, since the span began
    days        on which something happened: a bit for each of the last KEPT_DAYS
    silent      days with a row that says nothing of a column: nearly none
    levels      of columns of changes, as they stood at borders and at the last MONTH_ENDS month-ends
    since       sums over the days after the last one on which another column was positive
    stairs      values that no later one reaches: the greatest of a window is the first that lies in it
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.arithmetic import bounded, millionths_of_log, month_end, multiples_of, prefix_sums
from features.kernel import NOTHING, Questions, Rows, Sweep, best
from features.operations import Span
from features.states.layout import KEPT_DAYS, MONTH_ENDS, ROWS, Amount, Layout, Of, Rise, Stair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.arithmetic import Integers

Bits: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """Ragged, sorted by customer, then day."""

    customer: Integers
    day: Integers
    value: Integers


@dataclass(frozen=True, kw_only=True)
class State:
    """Of customers 0, 1, …, as of one day; None: of nothing yet. Keys are the layout's.

    sums: pieces × customers, the youngest piece first. spans: those of GREATEST `coded`. days, silent: customers × KEPT_DAYS, by
    age. month_ends: MONTH_ENDS × customers, the youngest first.
    """

    as_of: int | None
    sums: Mapping[Amount, Integers]
    spans: Mapping[tuple[Amount, Span], Integers]
    days: Mapping[str, Bits]
    silent: Mapping[str, Bits]
    levels: Mapping[tuple[str, int], Integers]
    month_ends: Mapping[str, Integers]
    since: Mapping[tuple[str, str], Integers]
    stairs: Mapping[Stair, Steps]


def nothing(layout: Layout, customers: int) -> State:
    """The state of customers of whom no row has been seen."""
    none = np.zeros(0, dtype=np.int64)
    zero = np.zeros(customers, dtype=np.int64)
    return State(
        as_of=None,
        sums={amount: np.zeros((len(borders) - 1, customers), dtype=np.int64) for amount, borders in layout.amounts},
        spans=dict.fromkeys(layout.spans, zero),
        days={column: np.zeros((customers, KEPT_DAYS), dtype=bool) for column in layout.days},
        silent={column: np.zeros((customers, KEPT_DAYS), dtype=bool) for column in layout.silent},
        levels=dict.fromkeys(layout.levels, zero),
        month_ends={column: np.zeros((MONTH_ENDS, customers), dtype=np.int64) for column in layout.month_ends},
        since=dict.fromkeys(layout.since, zero), stairs={stair: Steps(none, none, none) for stair, _ in layout.stairs},
    )  # fmt: skip


def rolled(layout: Layout, before: State, rows: Rows, customers: int, as_of: int) -> State:
    """The state as of a later day. rows: at least those that pass a border, all where there is no state; `segment` is the customer.

    Raises OverflowError for a value whose sum over the longest window might be no 64-bit integer.
    """
    who = np.arange(customers, dtype=np.int64)
    move = _Move(layout, before, Sweep(rows, Questions(who, np.full(customers, as_of, dtype=np.int64))), as_of)
    return State(
        as_of=as_of,
        sums={amount: before.sums[amount] + move.gained(amount, borders) for amount, borders in layout.amounts},
        spans={key: move.span(*key) for key in layout.spans},
        days={column: move.days(before.days[column], move.happened(column)) for column in layout.days},
        silent={column: move.days(before.silent[column], rows.columns[column] == 0) for column in layout.silent},
        levels={(column, border): before.levels[column, border] + move.passed(column, border) for column, border in layout.levels},
        month_ends={column: move.month_ends(column) for column in layout.month_ends},
        since={key: move.since(*key) for key in layout.since},
        stairs={stair: move.stairs(stair, reach) for stair, reach in layout.stairs},
    )  # fmt: skip


@dataclass(frozen=True)
class _Move:
    """From `before` to `as_of`: what passes which border."""

    layout: Layout
    before: State
    sweep: Sweep
    as_of: int

    @property
    def customers(self) -> int:
        return len(self.sweep.asked.segment)

    def until(self, day: int) -> Integers:
        """Per customer the position after the last row up to a day."""
        return self.sweep.once(("day", day), lambda: self.sweep.after(np.full(self.customers, max(day, 0), dtype=np.int64)))

    def since_border(self, border: int) -> Integers:
        """Per customer the position of the first row that passes the border."""
        return self.sweep.start if self.before.as_of is None else self.until(self.before.as_of - border)

    def passed(self, column: str, border: int) -> Integers:
        total = self.sweep.prefix(column)
        return total[self.until(self.as_of - border)] - total[self.since_border(border)]

    # --- sums

    def gained(self, amount: Amount, borders: tuple[int, ...]) -> Integers:
        """Pieces × customers: what enters each piece less what leaves it."""
        if amount.of.is_of_levels:
            if self.before.as_of is None:
                return self._pieces_of_levels(amount, borders)
            passing = [self._passing_levels(amount, border) for border in borders]
        else:
            total = self.total(amount)
            passing = [total[self.until(self.as_of - border)] - total[self.since_border(border)] for border in borders]
            if amount.of is Of.MATCHED:
                passing[0] = self._today(amount) - self.before.sums[amount][0] + passing[1]
        return np.stack([entering - leaving for entering, leaving in pairwise(passing)])

    def total(self, amount: Amount) -> Integers:
        """Sums of all rows before a position."""
        return self.sweep.once(("sums", amount), lambda: prefix_sums(self._told(amount)))

    def span(self, amount: Amount, span: Span) -> Integers:
        """Per customer what the span held, unless it has begun anew, with what enters."""
        eve, since, held = _month_end(self.as_of, 1), self.before.as_of, self.before.spans[amount, span]
        goes_on = since is not None and (span is Span.LTD or since > eve)
        first, last = self.since_border(0) if goes_on or span is Span.LTD else self.until(eve), self.until(self.as_of)
        if amount.of is Of.GREATEST:
            entering = best(self.sweep.rows.columns[amount.column], first, last, np.maximum, NOTHING)
            return coded(np.maximum(coded(held), entering) if goes_on else entering)
        entering = self.total(amount)[last] - self.total(amount)[first]
        return held + entering if goes_on else entering

    def _told(self, amount: Amount) -> Integers:
        """Per row what it adds."""
        values = self.sweep.rows.columns[amount.column]
        return np.minimum(values, self._went(amount, 1)) if amount.of is Of.MATCHED else _OF_ROWS[amount.of](amount, values)

    def _went(self, amount: Amount, days: int) -> Integers:
        """Per row the column beside, of its day and of so many next ones (0 or 1)."""
        went, rows = self.sweep.rows.columns[amount.beside], self.sweep.rows
        follows = (np.diff(rows.segment) == 0) & (np.diff(rows.day) == 1)
        found: Integers = went + days * np.append(np.where(follows, went[1:], 0), 0)[: len(went)]
        return found

    def _today(self, amount: Amount) -> Integers:
        """Per customer what the as-of day adds while the next one is not seen."""
        last = self.until(self.as_of) - 1
        is_today = (last >= self.sweep.start) & (np.append(self.sweep.rows.day, 0)[last] == self.as_of)
        matched = np.minimum(self.sweep.rows.columns[amount.column], self._went(amount, 0))
        return np.where(is_today, np.append(matched, 0)[last], 0)

    # --- levels

    def _grid(self, column: str, first: int, count: int, held: Integers) -> Integers:
        """Customers × days first..first + count - 1: the level on each. held: that of the day before."""
        rows = self.sweep.rows
        here = (rows.day >= first) & (rows.day < first + count)
        grid = np.zeros((self.customers, count), dtype=np.int64)
        grid[rows.segment[here], rows.day[here] - first] = rows.columns[column][here]
        grid[:, 0] += held
        return bounded(np.cumsum(grid, axis=1).ravel(), column).reshape(grid.shape)

    def _passing_levels(self, amount: Amount, border: int) -> Integers:
        """Per customer the amount of the days that pass the border."""
        assert self.before.as_of is not None
        first, count = self.before.as_of - border + 1, self.as_of - self.before.as_of
        held = self.before.levels[amount.column, border]
        levels = self.sweep.once(("grid", amount.column, border), lambda: self._grid(amount.column, first, count, held))
        found: Integers = _of_levels(amount, levels, first).sum(axis=1)
        return found

    def _pieces_of_levels(self, amount: Amount, borders: tuple[int, ...]) -> Integers:
        reach = max(border for name, border in self.layout.levels if name == amount.column)
        first, column = self.as_of - reach + 1, amount.column
        held = self.passed(column, reach)
        days = _of_levels(amount, self.sweep.once(("grid", column), lambda: self._grid(column, first, reach, held)), first)
        return np.stack([days[:, reach - after : reach - border].sum(axis=1) for border, after in pairwise(borders)])

    def month_ends(self, column: str) -> Integers:
        return np.stack([self._level_at(column, months) for months in range(1, MONTH_ENDS + 1)])

    def _level_at(self, column: str, months_before: int) -> Integers:
        day, since = _month_end(self.as_of, months_before), self.before.as_of
        total = self.sweep.prefix(column)
        if since is None:
            return total[self.until(day)] - total[self.sweep.start]
        if day >= since:
            return self.before.levels[column, 0] + total[self.until(day)] - total[self.until(since)]
        kept = next(nth for nth in range(MONTH_ENDS) if _month_end(since, nth + 1) == day)
        found: Integers = self.before.month_ends[column][kept]
        return found

    # --- days, stairs

    def happened(self, column: str) -> Bits:
        """Per row whether something happened by it."""
        rows = self.sweep.rows
        return np.ones(len(rows.day), dtype=bool) if column == ROWS else rows.columns[column] > 0

    def days(self, before: Bits, is_told: Bits) -> Bits:
        """Per customer the days of the rows that tell it, with those of `before`."""
        rows, since = self.sweep.rows, self.before.as_of
        found = np.zeros((self.customers, KEPT_DAYS), dtype=bool)
        if since is not None:
            moved = min(self.as_of - since, KEPT_DAYS)
            found[:, moved:] = before[:, : KEPT_DAYS - moved]
        enters = is_told & (rows.day <= self.as_of) & (rows.day > max(self.as_of - KEPT_DAYS, -1 if since is None else since))
        found[rows.segment[enters], self.as_of - rows.day[enters]] = True
        return found

    def since(self, column: str, beside: str) -> Integers:
        total, days = self.sweep.prefix(column), self.sweep.days_of(beside)
        entered = self.since_border(0)
        last_of = days.after(self.sweep.asked.as_of)
        last = np.where(last_of > days.start, np.append(days.rows.day, 0)[last_of - 1], -1)
        begins_anew = last > (-1 if self.before.as_of is None else self.before.as_of)
        first = np.where(begins_anew, self.sweep.after(np.maximum(last, 0)), entered)
        return np.where(begins_anew, 0, self.before.since[column, beside]) + total[self.until(self.as_of)] - total[first]

    def stairs(self, stair: Stair, reach: int) -> Steps:
        old, new = self.before.stairs[stair], self._entering(stair)
        customer, day, value = (np.concatenate([getattr(old, name), getattr(new, name)]) for name in ("customer", "day", "value"))
        here = np.flatnonzero((day > self.as_of - reach) & (value != NOTHING))
        here = here[np.lexsort((day[here], customer[here]))]
        customer, day, value = customer[here], day[here], value[here]
        ends = np.searchsorted(customer, customer, side="right")
        stands_out = value > best(value, np.arange(1, len(value) + 1), ends, np.maximum, NOTHING)
        return Steps(customer[stands_out], day[stands_out], value[stands_out])

    def _entering(self, stair: Stair) -> Steps:
        rows, since = self.sweep.rows, self.before.as_of
        enters = (rows.day <= self.as_of) & (rows.day > (-1 if since is None else since))
        customer, day, value = rows.segment[enters], rows.day[enters], rows.columns[stair.column][enters]
        if stair.rise is Rise.VALUE:
            return Steps(customer, day, value)
        if stair.rise is Rise.FALL:
            return Steps(customer, day, np.maximum(-value, 0))
        held = self.before.levels[stair.column, 0][customer]
        total = self.sweep.prefix(stair.column)
        before_row = held + total[np.flatnonzero(enters)] - total[self.since_border(0)[customer]]
        return Steps(customer, day - 1, before_row)


_OF_ROWS: dict[Of, Callable[[Amount, Integers], Integers]] = {
    Of.VALUE: lambda amount, values: bounded(values, amount.column),
    Of.MULTIPLES: lambda amount, values: multiples_of(values, amount.argument),
    Of.SQUARES: lambda amount, values: multiples_of(values, amount.argument) ** 2,
    Of.POSITIVE: lambda _, values: (values > 0).astype(np.int64),
    Of.BIT: lambda amount, values: values >> amount.argument & 1,
    Of.MEMBERS: lambda _, values: np.bitwise_count(values).astype(np.int64),
}


def coded(greatest: Integers) -> Integers:
    """Nothing as 0, and back: a state that tells nothing is zeros."""
    return greatest ^ NOTHING


def _month_end(as_of: int, months_before: int) -> int:
    return int(month_end(np.array([as_of]), months_before)[0])


def _of_levels(amount: Amount, levels: Integers, first: int) -> Integers:
    """The amount of every day of a grid whose first column is the day `first`."""
    if amount.of is Of.LEVEL:
        return levels
    if amount.of is Of.LEVEL_REACHING:
        return (levels >= amount.argument).astype(np.int64)
    multiples = multiples_of(levels, amount.argument)
    if amount.of is Of.LEVEL_MULTIPLES:
        return multiples
    if amount.of is Of.LEVEL_SQUARES:
        return multiples**2
    logs = millionths_of_log(multiples)
    return logs if amount.of is Of.LEVEL_LOG else logs * np.arange(first, first + levels.shape[1])
