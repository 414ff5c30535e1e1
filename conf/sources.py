"""Source mappings and calendars: how a foreign bank's files become our feeds. Read from conf, frozen, unknown keys refused.

What a mapping's expressions may say is checked by jobs.ingest against the contracts; this module knows its form only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from conf.settings import CONF, SettingsError, read_yaml

GROUPS = ("reference", "channel", "transactions", "credit")
Group = Literal["reference", "channel", "transactions", "credit"]
Form = TypeVar("Form", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Calendar(_Part):
    """Working days. `weekend` holds ISO weekdays (1 Monday .. 7 Sunday)."""

    title: str
    title_zh: str
    weekend: tuple[int, ...] = ()
    holidays: frozenset[date] = frozenset()

    def is_working_day(self, day: date) -> bool:
        return day.isoweekday() not in self.weekend and day not in self.holidays


class Target(_Part):
    """One Spark SQL expression per column of a core table."""

    columns: Mapping[str, str]


class Numbers(_Part):
    """How amounts are written as text."""

    decimal: str = "."
    grouping: str = ""


class Bulk(_Part):
    """A feed drawn from bulk files: a query over the mapping's `tables`, and the date each row is delivered for.

    of: tables whose every line must become one row of the query; empty where the query summarises.
    """

    rows: str
    delivered_for: str
    of: tuple[str, ...] = ()


class Feed(_Part):
    """One kind of delivery. `personal` columns are replaced by keyed hashes in quarantined text."""

    group: Group
    format: Literal["csv", "json", "parquet"]
    compression: Literal["none", "gzip"] = "none"
    encoding: str = "UTF-8"
    separator: str = ","
    numbers: Numbers = Numbers()
    columns: tuple[str, ...]
    personal: tuple[str, ...] = ()
    control_sum: str | None = None
    may_be_empty: bool = False
    bulk: Bulk | None = None
    targets: Mapping[str, Target]

    @model_validator(mode="after")
    def _refers_to_its_columns(self) -> Feed:
        named = {*self.personal, *([self.control_sum] if self.control_sum else [])}
        unknown = sorted(named - set(self.columns))
        if unknown:
            raise ValueError(f"personal or control_sum names {unknown}; the columns are {list(self.columns)}")
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise ValueError(f"columns {repeated} are declared more than once")
        return self


class Span(_Part):
    """Dates since..until, both inclusive. features_from: the first month-end of a history that gets features."""

    since: date = Field(alias="from")
    until: date = Field(alias="to")
    features_from: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.since <= day <= self.until


class Jdbc(_Part):
    """A query that a database answers. url: the environment variable that holds its address, with user and password.

    `{since}` and `{until}` in the query stand for the first and the last date that is asked for. options: Spark's, such as driver.
    """

    url: str
    query: str
    options: Mapping[str, str] = {}


class BulkTable(_Part):
    """What a bulk source holds of one kind, in files or in a database; every column is read as text."""

    files: tuple[str, ...] = ()
    jdbc: Jdbc | None = None
    columns: tuple[str, ...]
    encoding: str = "UTF-8"
    separator: str = ";"

    @model_validator(mode="after")
    def _is_in_one_place(self) -> BulkTable:
        if bool(self.files) == (self.jdbc is not None):
            raise ValueError("names either `files` or `jdbc`")
        return self


def days_between(since: date, until: date) -> list[date]:
    """Every day since..until, both inclusive."""
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]


class SourceMapping(_Part):
    """A source system. `history` bounds what a bulk source can deliver; None: whatever has landed."""

    source: str
    title: str
    title_zh: str
    time_zone: str
    cut_off: str
    base_currency: str
    calendar: str
    date_format: str
    time_format: str
    history: tuple[Span, ...] = ()
    tables: Mapping[str, BulkTable] = {}
    feeds: Mapping[str, Feed]

    def of_group(self, group: str) -> dict[str, Feed]:
        """The feeds of a task group, in declared order."""
        return {name: feed for name, feed in self.feeds.items() if feed.group == group}

    def covers(self, day: date) -> bool:
        """Whether the source can deliver for a day at all."""
        return not self.history or any(day in span for span in self.history)

    def covered(self, since: date, until: date) -> list[date]:
        """The days of since..until that the source can deliver for."""
        return [day for day in days_between(since, until) if self.covers(day)]


def _parsed(form: type[Form], path: Path, *, kind: str) -> Form:
    if not path.exists():
        raise SettingsError(
            f"No {kind} [{path.stem}] in conf/{path.parent.name}; there are {sorted(p.stem for p in path.parent.glob('*.yml'))}"
        )
    try:
        return form.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"[{path.name}] can't be used as a {kind}: {_explained(form, error)}") from error


def _explained(form: type[BaseModel], error: ValidationError) -> str:
    """Where, what, and for an unknown key which keys there are."""
    parts = []
    for detail in error.errors():
        where = ".".join(str(step) for step in detail["loc"])
        known = f"; known keys are {_keys_at(form, detail['loc'][:-1])}" if detail["type"] == "extra_forbidden" else ""
        parts.append(f"[{where}] {detail['msg']}{known}")
    return "; ".join(parts)


def _keys_at(form: type[BaseModel], steps: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that a path of keys leads to: names of fields and of entries in maps of models alternate."""
    below: dict[str, type[BaseModel]] = {
        "feeds": Feed,
        "targets": Target,
        "bulk": Bulk,
        "numbers": Numbers,
        "tables": BulkTable,
        "jdbc": Jdbc,
        "history": Span,
    }
    found = form
    for step in steps:
        found = below.get(str(step), found)
    return sorted(field.alias or name for name, field in found.model_fields.items())


def load(name: str, *, folder: Path = CONF) -> SourceMapping:
    """The mapping conf/sources/<name>.yml. Raises SettingsError."""
    return _parsed(SourceMapping, folder / "sources" / f"{name}.yml", kind="source mapping")


def calendar(name: str, *, folder: Path = CONF) -> Calendar:
    """The calendar conf/calendars/<name>.yml. Raises SettingsError."""
    return _parsed(Calendar, folder / "calendars" / f"{name}.yml", kind="calendar")
