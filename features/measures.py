"""The ways of measuring, as data: operations on day tiles, aggregates over contracts and states."""

from __future__ import annotations

from features.spec import Empty, Measure, Operation

# --- measures over events: one row per customer and day ------------------------------------------------------------


def total(column: str, *, name: str = "") -> Measure:
    """Sum over the window."""
    return Measure(name=name or column, operation=Operation.SUM, column=column, empty=Empty.ZERO)


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


def spells_with(column: str, *, name: str, days: int) -> Measure:
    """Stretches of `days` days, counted back from the as-of date, with a positive day in them."""
    return Measure(name=name, operation=Operation.SPELLS, column=column, argument=days, empty=Empty.ZERO)


def calendar_months_with(column: str, *, name: str) -> Measure:
    """Calendar months with a positive day, counting the as-of date's month as one and going back `window` / 30 of them."""
    return Measure(name=name, operation=Operation.MONTHS, column=column, empty=Empty.ZERO)


def kinds_in(column: str, *, name: str) -> Measure:
    """Distinct categories in a bit set over the window."""
    return Measure(name=name, operation=Operation.KINDS, column=column, empty=Empty.ZERO)


# --- measures over levels: tiles hold the changes; a contract's row covers ages low..high ---------------------------


def level(column: str, *, name: str = "") -> Measure:
    """The level on the as-of date."""
    sql = f"sum(case when low = 0 then {column} end)"
    return Measure(name=name or column, operation=Operation.LEVEL, column=column, sql=sql, empty=Empty.ZERO)


def level_before(column: str, *, name: str) -> Measure:
    """The level `w` days before the as-of date."""
    sql = f"sum(case when low <= {{w}} and high >= {{w}} then {column} end)"
    return Measure(name=name, operation=Operation.LEVEL_BEFORE, column=column, sql=sql, empty=Empty.ZERO)


def area(column: str, *, name: str) -> Measure:
    """Level × days over the window: divided by days it is the mean, weighted by how long each level held."""
    sql = f"sum({column} * greatest(0, least(high, {{w}} - 1) - low + 1))"
    return Measure(name=name, operation=Operation.AREA, column=column, sql=sql, empty=Empty.ZERO)


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
