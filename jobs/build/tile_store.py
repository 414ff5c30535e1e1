"""Tiles of days and months as stored: which of them are still true, and making those that are not.

A run of `kequn features` tells the ledger which days' tiles are stored, in which version of their table, of which versions
of core tables they were made and by which declarations. Later commits of these tables say which business date they touched
first: from there on tiles are made again, so that late and corrected rows reach them, and a night reads its new days and what
they touched instead of a year. A source whose tiles are declared anew is made again as a whole, the others are not. Months are made once
they are over, of the stored days; those further back, of core tables. They are never trimmed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.contracts import core
from features import months, tiles
from features.catalogue import TILED
from features.sources.balance import BALANCE
from features.sources.channel import CHANNEL
from features.sources.transaction import TRANSACTION
from features.spec import Kind
from jobs import ledger, tables
from jobs.build.dates import between, within
from jobs.build.facts import Facts
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from features.spec import Source
    from jobs.context import JobContext
    from jobs.tables import Written

ROOT = Path(__file__).parents[2]
# The code that makes tiles of facts.
MAKERS = ("features/tiles.py", "features/months.py", "features/margin.py", "jobs/build/facts.py", "jobs/build/tile_store.py")
# What a source's tiles are made of.
MADE_OF = {
    TRANSACTION.name: (core.TRANSACTION,),
    CHANNEL.name: (core.CHANNEL_EVENT, core.RATE),
    BALANCE.name: (core.BALANCE_DAILY, core.ACCOUNT, core.PRODUCT, core.RATE),
}


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Tiles of business dates since[source]..until (of months those that are over by then), made of these versions of
    core tables; made_by: by source (`maker`).

    kept_in: by source the version of its table that holds them.
    """

    since: Mapping[str, date]
    until: date
    versions: Mapping[str, int]
    made_by: Mapping[str, str]
    kept_in: Mapping[str, int]

    @property
    def figures(self) -> dict[str, Any]:
        since = {name: str(day) for name, day in self.since.items()}
        return {
            "since": since, "until": str(self.until), "versions": dict(self.versions), "made_by": dict(self.made_by), "kept_in": dict(self.kept_in),
        }  # fmt: skip

    def true_until(self, settings: Settings, source: Source) -> date:
        """Last business date whose tiles are as core tables tell now, and as they were left: not where somebody deleted rows."""
        if self.made_by.get(source.name) != maker(source):
            return date.min
        touched = [tables.first_touched(settings, table, after=self.versions[table.full_name]) for table in made_of(source)]
        if left := tables.first_touched(settings, source.table, after=self.kept_in[source.name]):
            touched.append(str(first_fact(source, date.fromisoformat(left))))
        stale = min((date.fromisoformat(day) for day in touched if day), default=date.max)
        return min(self.until, stale - timedelta(days=1)) if stale > date.min else date.min


def made_of(source: Source) -> tuple[Table, ...]:
    return MADE_OF[(source.days or source).name]


def first_fact(source: Source, day: date) -> date:
    """The first business date whose facts are in the source's tiles of a day."""
    return (day - timedelta(days=1)).replace(day=1) if source.days and day > date.min else day


@cache
def maker(source: Source) -> str:
    """Digest of what decides a source's tiles: their columns, and the code that makes them. Measures and windows take no part."""
    beneath = (
        [column for column in source.days.columns if any(f"`{column.name}`" in one.sql for one in source.columns)] if source.days else []
    )
    columns = repr([(column.name, column.sql, str(column.merge)) for column in (*source.columns, *beneath)])
    code = [(ROOT / name).read_bytes() for name in MAKERS]
    return hashlib.sha256(b"\n".join([columns.encode(), *code])).hexdigest()[:12]


def recorded(settings: Settings) -> Stored | None:
    """What the newest run of `kequn features` stored; None where nothing is known."""
    told = ledger.figures_of_newest(settings, "features").get("tiles")
    if not told or "made_by" not in told:
        return None
    since = {name: date.fromisoformat(day) for name, day in told["since"].items()}
    return Stored(since=since, until=date.fromisoformat(told["until"]), **{name: told[name] for name in ("versions", "made_by", "kept_in")})


def trusted(facts: Facts) -> dict[str, DataFrame]:
    """Stored tiles by source, of those sources whose tiles are all stored and true for what the as-of dates see."""
    settings = facts.context.settings
    stored = recorded(settings)
    if stored is None:
        return {}
    true = [
        source for source in TILED
        if stored.since.get(source.name, date.max) <= facts.opening(source) and stored.true_until(settings, source) >= facts.last
    ]  # fmt: skip
    return {source.name: _read(facts, source, stored) for source in true}


def brought_up_to_date(facts: Facts) -> tuple[dict[str, DataFrame], list[Written], Stored]:
    """Tiles by source for what the as-of dates see, with what was written, and what is stored now.

    All that is not true any more is made again, also after the last as-of date. `--force` makes everything again.
    """
    context = facts.context
    before = None if context.request.force else recorded(context.settings)
    versions = {table.full_name: tables.version(context.settings, table) for made_of in MADE_OF.values() for table in made_of}
    # A source that is declared since is made as a whole, the others are not.
    kept = before if before and all(before.since.get(source.name, date.min) <= facts.opening(source) for source in TILED) else None
    after = Stored(
        since={source.name: facts.opening(source) for source in TILED} | dict(kept.since if kept else {}),
        until=max(kept.until, facts.last) if kept else facts.last, versions=versions,
        made_by={source.name: maker(source) for source in TILED}, kept_in={},
    )  # fmt: skip
    written = side_by_side(partial(_make, facts, source, kept, after) for source in TILED if not source.days)
    # Months are made of the days that are stored by now.
    written += side_by_side(partial(_make_months, facts, source, source.days, kept, after) for source in TILED if source.days)
    kept_in = {source.name: tables.version(context.settings, source.table) for source in TILED}
    return {source.name: _read(facts, source, after) for source in TILED}, [one for one in written if one], replace(after, kept_in=kept_in)


def _read(facts: Facts, source: Source, stored: Stored) -> DataFrame:
    since, opening = stored.since[source.name], facts.opening(source)
    levels_add_up = source.kind is Kind.STEPS and since < opening
    found = tables.read(facts.context, source.table).where(between("business_date", since if levels_add_up else opening, facts.last))
    return tiles.opened(found, source, opening) if levels_add_up else found


def _make(facts: Facts, source: Source, kept: Stored | None, after: Stored) -> Written | None:
    """Make the source's tiles that are missing or not true any more; None where there are none."""
    if kept is None:
        return _store(facts.context, source, facts, since=facts.opening(source))
    since = max(after.since[source.name], kept.true_until(facts.context.settings, source) + timedelta(days=1))
    if since > after.until:
        return None
    reach = (after.until - since).days + 1
    made_again = Facts(facts.context, after.until, after.until, reach=reach, known_from=after.since[source.name])
    return _store(facts.context, source, made_again, since=since)


def _make_months(facts: Facts, source: Source, days: Source, kept: Stored | None, after: Stored) -> Written | None:
    """Make the tiles of those months that are over by the last business date, and missing or not true any more; None where there are none."""
    true = kept.true_until(facts.context.settings, source) if kept else date.min
    since = date.min if true == date.min else (true + timedelta(days=1)).replace(day=1)
    last = (after.until + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    if since > last:
        return None
    if since >= after.since[days.name]:
        of_days = tables.read(facts.context, days.table).where(between("business_date", since, last))
    else:
        of_days = Facts(facts.context, last, last, reach=(last - since).days + 1).tiles(days)
    made = months.month_tiles(of_days, source).select(*(column.name for column in source.table.columns))
    dates = (since + timedelta(days=1), last + timedelta(days=1))
    return tables.replace(facts.context, source.table, made, where=between("business_date", *dates), dates=dates, may_be_empty=True)


def _store(context: JobContext, source: Source, facts: Facts, *, since: date) -> Written:
    made = facts.tiles(source).where(within("business_date", since, facts.last)).select(*(c.name for c in source.table.columns))
    where = between("business_date", since, facts.last)
    return tables.replace(context, source.table, made, where=where, dates=(since, facts.last), may_be_empty=True)
