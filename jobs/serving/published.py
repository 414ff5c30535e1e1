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
BY_ROW = f"over (partition by {', '.join(KEYS)} order by revision)"


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
    keys, is_asked = ", ".join(KEYS), f"revision > 0 and {asked.conditions}"
    types = {group.full_name(feature): feature.type for feature in group.features}
    added = tables_log.added_at(settings, group.table)
    # A name comes as a number that tells it from others. One list for all: what is said of each of hundreds takes longer to analyse than to run.
    told = ", ".join(f"cast({name if types[name] != 'string' else f'if({name} is null, null, hash({name}))'} as double)" for name in names)
    features = ", ".join(
        f"('{name}', {str(types[name] != 'string').lower()}, {_microseconds('added', added[name]) if name in added else 'null'})"
        for name in names
    )
    # Other revisions are read of the rows alone that are asked for.
    compared = (
        f"select as_of_date, revision, known_at, told, lag(known_at) {BY_ROW} as told_at, lag(told) {BY_ROW} as told_before "
        f"from (select {keys}, revision, known_at, [{told}] as told from {stored} where ({keys}) in (select ({keys}) from {stored} where {is_asked}))"
    )
    each = f"select as_of_date, told_at, unnest([{features}]) as of, unnest(told) as value, unnest(told_before) as before from ({compared}) where {is_asked}"
    differing = (
        "select as_of_date, of[1] as feature, coalesce(epoch_us(told_at) < of[3], false) as is_filled, value is null or before is null as is_other, "
        f"case when of[2] then abs(value - before) end as change from ({each}) where value is distinct from before"
    )
    return (
        "(select as_of_date, feature, count(*) filter (not is_filled) as rows, count(*) filter (not is_filled and is_other) as came_or_went, "
        f"avg(change) as mean_change, max(change) as largest_change, count(*) filter (is_filled) as filled from ({differing}) group by as_of_date, feature)"
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
