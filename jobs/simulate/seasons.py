"""The bank's calendar of behaviour: months, lunar new year, shopping days. Pure numbers, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from jobs.errors import UsageError

EPOCH = date(1970, 1, 1)

# First day of the lunar year. A table of facts instead of a computation: `span` refuses months of other years, which would have no new year.
LUNAR_NEW_YEAR = tuple(
    date.fromisoformat(day)
    for day in (
        "2010-02-14", "2011-02-03", "2012-01-23", "2013-02-10", "2014-01-31", "2015-02-19", "2016-02-08", "2017-01-28", "2018-02-16",
        "2019-02-05", "2020-01-25", "2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06",
        "2028-01-26", "2029-02-13", "2030-02-03", "2031-01-23", "2032-02-11", "2033-01-31", "2034-02-19", "2035-02-08",
    )
)  # fmt: skip

# Spending of a calendar month against the year's mean: quiet spring, busy end of year.
MONTH_FACTOR = (1.05, 0.85, 0.93, 0.95, 1.0, 1.03, 0.98, 0.98, 1.02, 1.03, 1.1, 1.12)
SHOPPING_DAYS = {(6, 18): 2.5, (11, 11): 4.0, (12, 12): 1.8}
WEEKDAY_FACTOR = (0.92, 0.9, 0.93, 0.97, 1.1, 1.16, 1.02)


@dataclass(frozen=True, kw_only=True)
class Month:
    """A calendar month, cut to the days that are delivered. Days are counted from 1970-01-01."""

    index: int
    year: int
    month: int
    first: int
    last: int
    delivered_from: int
    delivered_to: int
    elapsed_years: float

    @property
    def days(self) -> int:
        """Calendar days in the month."""
        return self.last - self.first + 1

    @property
    def is_complete(self) -> bool:
        """Whether the last calendar day of the month is delivered."""
        return self.delivered_to == self.last

    def day(self, day_of_month: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Day number of a day of the month; the 31st becomes the last day of a short month."""
        return np.asarray(self.first + np.minimum(np.asarray(day_of_month), self.days) - 1, dtype=np.int64)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def as_date(number: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=number)


def add_months(day: date, months: int) -> date:
    """The same day of month, months later; the last day where that month is shorter."""
    position = day.year * 12 + day.month - 1 + months
    year, month = position // 12, position % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (following - timedelta(days=1)).day))


def first_date(*, end: date, months: int) -> date:
    """First business date of a history of so many months that ends with `end`."""
    after = end + timedelta(days=1)
    return add_months(after, -months)


def span(*, end: date, months: int, nights: int) -> tuple[date, date]:
    """First and last business date of a history that ends with `end` and the nights after it.

    Raises UsageError where these reach beyond the years whose lunar new year is known.
    """
    known = range(LUNAR_NEW_YEAR[0].year, LUNAR_NEW_YEAR[-1].year + 1)
    try:
        first, last = first_date(end=end, months=months), end + timedelta(days=nights)
    except (ValueError, OverflowError):
        first, last = date.min, date.max  # beyond any calendar
    if first.year in known and last.year in known:
        return first, last
    raise UsageError(
        f"[{months}] months until [{end}] and [{nights}] nights after it reach beyond the years whose lunar new year is known, "
        f"[{known[0]}] to [{known[-1]}]; choose --end, --months and --nights within them"
    )


def months_between(first: date, last: date) -> tuple[Month, ...]:
    """Every calendar month that holds a day of [first, last]."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(_month(index, first=first, last=last) for index in range(count))


def _month(index: int, *, first: date, last: date) -> Month:
    begin = add_months(first.replace(day=1), index)
    finish = add_months(begin, 1) - timedelta(days=1)
    return Month(
        index=index,
        year=begin.year,
        month=begin.month,
        first=day_number(begin),
        last=day_number(finish),
        delivered_from=day_number(max(begin, first)),
        delivered_to=day_number(min(finish, last)),
        elapsed_years=(begin - first.replace(day=1)).days / 365.25,
    )


def days_to_new_year(month: Month) -> npt.NDArray[np.int64]:
    """For each day of the month: days after the nearest lunar new year, negative before it."""
    days = np.arange(month.first, month.last + 1)
    years = np.array([day_number(day) for day in LUNAR_NEW_YEAR])
    apart = days[:, None] - years[None, :]
    nearest = np.abs(apart).argmin(axis=1)
    return np.asarray(apart[np.arange(days.size), nearest], dtype=np.int64)


def spending_weights(month: Month) -> npt.NDArray[np.float64]:
    """Expected purchases of each day of the month against an average day of the year."""
    days = np.arange(month.first, month.last + 1)
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    weights = MONTH_FACTOR[month.month - 1] * np.array(WEEKDAY_FACTOR)[weekday]
    lunar = days_to_new_year(month)
    weights = np.where((lunar >= -20) & (lunar < -1), weights * 1.6, weights)
    weights = np.where((lunar >= 0) & (lunar < 7), weights * 0.55, weights)
    for (shop_month, shop_day), factor in SHOPPING_DAYS.items():
        if shop_month == month.month:
            weights[shop_day - 1] *= factor
    return np.asarray(weights, dtype=np.float64)


def gift_weights(month: Month) -> npt.NDArray[np.float64]:
    """Expected gifts in red envelopes of each day: the week of the lunar new year, little else."""
    lunar = days_to_new_year(month)
    return np.where((lunar >= -2) & (lunar < 6), 1.0, 0.005)
