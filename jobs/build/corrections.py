"""Stored feature rows that late and corrected facts concern: of which dates, of which customers.

A run of `kequn features` tells the ledger which version of every input it has seen. The notes of later commits say which
business date they touched first, and where features of that date or a later one are stored, the change feeds say whose.
Only these rows are made again, and appended as revisions where they differ: the result is that of a rebuild.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from expectations.contracts import core
from features import spine
from jobs import frames, ledger, tables
from jobs.build.facts import INPUTS
from jobs.serving import lake

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from features.spec import FeatureGroup
    from jobs.build.facts import Facts
    from jobs.context import JobContext

# Columns that tell whose a row is.
CUSTOMERS, ACCOUNT = ("customer_key", "survivor_key"), "account_key"


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What has to be made again because inputs have changed from versions `before` to `now`.

    touched: first business date that changed, by table. dates: stored as-of dates from there on, by group.
    """

    before: Mapping[str, int]
    now: Mapping[str, int]
    touched: Mapping[str, date]
    dates: Mapping[FeatureGroup, Collection[date]]

    def without(self, made: Mapping[FeatureGroup, Collection[date]]) -> Corrections | None:
        """But of the dates that are made anyway, by group; None where nothing is left."""
        left = {group: rest for group, days in self.dates.items() if (rest := set(days) - set(made.get(group, ())))}
        return replace(self, dates=left) if left else None

    @property
    def all_dates(self) -> list[date]:
        return sorted({day for days in self.dates.values() for day in days})

    @property
    def part(self) -> str:
        """Names the write: the same run, killed and begun again after more has come, corrects something else."""
        versions = json.dumps([self.before, self.now], sort_keys=True)
        return f"corrections {hashlib.sha256(versions.encode()).hexdigest()[:12]}"

    @property
    def figures(self) -> dict[str, Any]:
        return {"touched": {name: str(day) for name, day in self.touched.items()}, "dates": [str(day) for day in self.all_dates]}


def seen(settings: Settings) -> dict[str, int]:
    """Versions of all inputs; to be asked for before the inputs are read."""
    return {table.full_name: tables.version(settings, table) for table in INPUTS}


def due(context: JobContext, now: Mapping[str, int], groups: Collection[FeatureGroup]) -> Corrections | None:
    """What has changed since the newest run of `kequn features`, and the stored dates of the groups that it concerns.

    None where nothing has, no date is stored that it concerns, or no run has told what it saw. However far back a date lies:
    what the run does not correct no later one would find.
    """
    before: dict[str, int] = ledger.figures_of_newest(context.settings, "features").get("seen", {})
    touched = _touched(context.settings, before, now)
    if not touched:
        return None
    dates = _stored(context, min(touched.values()), groups)
    return Corrections(before=before, now=now, touched=touched, dates=dates) if dates else None


def concerning(settings: Settings, before: Mapping[str, int], now: Mapping[str, int], day: date) -> Corrections | None:
    """What has changed between two versions of the inputs that a date sees; None where nothing has."""
    touched = {name: first for name, first in _touched(settings, before, now).items() if first <= day}
    return Corrections(before=before, now=now, touched=touched, dates={}) if touched else None


def _touched(settings: Settings, before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, date]:
    changed = [table for table in INPUTS if before.get(table.full_name, now[table.full_name]) != now[table.full_name]]
    found = {table.full_name: tables.first_touched(settings, table, after=before[table.full_name]) for table in changed}
    return {name: date.fromisoformat(day) for name, day in found.items() if day}


def _stored(context: JobContext, since: date, groups: Collection[FeatureGroup]) -> dict[FeatureGroup, set[date]]:
    """Stored as-of dates from `since` on: of most nights the log's statistics tell that there are none. Without Spark."""
    some = [group for group in groups if tables.may_hold(context.settings, group.table, since, date.max)]
    with lake.connect() as connection:
        stored = {group: lake.relation(context.settings, group.table, ["as_of_date"], first=since) for group in some}
        rows = {
            group: connection.sql(f"select distinct as_of_date from {of} where as_of_date >= date '{since}'").fetchall()
            for group, of in stored.items()
        }
    return {group: {day for (day,) in days} for group, days in rows.items() if days}


@dataclass(frozen=True)
class Concerned:
    """Whom changes concern, made once for all who ask. `release` it."""

    facts: Facts
    _made: dict[tuple[str, date], DataFrame | None] = field(default_factory=dict)

    def by(self, corrections: Corrections, until: date) -> DataFrame | None:
        """As `customers`."""
        asked = corrections.part, until
        if asked not in self._made:
            found = customers(self.facts, corrections, until)
            self._made[asked] = found if found is None else frames.made(found)
        return self._made[asked]

    def release(self) -> None:
        for one in self._made.values():
            if one is not None:
                frames.release(one)


def customers(facts: Facts, corrections: Corrections, until: date) -> DataFrame | None:
    """Grain: customer_key, all whose rows of dates up to `until` the changes may concern; None where that is everybody.

    More customers than concerned cost time, fewer would be wrong: whoever ever held an account of a changed row is among
    them, and everybody who owns, or owned, the facts of another one of them.
    """
    concerning = [table for table in INPUTS if corrections.touched.get(table.full_name, date.max) <= until]
    if not all(_is_followed(facts.context, table, corrections) for table in concerning):
        return None
    parties = tables.read_or_empty(facts.context, core.ACCOUNT_PARTY).select("account_key", "customer_key")
    found = []
    for table in concerning:
        changed = tables.changes(facts.context, table, after=corrections.before[table.full_name]).where(f"{_day(table)} <= date'{until}'")
        if named := [name for name in CUSTOMERS if name in table.column_names]:
            found.append(changed.select(F.explode(F.array(*named)).alias("customer_key")))
            if table in {core.CUSTOMER, core.CUSTOMER_MERGE}:
                # How many live in a household is told of each of them.
                known = tables.read_or_empty(facts.context, core.CUSTOMER)
                found[-1] = spine.with_households(found[-1], known)
        if ACCOUNT in table.column_names:
            held = parties.join(F.broadcast(changed.select(ACCOUNT).distinct()), on=ACCOUNT, how="left_semi")
            found.append(held.select("customer_key"))
    return spine.with_relatives(_union(found).where("customer_key is not null").distinct(), facts.owners)


def _is_followed(context: JobContext, table: Table, corrections: Corrections) -> bool:
    """Whether the table tells whose rows changed: not where it is nobody's (a price), or its log or feed do not reach back."""
    if {*CUSTOMERS, ACCOUNT}.isdisjoint(table.column_names) or corrections.touched[table.full_name] == date.min:
        return False
    kept_since = context.started_at - timedelta(hours=context.settings.retention.vacuum_hours)
    return tables.tells_changes(context.settings, table, after=corrections.before[table.full_name], kept_since=kept_since)


def _day(table: Table) -> str:
    """SQL of the business date from which on a row counts."""
    return table.counts_from or table.date or tables.interval_of(table).start


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(lambda left, right: left.unionAll(right), frames)
