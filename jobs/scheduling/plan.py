"""What the demo does for a source: which history, which models, which nights."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from conf import sources
from conf.settings import SettingsError
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

# The first as-of date looks back a year.
MONTHS_BEFORE_FEATURES = 12
NIGHTS = 2


@dataclass(frozen=True, kw_only=True)
class History:
    """A covered period: business dates first..last, features for month-ends features_first..features_last."""

    first: date
    last: date
    features_first: date
    features_last: date

    @property
    def conf(self) -> dict[str, str]:
        return {name: str(value) for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """simulate: words of the command that writes the landing zone; none where the data are there already."""

    simulate: tuple[str, ...]
    histories: tuple[History, ...]
    models: date
    nights: tuple[date, ...]

    @property
    def first(self) -> date:
        return self.histories[0].first

    @property
    def last(self) -> date:
        """A night may lie within the history, of which files end after the last month-end."""
        return max(self.histories[-1].last, self.nights[-1])


def month_end(day: date, *, months: int = 0) -> date:
    """The last day of the month that lies `months` before or after a day's month."""
    nth = day.year * 12 + day.month - 1 + months
    year, month = divmod(nth, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def for_bank(*, customers: int, months: int, seed: int, end: date, home: Path) -> Plan:
    """A simulated bank with `months` of history until `end`, and two nights; late, corrected and bad rows in the second."""
    first = month_end(end, months=-months) + timedelta(days=1)
    features_first = max(month_end(first), min(month_end(first, months=MONTHS_BEFORE_FEATURES), end))
    words = {"customers": customers, "months": months, "seed": seed, "end": end, "nights": NIGHTS, "out": home}
    return Plan(
        simulate=("simulate", "--faults", "rows", *(part for name, value in words.items() for part in (f"--{name}", str(value)))),
        histories=(History(first=first, last=end, features_first=features_first, features_last=end),),
        models=end,
        nights=tuple(end + timedelta(days=nth) for nth in range(1, NIGHTS + 1)),
    )


def for_source(mapping: str) -> Plan:
    """The periods that a bulk source's mapping covers, and the last month-end among them as the night. Raises ConfigurationError."""
    try:
        spans = sources.load(mapping).history
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    if not spans:
        raise ConfigurationError(
            f"[sources/{mapping}.yml] tells no `history`: which dates its files cover, as a list of from, to and features_from"
        )
    histories = tuple(_covered(span) for span in spans)
    last = histories[-1].features_last
    return Plan(simulate=(), histories=histories, models=last, nights=(last,))


def _covered(span: sources.Span) -> History:
    end = span.until if span.until == month_end(span.until) else month_end(span.until, months=-1)
    first = span.features_from or month_end(span.since, months=MONTHS_BEFORE_FEATURES)
    return History(first=span.since, last=span.until, features_first=min(first, end), features_last=end)
