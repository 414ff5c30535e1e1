"""Finishing expressions: portable SQL text over measures. Integers come in, doubles appear here and nowhere earlier."""

from __future__ import annotations

from collections.abc import Sequence

# Base currencies have two decimals (CNY, CZK, EUR, …); one without would need its own constant.
MINOR_PER_UNIT = 100


def money(minor: str) -> str:
    """Minor units of the base currency as units; exact up to 2^53 minor units."""
    return f"({minor}) / {MINOR_PER_UNIT}"


def ratio(part: str, whole: str) -> str:
    """A part over a whole; null where there is nothing to divide by."""
    return f"({part}) / nullif({whole}, 0)"


def growth(now: str, before: str) -> str:
    """Now over before, less 1."""
    return f"{ratio(now, before)} - 1"


def deviation(count: str, total: str, squares: str) -> str:
    """Standard deviation of a population by its count, sum and sum of squares; null without any."""
    variance = f"({squares}) / ({count}) - (({total}) / ({count})) * (({total}) / ({count}))"
    # greatest() passes over a null, and rounding may leave a little below zero of what never varied.
    return f"case when {count} > 0 then sqrt(greatest(0e0, {variance})) end"


def percentile(percent: int, counted: Sequence[tuple[str, str]], whole: str, highest: str) -> str:
    """The first of the edges up to which so many percent lie, at most the highest value; that where none is; null without values.

    counted: (how many values lie up to the edge, the edge), ascending; whole: how many there are. Counts up to an edge, not of bins:
    the sums of bins would be code that Spark can't compile.
    """
    cases = " ".join(f"when 100 * {count} >= {percent} * {whole} then least({edge}, {highest})" for count, edge in counted)
    return f"case when {whole} = 0 then null {cases} else {highest} end"


def flag(condition: str) -> str:
    return f"case when {condition} then 1 else 0 end"


def entropy(counts: Sequence[str]) -> str:
    """-Σ p ln p over bounded categories, in nats; 0 for one category, ln(n) for n equal ones; null without events."""
    whole = "(" + " + ".join(counts) + ")"
    weighted = " + ".join(f"case when {count} > 0 then {count} * ln({count}) else 0 end" for count in counts)
    return f"case when {whole} > 0 then greatest(0, ln({whole}) - ({weighted}) / {whole}) end"


def dominant(counts: Sequence[tuple[str, str]]) -> str:
    """Label of the greatest count, the first one at a tie; null when all are 0. counts: (column, label)."""
    most = f"greatest({', '.join(column for column, _ in counts)})"
    cases = " ".join(f"when {column} = {most} then '{label}'" for column, label in counts)
    return f"case when {most} = 0 then null {cases} end"


def grade(value: str, cuts: Sequence[int]) -> str:
    """1 + the number of frozen cut-points that the value reaches; a missing value is the lowest grade."""
    cases = " ".join(f"when {value} >= {cut} then {len(cuts) + 1 - position}" for position, cut in enumerate(sorted(cuts, reverse=True)))
    return f"case {cases} else 1 end"
