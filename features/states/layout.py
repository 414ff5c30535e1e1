"""What the window states of a source hold, derived from the measures that are wanted: data about data, no rows here.

A state is kept as of one day. A *border* b of an amount stands b days before it; rows pass it as the day moves on. An
amount is held in the pieces between its borders, so that every window that begins at one of them is a sum of pieces.
A span has no border that rows pass: what it holds is emptied at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from features.operations import HORIZON, Operation, Span
from features.spec import Kind, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from features.operations import Window
    from features.spec import Measure, Source, Wanted

# Days on which there is a row at all.
ROWS = "rows"
KEPT_DAYS = 384
MONTH_ENDS = 12


class Of(StrEnum):
    """What an amount adds up; those from LEVEL on are told by the level of every day, row or not."""

    VALUE = "value"
    MULTIPLES = "multiples"
    SQUARES = "squares"
    POSITIVE = "positive"  # 1 for a row that is
    BIT = "bit"  # 1 for a row whose bit set has the bit `argument`
    MEMBERS = "members"  # of a row's bit set
    GREATEST = "greatest"  # not added up: the greatest value, over a span
    MATCHED = "matched"  # min(value, `beside` of the day and the next)
    LEVEL = "level"
    LEVEL_MULTIPLES = "level_multiples"
    LEVEL_SQUARES = "level_squares"
    LEVEL_LOG = "level_log"
    LEVEL_LOG_DAY = "level_log_day"  # times the number of the day
    LEVEL_REACHING = "level_reaching"  # 1 for a day on which the level was no less than `argument`

    @property
    def is_of_levels(self) -> bool:
        return self.value.startswith("level")


@dataclass(frozen=True)
class Amount:
    of: Of
    column: str
    argument: int = 0
    beside: str = ""


class Rise(StrEnum):
    """What stairs are made of."""

    VALUE = "value"
    FALL = "fall"  # of a level from one day to the next, at least 0
    HELD = "held"  # a level, at the last day that it held


@dataclass(frozen=True)
class Stair:
    rise: Rise
    column: str


@dataclass
class Needs:
    """What measures need; borders without the 0 that all have."""

    borders: dict[Amount, set[int]] = field(default_factory=dict)
    spans: dict[tuple[Amount, Span], None] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    levels: set[tuple[str, int]] = field(default_factory=set)
    month_ends: set[str] = field(default_factory=set)
    since: set[tuple[str, str]] = field(default_factory=set)
    stairs: dict[Stair, int] = field(default_factory=dict)

    def over(self, amount: Amount, window: Window) -> None:
        if isinstance(window, Span):
            self.spans[amount, window] = None
        else:
            self.amount(amount, [window])

    def amount(self, amount: Amount, borders: Iterable[int]) -> None:
        self.borders.setdefault(amount, set()).update(borders)
        if amount.of.is_of_levels:
            self.levels |= {(amount.column, border) for border in (0, *borders)}

    def stair(self, rise: Rise, column: str, reach: int) -> None:
        stair = Stair(rise, column)
        self.stairs[stair] = max(reach, self.stairs.get(stair, 0))

    def beginning(self, column: str) -> None:
        """Of levels: from which day on there is one. Its first change is the first row that is not silent of it."""
        self.days.add(ROWS)
        self.silent.add(column)
        self.levels |= {(column, 0), (column, HORIZON)}


def _amount(of: Of) -> Callable[[Needs, Measure, Any, Source], None]:
    return lambda needs, measure, window, _: needs.over(Amount(of, measure.column, measure.argument), window)


def _sum(needs: Needs, measure: Measure, window: Window, _: Source) -> None:
    needs.over(summed(measure), window)


def summed(measure: Measure) -> Amount:
    return Amount(Of.MULTIPLES, measure.column, measure.argument) if measure.argument else Amount(Of.VALUE, measure.column)


def area(measure: Measure) -> Amount:
    return Amount(Of.LEVEL_MULTIPLES, measure.column, measure.argument) if measure.argument else Amount(Of.LEVEL, measure.column)


def _decayed(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.amount(Amount(Of.VALUE, measure.column), range(measure.argument, window - window % measure.argument + 1, measure.argument))


def _flows(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    for column in (measure.column, measure.beside):
        needs.amount(Amount(Of.VALUE, column), range(7, window + 1, 7))


def _sum_after(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.amount(Amount(Of.VALUE, measure.column), [window])
    needs.days.add(measure.beside)
    needs.since.add((measure.column, measure.beside))


def _matched(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    # The as-of date is border 0..1 of its own: what came on it is matched by the next day too, once that is there.
    needs.amount(Amount(Of.MATCHED, measure.column, beside=measure.beside), [1, window])


def bits_of(source: Source, column: str) -> int:
    return next(one.bits for one in source.columns if one.name == column)


def _kinds(needs: Needs, measure: Measure, window: Window, source: Source) -> None:
    for bit in range(bits_of(source, measure.column)):
        for border in (window, *([measure.argument] if measure.argument else [])):
            needs.over(Amount(Of.BIT, measure.column, bit), border)


def _max(needs: Needs, measure: Measure, window: Window, _: Source) -> None:
    if isinstance(window, Span):
        needs.over(Amount(Of.GREATEST, measure.column), window)
    else:
        needs.stair(Rise.VALUE, measure.column, window)


def _days(needs: Needs, measure: Measure, _window: Window, _: Source) -> None:
    needs.days.add(measure.column)


def _level(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.levels |= {(measure.column, 0), (measure.column, window)}


def _month_ends(needs: Needs, measure: Measure, _window: int, _: Source) -> None:
    needs.month_ends.add(measure.column)
    needs.beginning(measure.column)


def _area(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.amount(area(measure), [window])


def _moment(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    for of in (Of.LEVEL_LOG, Of.LEVEL_LOG_DAY):
        needs.amount(Amount(of, measure.column, measure.argument), [window])


def _days_below(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.amount(Amount(Of.LEVEL_REACHING, measure.column, measure.argument), [window])
    needs.beginning(measure.column)


def _highest(needs: Needs, measure: Measure, window: int, _: Source) -> None:
    needs.stair(Rise.HELD, measure.column, window)
    needs.beginning(measure.column)


_NEEDS: dict[Operation, Callable[[Needs, Measure, Any, Source], None]] = {
    Operation.SUM: _sum, Operation.SQUARES: _amount(Of.SQUARES), Operation.DECAYED: _decayed, Operation.SUM_AFTER: _sum_after,
    Operation.MATCHED: _matched, Operation.KINDS: _kinds, Operation.NEW_KINDS: _kinds, Operation.MEMBERS: _amount(Of.MEMBERS),
    Operation.DAYS: _amount(Of.POSITIVE), Operation.MAX: _max, Operation.DAYS_SINCE: _days, Operation.DAYS_SINCE_FIRST: _days,
    Operation.GAP_SQUARES: _days, Operation.SPELLS: _days, Operation.MONTHS: _days,
    Operation.FLOW_MEDIAN: _flows, Operation.FLOW_SPREAD: _flows, Operation.LEVEL: _level, Operation.LEVEL_BEFORE: _level,
    Operation.MONTH_END: _month_ends, Operation.MONTH_ENDS_BELOW: _month_ends, Operation.AREA: _area,
    Operation.AREA_SQUARES: _amount(Of.LEVEL_SQUARES), Operation.AREA_LOG: _amount(Of.LEVEL_LOG), Operation.MOMENT_LOG: _moment,
    Operation.DAYS_BELOW: _days_below, Operation.HIGHEST: _highest,
    Operation.LARGEST_FALL: lambda needs, measure, window, _: needs.stair(Rise.FALL, measure.column, window),
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What a source's states hold, in the order in which they are packed."""

    source: Source
    wanted: tuple[Wanted, ...]
    amounts: tuple[tuple[Amount, tuple[int, ...]], ...]
    spans: tuple[tuple[Amount, Span], ...]
    days: tuple[str, ...]
    silent: tuple[str, ...]
    levels: tuple[tuple[str, int], ...]
    month_ends: tuple[str, ...]
    since: tuple[tuple[str, str], ...]
    stairs: tuple[tuple[Stair, int], ...]

    @property
    def digest(self) -> str:
        """Equal text, equal states."""
        merges = [(column.name, column.sql, str(column.merge), column.bits) for column in self.source.columns]
        return digest_of(
            self.amounts, self.spans, self.days, self.silent, self.levels, self.month_ends, self.since, self.stairs, merges, KEPT_DAYS
        )

    def borders(self, column: str) -> set[int]:
        """The borders at which rows must be seen for the column's sake."""
        found = {border for amount, borders in self.amounts if column in {amount.column, amount.beside} for border in borders}
        # A match is complete when the next day is there.
        found |= {
            border - 1
            for amount, borders in self.amounts
            if amount.of is Of.MATCHED and column in {amount.column, amount.beside}
            for border in borders[1:]
        }
        found |= {border for name, border in self.levels if name == column}
        return found | {0}

    def passing(self, since: int, as_of: int) -> list[tuple[int, int]]:
        """First and last of the days whose rows pass a border between two as-of days."""
        return [
            (since - border + 1, as_of - border) for border in sorted({border for name in self.columns for border in self.borders(name)})
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The tile columns that rolling reads, those of the most borders first."""
        used = {column.name for item in self.wanted for column in item.tile_columns}
        return tuple(sorted(used, key=lambda name: (-len(self.borders(name)), name)))


def layout_of(source: Source, wanted: Sequence[Wanted]) -> Layout:
    """The layout for those of the wanted measures that are the source's. Raises KeyError for a measure that is SQL only."""
    needs, mine = Needs(), tuple(item for item in wanted if item.source is source)
    for item in mine:
        assert item.measure.operation is not None
        _NEEDS[item.measure.operation](needs, item.measure, item.window or 0, source)
    if source.kind is Kind.STEPS:
        needs.days.add(ROWS)
    return Layout(
        source=source, wanted=mine, amounts=tuple((amount, (0, *sorted(borders - {0}))) for amount, borders in needs.borders.items()),
        spans=tuple(needs.spans), days=tuple(sorted(needs.days)), silent=tuple(sorted(needs.silent)), levels=tuple(sorted(needs.levels)),
        month_ends=tuple(sorted(needs.month_ends)), since=tuple(sorted(needs.since)), stairs=tuple(needs.stairs.items()),
    )  # fmt: skip
