"""What measures a window state tells: for every operation of features.kernel the same integers, without its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.arithmetic import lower_median, month_end, month_of
from features.kernel import NOTHING
from features.operations import HORIZON, Operation, Span, calendar_months
from features.states.layout import KEPT_DAYS, ROWS, Amount, Layout, Of, Rise, Stair, area, bits_of, summed
from features.states.rolling import coded

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.arithmetic import Integers
    from features.operations import Window
    from features.spec import Measure, Wanted
    from features.states.rolling import Bits, State


@dataclass(frozen=True)
class Told:
    """A state that is asked."""

    layout: Layout
    state: State
    customers: int

    @property
    def as_of(self) -> int:
        assert self.state.as_of is not None
        return self.state.as_of

    def between(self, amount: Amount, first: int, after: int) -> Integers:
        """Per customer the amount of the days first..after - 1 before the as-of day; both are borders."""
        borders = dict(self.layout.amounts)[amount]
        pieces = self.state.sums[amount]
        found: Integers = pieces[borders.index(first) : borders.index(after)].sum(axis=0)
        return found

    def over(self, amount: Amount, window: Window) -> Integers:
        """Per customer the amount of the window."""
        return self.state.spans[amount, window] if isinstance(window, Span) else self.between(amount, 0, window)

    def days(self, column: str, window: Window) -> Bits:
        since_month_end = self.as_of - int(month_end(np.array([self.as_of]), 1)[0])
        return self.state.days[column][:, : since_month_end if window is Span.MTD else window]

    def begun(self, column: str) -> Integers:
        """Age of the day from which on there is a level (kernel.Sweep.begun), -1 without one."""
        changed = self.days(ROWS, HORIZON) & ~self.state.silent[column][:, :HORIZON]
        return np.where(self.state.levels[column, HORIZON] != 0, KEPT_DAYS, _first_age(changed))


def _first_age(seen: Bits) -> Integers:
    """Per customer the age of the first of the days; -1 where there is none."""
    return np.where(seen.any(axis=1), seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1), -1)


def _sum(told: Told, measure: Measure, window: Window) -> Integers:
    return told.over(summed(measure), window)


def _amount(of: Of) -> Callable[[Told, Measure, Any], Integers]:
    return lambda told, measure, window: told.over(Amount(of, measure.column, measure.argument), window)


def _matched(told: Told, measure: Measure, window: int) -> Integers:
    return told.between(Amount(Of.MATCHED, measure.column, beside=measure.beside), 0, window)


def _decayed(told: Told, measure: Measure, window: int) -> Integers:
    days, steps = measure.argument, window // measure.argument
    amount, found = Amount(Of.VALUE, measure.column), np.zeros(told.customers, dtype=np.int64)
    for step in range(steps):
        found += told.between(amount, step * days, (step + 1) * days) << (steps - 1 - step)
    return found


def _sum_after(told: Told, measure: Measure, window: int) -> Integers:
    is_within = told.days(measure.beside, window).any(axis=1)
    return np.where(is_within, told.state.since[measure.column, measure.beside], told.between(Amount(Of.VALUE, measure.column), 0, window))


def _bits(told: Told, measure: Measure, days_of: Callable[[Amount], Integers]) -> Integers:
    """Bits × customers: 1 where the bit was set on a day."""
    bits = range(bits_of(told.layout.source, measure.column))
    return np.stack([(days_of(Amount(Of.BIT, measure.column, bit)) > 0).astype(np.int64) for bit in bits])


def _kinds(told: Told, measure: Measure, window: Window) -> Integers:
    return _how_many(_bits(told, measure, lambda amount: told.over(amount, window)))


def _new_kinds(told: Told, measure: Measure, window: int) -> Integers:
    recent = _bits(told, measure, lambda amount: told.between(amount, 0, measure.argument))
    before = _bits(told, measure, lambda amount: told.between(amount, min(measure.argument, window), window))
    return _how_many(recent * (1 - before))


def _how_many(bits: Integers) -> Integers:
    found: Integers = bits.sum(axis=0)
    return found


def _days_since(told: Told, measure: Measure, window: Window) -> Integers:
    seen = told.days(measure.column, window)
    return np.where(seen.any(axis=1), seen.argmax(axis=1), NOTHING)


def _days_since_first(told: Told, measure: Measure, window: Window) -> Integers:
    age = _first_age(told.days(measure.column, window))
    return np.where(age >= 0, age, NOTHING)


def _gap_squares(told: Told, measure: Measure, window: int) -> Integers:
    who, age = np.nonzero(told.days(measure.column, window))
    is_gap, found = np.diff(who) == 0, np.zeros(told.customers, dtype=np.int64)
    np.add.at(found, who[1:][is_gap], np.diff(age)[is_gap] ** 2)
    return found


def _stretches(seen: Bits, starts: Integers) -> Integers:
    found: Integers = np.logical_or.reduceat(seen, starts, axis=1).sum(axis=1)
    return found


def _spells(told: Told, measure: Measure, window: int) -> Integers:
    return _stretches(told.days(measure.column, window), np.arange(0, window, measure.argument))


def _months(told: Told, measure: Measure, window: int) -> Integers:
    since = int(month_end(np.array([told.as_of]), calendar_months(window))[0])
    months = month_of(told.as_of - np.arange(told.as_of - since))
    starts = np.flatnonzero(np.append(True, np.diff(months) != 0))
    return _stretches(told.days(measure.column, len(months)), starts)


def _flows(told: Told, measure: Measure, window: int) -> Integers:
    """Week × customer, the youngest first."""
    came, went = (Amount(Of.VALUE, column) for column in (measure.column, measure.beside))
    return np.stack([told.between(came, day, day + 7) - told.between(went, day, day + 7) for day in range(0, window - 6, 7)])


def _flow_median(told: Told, measure: Measure, window: int) -> Integers:
    return lower_median(_flows(told, measure, window))


def _flow_spread(told: Told, measure: Measure, window: int) -> Integers:
    flows = _flows(told, measure, window)
    return lower_median(np.abs(flows - lower_median(flows)))


def _level(told: Told, measure: Measure, days_before: int) -> Integers:
    return told.state.levels[measure.column, days_before]


def _month_end(told: Told, measure: Measure, _: int) -> Integers:
    found: Integers = told.state.month_ends[measure.column][0]
    return found


def _month_ends_below(told: Told, measure: Measure, window: int) -> Integers:
    begun, found = told.begun(measure.column), np.zeros(told.customers, dtype=np.int64)
    for months in range(1, window // 30 + 1):
        age = told.as_of - int(month_end(np.array([told.as_of]), months)[0])
        found += (begun >= age) & (told.state.month_ends[measure.column][months - 1] < measure.argument)
    return found


def _area(told: Told, measure: Measure, window: int) -> Integers:
    return told.between(area(measure), 0, window)


def _moment_log(told: Told, measure: Measure, window: int) -> Integers:
    logs, days = (told.between(Amount(of, measure.column, measure.argument), 0, window) for of in (Of.LEVEL_LOG, Of.LEVEL_LOG_DAY))
    return told.as_of * logs - days


def _days_below(told: Told, measure: Measure, window: int) -> Integers:
    # Before there was a level it was 0: days that count only where 0 reaches the limit, which keeps an empty state empty.
    held = np.clip(told.begun(measure.column) + 1, 0, window)
    reached = told.between(Amount(Of.LEVEL_REACHING, measure.column, measure.argument), 0, window)
    return held - reached + (window - held if measure.argument <= 0 else 0)


def _greatest(told: Told, stair: Stair, age: Integers) -> Integers:
    """Per customer the greatest value on the last `age` + 1 days."""
    steps, who = told.state.stairs[stair], np.arange(told.customers)
    keys = (steps.customer << 20) + steps.day
    first = np.searchsorted(keys, (who << 20) + told.as_of - age, side="left")
    is_there = np.append(steps.customer, -1)[first] == who
    return np.where(is_there, np.append(steps.value, NOTHING)[first], NOTHING)


def _highest(told: Told, measure: Measure, window: int) -> Integers:
    begun = told.begun(measure.column)
    before = _greatest(told, Stair(Rise.HELD, measure.column), np.minimum(begun, window - 1))
    return np.where(begun >= 0, np.maximum(before, told.state.levels[measure.column, 0]), NOTHING)


def _max(told: Told, measure: Measure, window: Window) -> Integers:
    return (
        coded(told.over(Amount(Of.GREATEST, measure.column), window))
        if isinstance(window, Span)
        else _extremum(Rise.VALUE)(told, measure, window)
    )


def _extremum(rise: Rise) -> Callable[[Told, Measure, int], Integers]:
    return lambda told, measure, window: _greatest(told, Stair(rise, measure.column), np.full(told.customers, window - 1))


_ANSWERS: dict[Operation, Callable[[Told, Measure, Any], Integers]] = {
    Operation.SUM: _sum, Operation.SQUARES: _amount(Of.SQUARES), Operation.DECAYED: _decayed, Operation.SUM_AFTER: _sum_after,
    Operation.MATCHED: _matched, Operation.MAX: _max, Operation.KINDS: _kinds, Operation.NEW_KINDS: _new_kinds, Operation.MEMBERS: _amount(Of.MEMBERS),
    Operation.DAYS: _amount(Of.POSITIVE), Operation.DAYS_SINCE: _days_since, Operation.DAYS_SINCE_FIRST: _days_since_first,
    Operation.GAP_SQUARES: _gap_squares, Operation.SPELLS: _spells, Operation.MONTHS: _months, Operation.FLOW_MEDIAN: _flow_median, Operation.FLOW_SPREAD: _flow_spread,
    Operation.LEVEL: _level, Operation.LEVEL_BEFORE: _level, Operation.MONTH_END: _month_end, Operation.MONTH_ENDS_BELOW: _month_ends_below,
    Operation.AREA: _area, Operation.AREA_SQUARES: _amount(Of.LEVEL_SQUARES), Operation.AREA_LOG: _amount(Of.LEVEL_LOG),
    Operation.MOMENT_LOG: _moment_log, Operation.DAYS_BELOW: _days_below, Operation.HIGHEST: _highest, Operation.LARGEST_FALL: _extremum(Rise.FALL),
}  # fmt: skip


def answer(told: Told, wanted: Wanted) -> Integers:
    """One integer per customer, NOTHING where there is nothing to tell: features.kernel.answer as of the state's day."""
    assert wanted.measure.operation is not None
    return _ANSWERS[wanted.measure.operation](told, wanted.measure, wanted.window or 0)
