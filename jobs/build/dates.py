"""Which as-of dates a request stands for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable
    from datetime import date

    from jobs.context import Request


def add_month_ends_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--month-ends", action="store_true", help="of a range only the last days of months")


def as_of_dates(request: Request) -> list[date]:
    """The dates of the request, ascending. Raises UsageError when the range holds no month-end."""
    days = [request.since + timedelta(days=offset) for offset in range((request.until - request.since).days + 1)]
    chosen = [day for day in days if is_month_end(day)] if request.options.get("month_ends") else days
    if not chosen:
        raise UsageError(f"No month-end in [{request.partition}]; widen the range, or leave out --month-ends")
    return chosen


def is_month_end(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def month_of(day: date) -> int:
    """The value of the partition column `month`: yyyymm."""
    return day.year * 100 + day.month


def in_dates(column: str, dates: Iterable[date]) -> str:
    """SQL for `column` being one of the dates, with their months so that partitions are pruned."""
    wanted = sorted(set(dates))
    months = sorted({month_of(day) for day in wanted})
    return f"month in ({', '.join(map(str, months))}) and {column} in ({', '.join(f'date{day.isoformat()!r}' for day in wanted)})"


def between(column: str, since: date, until: date) -> str:
    """SQL for `column` within [since, until], partitions pruned."""
    return f"month >= {month_of(since)} and month <= {month_of(until)} and {within(column, since, until)}"


def within(column: str, since: date, until: date) -> str:
    """SQL for `column` within [since, until], for frames without the partition column."""
    # Not BETWEEN: Delta can't resolve it in a replaceWhere.
    return f"{column} >= date'{since}' and {column} <= date'{until}'"
