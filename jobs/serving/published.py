"""Feature rows as SQL for DuckDB: of each customer and date the revision that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from features.catalogue import groups_of, names_of
from jobs import tables_log
from jobs.build.wide import KEYS
from jobs.errors import InputNotReadyError, UsageError
from jobs.serving import lake

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conf.settings import Settings
    from features.spec import FeatureGroup

Published = Literal["corrected", "first"]

__all__ = ["Asked", "Published", "changes", "groups_of", "names_of", "rows", "stored_dates"]

TECHNICAL = ("revision", "known_at", "row_hash")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which rows: dates from first to last, the newest revision or the first one, of those known at an instant (with a zone), or since one."""

    first: date | None = None
    last: date | None = None
    published: Published = "corrected"
    as_known_at: datetime | None = None
    known_since: datetime | None = None
    where: str = "true"

    def of(self, first: date, last: date) -> Asked:
        return replace(self, first=first, last=last)

    @property
    def conditions(self) -> str:
        """Raises UsageError for an instant without a zone."""
        bounds = [f"as_of_date >= date '{self.first}'"] if self.first else []
        bounds += [f"as_of_date <= date '{self.last}'"] if self.last else []
        bounds += [f"epoch_us(known_at) <= {_microseconds('as_known_at', self.as_known_at)}"] if self.as_known_at else []
        bounds += [f"epoch_us(known_at) >= {_microseconds('known_since', self.known_since)}"] if self.known_since else []
        return " and ".join([self.where, *bounds])


def rows(settings: Settings, group: FeatureGroup, names: Sequence[str], asked: Asked) -> str:
    """SQL. Grain: customer_key × as_of_date; the named features. Raises InputNotReadyError when nothing is stored of the dates.

    Of customers who turned out not to have been there the newest revision is one without content: they have no row.
    """
    stored = lake.relation(settings, group.table, [*KEYS, *TECHNICAL, *names], first=asked.first, last=asked.last)
    order = "asc" if asked.published == "first" else "desc"
    return (
        f"select {', '.join([*KEYS, *names])} from {stored} where {asked.conditions} "
        f"qualify row_number() over (partition by {', '.join(KEYS)} order by revision {order}) = 1 and row_hash is not null"
    )


def changes(settings: Settings, group: FeatureGroup, names: Sequence[str], asked: Asked) -> str:
    """SQL. Grain: as_of_date × feature that a revision changed: rows, how many of them came or went, mean and largest change, filled.

    Each revision is compared with the one before it. Changes are absolute, null for what is no number. filled: rows that were published
    before the table had the feature; they are not among `rows`, since nothing that was told was wrong. Raises InputNotReadyError.
    """
    stored = lake.relation(settings, group.table, [*KEYS, *TECHNICAL, *names], first=asked.first, last=asked.last)
    by_row = f"over (partition by {', '.join(KEYS)} order by revision)"
    compared = ", ".join([f"lag(known_at) {by_row} as told_at", *(f"{name}, lag({name}) {by_row} as before__{name}" for name in names)])
    keys = ", ".join(KEYS)
    revised = f"{stored} where ({keys}) in (select ({keys}) from {stored} where revision > 0)"
    found = f"select * from (select {keys}, revision, known_at, {compared} from {revised}) where revision > 0 and {asked.conditions}"
    types = {group.full_name(feature): feature.type for feature in group.features}
    added = tables_log.added_at(settings, group.table)
    told = " union all ".join(_change(name, is_number=types[name] != "string", added=added.get(name)) for name in names)
    return f"(with compared as materialized ({found}) {told})"


def _change(name: str, *, is_number: bool, added: datetime | None) -> str:
    change = f"abs(cast({name} as double) - cast(before__{name} as double))" if is_number else "cast(null as double)"
    is_filled = f"epoch_us(told_at) < {_microseconds('added', added)}" if added else "false"
    return (
        f"select as_of_date, '{name}' as feature, count(*) filter (not {is_filled}) as rows, "
        f"count(*) filter (not {is_filled} and ({name} is null or before__{name} is null)) as came_or_went, avg({change}) as mean_change, "
        f"max({change}) as largest_change, count(*) filter ({is_filled}) as filled from compared where {name} is distinct from before__{name} "
        "group by as_of_date"
    )


def stored_dates(settings: Settings, groups: Iterable[FeatureGroup], *, as_known_at: datetime | None = None) -> set[date]:
    """The as-of dates that the tables of all the groups hold, or held at an instant (with a zone); none where one has no table."""
    # When a row was known is read only where it matters.
    columns = ["as_of_date", "known_at"] if as_known_at else ["as_of_date"]
    try:
        stored = [lake.relation(settings, group.table, columns) for group in groups]
    except InputNotReadyError:
        return set()
    where = Asked(as_known_at=as_known_at).conditions
    dates = " intersect ".join(f"(select distinct as_of_date from {rows} where {where})" for rows in stored)
    with lake.connect() as connection:
        return {row[0] for row in connection.sql(dates).fetchall()}


def _microseconds(name: str, at: datetime) -> int:
    """Since 1970 in UTC. Raises UsageError for an instant without a zone: it could be any of twenty-four hours."""
    if at.tzinfo is None:
        raise UsageError(f"{name} [{at}] has no zone; give one, such as datetime(…, tzinfo=ZoneInfo('Asia/Shanghai'))")
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
