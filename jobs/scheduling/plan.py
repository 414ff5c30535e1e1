"""What the demo does for a source: which history, which models, which nights."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.settings import CONF, read_yaml
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        return self.nights[-1]


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
        simulate=("simulate", "--faults", *(part for name, value in words.items() for part in (f"--{name}", str(value)))),
        histories=(History(first=first, last=end, features_first=features_first, features_last=end),),
        models=end,
        nights=tuple(end + timedelta(days=nth) for nth in range(1, NIGHTS + 1)),
    )


def for_source(mapping: str) -> Plan:
    """The covered periods that a bulk source's mapping tells, and its last month-end as the night. Raises ConfigurationError."""
    content: Mapping[str, Any] = read_yaml(CONF / "sources" / f"{mapping}.yml")
    try:
        histories = tuple(History(**{name: _day(value) for name, value in period.items()}) for period in content["history"])
        last = histories[-1].features_last
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigurationError(
            f"[sources/{mapping}.yml] must list its covered periods under `history`, each with first, last, features_first and features_last: {error!r}"
        ) from error
    return Plan(simulate=(), histories=histories, models=last, nights=(last,))


def _day(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
