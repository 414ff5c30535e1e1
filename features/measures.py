"""The ways of measuring: aggregates over the rows that an as-of date sees, as data."""

from __future__ import annotations

from features.spec import Empty, Measure

# --- measures over events: one row per entity and day -------------------------------------------------------------


def total(column: str, *, name: str = "") -> Measure:
    """Sum over the window."""
    return Measure(name=name or column, sql=f"sum(case when age < {{w}} then {column} end)", empty=Empty.ZERO)


def largest(column: str, *, name: str) -> Measure:
    """Greatest value over the window."""
    return Measure(name=name, sql=f"max(case when age < {{w}} then {column} end)", empty=Empty.UNKNOWN)


def days_with(column: str, *, name: str) -> Measure:
    """Days of the window on which the column is positive."""
    return Measure(name=name, sql=f"count(case when age < {{w}} and {column} > 0 then 1 end)", empty=Empty.ZERO)


def days_since(column: str, *, name: str) -> Measure:
    """Age of the last day of the window on which the column is positive."""
    return Measure(name=name, sql=f"min(case when age < {{w}} and {column} > 0 then age end)", empty=Empty.UNKNOWN)


def days_since_first(column: str, *, name: str) -> Measure:
    """Age of the first day of the window on which the column is positive."""
    return Measure(name=name, sql=f"max(case when age < {{w}} and {column} > 0 then age end)", empty=Empty.UNKNOWN)


def spells_with(column: str, *, name: str, days: int) -> Measure:
    """Stretches of `days` days, counted back from the as-of date, with a positive day in them (at most 63)."""
    bit = f"shiftleft(1L, age div {days})"
    return Measure(name=name, sql=f"bit_count(bit_or(case when age < {{w}} and {column} > 0 then {bit} end))", empty=Empty.ZERO)


def kinds_in(column: str, *, name: str) -> Measure:
    """Distinct categories in a bit set over the window."""
    return Measure(name=name, sql=f"bit_count(bit_or(case when age < {{w}} then {column} end))", empty=Empty.ZERO)


# --- measures over levels: a row covers ages low..high -------------------------------------------------------------


def level(column: str, *, name: str = "") -> Measure:
    """The level on the as-of date."""
    return Measure(name=name or column, sql=f"sum(case when low = 0 then {column} end)", empty=Empty.ZERO)


def level_before(column: str, *, name: str) -> Measure:
    """The level `w` days before the as-of date."""
    return Measure(name=name, sql=f"sum(case when low <= {{w}} and high >= {{w}} then {column} end)", empty=Empty.ZERO)


COVERED = "greatest(0, least(high, {w} - 1) - low + 1)"


def area(column: str, *, name: str) -> Measure:
    """Level × days over the window: divided by days it is the mean, weighted by how long each level held."""
    return Measure(name=name, sql=f"sum({column} * {COVERED})", empty=Empty.ZERO)


def days_where(condition: str, *, name: str) -> Measure:
    """Days of the window on which the condition on the level held."""
    return Measure(name=name, sql=f"sum(case when {condition} then {COVERED} end)", empty=Empty.ZERO)


def highest(column: str, *, name: str) -> Measure:
    """Highest level on a day of the window."""
    return Measure(name=name, sql=f"max(case when low < {{w}} then {column} end)", empty=Empty.UNKNOWN)


# --- measures over states -----------------------------------------------------------------------------------------


def state_count(condition: str, *, name: str) -> Measure:
    return Measure(name=name, sql=f"count(case when {condition} then 1 end)", empty=Empty.ZERO)


def state(sql: str, *, name: str, empty: Empty = Empty.UNKNOWN) -> Measure:
    return Measure(name=name, sql=sql, empty=empty)
