"""The ways of measuring, as data: operations on day tiles, aggregates over contracts and states."""

from __future__ import annotations

from features.operations import Operation
from features.spec import Empty, Measure

# --- measures over events: one row per customer and day ------------------------------------------------------------


def total(column: str, *, name: str = "", per: int = 0) -> Measure:
    """Sum over the window; of the days' whole multiples of `per`, where it is given: what `squares` squares."""
    return Measure(name=name or column, operation=Operation.SUM, column=column, argument=per, empty=Empty.ZERO)


def squares(column: str, *, name: str, per: int) -> Measure:
    """Sum over the window of the squares of the days' whole multiples of `per`."""
    return Measure(name=name, operation=Operation.SQUARES, column=column, argument=per, empty=Empty.ZERO)


def decayed(column: str, *, name: str, half_life: int) -> Measure:
    """Sum over a window of whole half-lives: days of the last one count 2^(n-1), those before it half of that, and so on."""
    return Measure(name=name, operation=Operation.DECAYED, column=column, argument=half_life, empty=Empty.ZERO)


def total_after(column: str, last: str, *, name: str) -> Measure:
    """Sum over the days of the window after the last one on which the column `last` is positive."""
    return Measure(name=name, operation=Operation.SUM_AFTER, column=column, beside=last, empty=Empty.ZERO)


def matched(column: str, beside: str, *, name: str) -> Measure:
    """How much of what came on a day went on the same or the next day, as far as the as-of date sees it."""
    return Measure(name=name, operation=Operation.MATCHED, column=column, beside=beside, empty=Empty.ZERO)


def flow_median(column: str, less: str, *, name: str) -> Measure:
    """Lower median over the whole weeks of the window of the weeks' sums, less those of another column."""
    return Measure(name=name, operation=Operation.FLOW_MEDIAN, column=column, beside=less, empty=Empty.ZERO)


def flow_spread(column: str, less: str, *, name: str) -> Measure:
    """Lower median of the weeks' distances from their median: a spread that a single week does not move."""
    return Measure(name=name, operation=Operation.FLOW_SPREAD, column=column, beside=less, empty=Empty.ZERO)


def largest(column: str, *, name: str) -> Measure:
    """Greatest value over the window."""
    return Measure(name=name, operation=Operation.MAX, column=column, empty=Empty.UNKNOWN)


def days_with(column: str, *, name: str) -> Measure:
    """Days of the window on which the column is positive."""
    return Measure(name=name, operation=Operation.DAYS, column=column, empty=Empty.ZERO)


def days_since(column: str, *, name: str) -> Measure:
    """Age of the last day of the window on which the column is positive."""
    return Measure(name=name, operation=Operation.DAYS_SINCE, column=column, empty=Empty.UNKNOWN)


def days_since_first(column: str, *, name: str) -> Measure:
    """Age of the first day of the window on which the column is positive."""
    return Measure(name=name, operation=Operation.DAYS_SINCE_FIRST, column=column, empty=Empty.UNKNOWN)


def gap_squares(column: str, *, name: str) -> Measure:
    """Squares of the gaps between the days of the window on which the column is positive, in days, added up."""
    return Measure(name=name, operation=Operation.GAP_SQUARES, column=column, empty=Empty.ZERO)


def spells_with(column: str, *, name: str, days: int) -> Measure:
    """Stretches of `days` days, counted back from the as-of date, with a positive day in them."""
    return Measure(name=name, operation=Operation.SPELLS, column=column, argument=days, empty=Empty.ZERO)


def calendar_months_with(column: str, *, name: str) -> Measure:
    """Calendar months with a positive day, counting the as-of date's month as one and going back `window` / 30 of them, twelve at most."""
    return Measure(name=name, operation=Operation.MONTHS, column=column, empty=Empty.ZERO)


def kinds_in(column: str, *, name: str) -> Measure:
    """Distinct categories in a bit set over the window."""
    return Measure(name=name, operation=Operation.KINDS, column=column, empty=Empty.ZERO)


def new_kinds_in(column: str, *, name: str, days: int) -> Measure:
    """Distinct categories in a bit set over the last `days` days that the window does not have before them."""
    return Measure(name=name, operation=Operation.NEW_KINDS, column=column, argument=days, empty=Empty.ZERO)


# --- measures over levels: tiles hold the changes; a contract's row covers ages low..high ---------------------------
# Who was emptied more than a year ago and has had nothing since has no level, as who never had one (Sweep.begun).


def level(column: str, *, name: str = "") -> Measure:
    """The level on the as-of date."""
    sql = f"sum(case when low = 0 then {column} end)"
    return Measure(name=name or column, operation=Operation.LEVEL, column=column, sql=sql, empty=Empty.ZERO)


def level_before(column: str, *, name: str) -> Measure:
    """The level `w` days before the as-of date."""
    sql = f"sum(case when low <= {{w}} and high >= {{w}} then {column} end)"
    return Measure(name=name, operation=Operation.LEVEL_BEFORE, column=column, sql=sql, empty=Empty.ZERO)


def level_at_month_end(column: str, *, name: str) -> Measure:
    """The level at the end of the calendar month before the as-of date's."""
    return Measure(name=name, operation=Operation.MONTH_END, column=column, empty=Empty.ZERO)


def month_ends_below(column: str, limit: int, *, name: str) -> Measure:
    """Of the ends of the `window` / 30 calendar months before the as-of date's those with a level below the limit."""
    return Measure(name=name, operation=Operation.MONTH_ENDS_BELOW, column=column, argument=limit, empty=Empty.ZERO)


def area(column: str, *, name: str) -> Measure:
    """Level × days over the window: divided by days it is the mean, weighted by how long each level held."""
    sql = f"sum({column} * greatest(0, least(high, {{w}} - 1) - low + 1))"
    return Measure(name=name, operation=Operation.AREA, column=column, sql=sql, empty=Empty.ZERO)


def moments(column: str, *, per: int) -> tuple[Measure, ...]:
    """Of the level in whole multiples of `per`: sum and sum of squares over days, sum of ln(1 + it) and its moment about the as-of date."""
    parts = {"units": Operation.AREA, "squares": Operation.AREA_SQUARES, "log": Operation.AREA_LOG, "log_moment": Operation.MOMENT_LOG}
    return tuple(
        Measure(name=f"{column}_{name}", operation=operation, column=column, argument=per, empty=Empty.ZERO)
        for name, operation in parts.items()
    )


def days_below(column: str, limit: int, *, name: str) -> Measure:
    """Days of the window on which the level was below the limit."""
    return Measure(name=name, operation=Operation.DAYS_BELOW, column=column, argument=limit, empty=Empty.ZERO)


def highest(column: str, *, name: str) -> Measure:
    """Highest level on a day of the window."""
    sql = f"max(case when low < {{w}} then {column} end)"
    return Measure(name=name, operation=Operation.HIGHEST, column=column, sql=sql, empty=Empty.UNKNOWN)


def largest_fall(column: str, *, name: str) -> Measure:
    """Largest fall of the level from one day to the next within the window."""
    return Measure(name=name, operation=Operation.LARGEST_FALL, column=column, empty=Empty.UNKNOWN)


# --- measures over states -----------------------------------------------------------------------------------------


def state_count(condition: str, *, name: str) -> Measure:
    return Measure(name=name, sql=f"count(case when {condition} then 1 end)", empty=Empty.ZERO)


def state(sql: str, *, name: str, empty: Empty = Empty.UNKNOWN) -> Measure:
    return Measure(name=name, sql=sql, empty=empty)
