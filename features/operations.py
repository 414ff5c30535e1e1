"""What may be taken of day tiles, and over which windows."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

LONGEST_WINDOW = 365
# How many days as-of dates see, themselves included: twelve calendar months of a leap year.
HORIZON = 366
MONTHS_A_YEAR = 12
LONGEST_MONTH = 31
# Multiples count up to this many: squares over decades of days fit 64 bits. With multiples of a unit of money: thirty million.
MOST = 30_000_000


class Merge(StrEnum):
    """How two partial values of a tile become one; all are exact on integers, whatever the order."""

    SUM = "sum"
    MAX = "max"
    BITS = "bit_or"


class Operation(StrEnum):
    """What is taken of a tile's column over a window (features.kernel); `argument` and `beside` are the measure's.

    Those after FLOW_MEDIAN read columns of changes as levels. Squares and logarithms would not fit integers as they are:
    their values are taken in whole multiples of `argument`, at most MOST of them; logarithms are of multiples, in millionths.
    """

    SUM = "sum"  # of the values, or of their multiples where there is an argument
    SQUARES = "squares"  # of the values' multiples
    DECAYED = "decayed"  # sum in which days count half after `argument` days, a quarter after twice as many, …; times 2^(steps - 1)
    SUM_AFTER = "sum_after"  # over the days after the last one on which `beside` is positive
    MATCHED = "matched"  # Σ min(value of a day, `beside` of that day and the next), as far as they are seen
    MAX = "max"
    KINDS = "kinds"  # distinct categories in a bit set
    NEW_KINDS = "new_kinds"  # those of the last `argument` days that are not among the window's days before
    MEMBERS = "members"  # of the rows' bit sets, added up
    DAYS = "days"  # days on which the column is positive
    DAYS_SINCE = "days_since"  # age of the last such day
    DAYS_SINCE_FIRST = "days_since_first"  # age of the first such day
    GAP_SQUARES = "gap_squares"  # squares of the days from each such day to the next one
    SPELLS = "spells"  # stretches of `argument` days, counted back from the as-of date, with such a day
    MONTHS = "months"  # calendar months with such a day: as many as `calendar_months` tells, the as-of date's the last of them
    FLOW_MEDIAN = "flow_median"  # lower median over the whole weeks of the window of value less `beside`
    FLOW_SPREAD = "flow_spread"  # lower median of the weeks' distances from that median
    LEVEL = "level"  # on the as-of date
    LEVEL_BEFORE = "level_before"  # `window` days before it
    MONTH_END = "month_end"  # at the end of the calendar month before the as-of date's
    MONTH_ENDS_BELOW = (
        "month_ends_below"  # of the `window` / 30 month-ends before the as-of date's month those with a level below `argument`
    )
    AREA = "area"  # level × days, or multiples × days where there is an argument
    AREA_SQUARES = "area_squares"  # squares of the level's multiples × days
    AREA_LOG = "area_log"  # ln(1 + multiples) × days
    MOMENT_LOG = "moment_log"  # ln(1 + multiples) × days × age of the day
    DAYS_BELOW = "days_below"  # days on which the level was below `argument`
    HIGHEST = "highest"
    LARGEST_FALL = "largest_fall"  # from one day to the next


class Span(StrEnum):
    """A window that is not so many days."""

    MTD = "mtd"  # the as-of date's calendar month, from its first day to the as-of date: of a month-end the whole month
    LTD = "ltd"  # everything up to the as-of date, since the first business date that core tables hold


# So many days up to the as-of date, or a span.
Window: TypeAlias = int | Span
# What titles of features say of a span.
SPAN_TITLES = {Span.MTD: ("month to date", "本月至今"), Span.LTD: ("life to date", "历史累计")}
# What may be taken over a span, of customers' own events: over a life also only what comes to the same by months (`Source.tells`).
SPANNED = {
    Span.MTD: (
        Operation.SUM, Operation.SQUARES, Operation.MAX, Operation.KINDS, Operation.DAYS, Operation.DAYS_SINCE, Operation.DAYS_SINCE_FIRST,
    ),
    Span.LTD: (Operation.SUM, Operation.MAX, Operation.DAYS),
}  # fmt: skip


def calendar_months(window: int) -> int:
    """How many a window stands for: one for every 30 days that it has begun, a year at most."""
    return min(-(-window // 30), MONTHS_A_YEAR)


def suffix(window: Window) -> str:
    """What a window is called in names: `30d`, `mtd`, `ltd`."""
    return str(window) if isinstance(window, Span) else f"{window}d"
