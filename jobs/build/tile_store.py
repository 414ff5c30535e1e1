"""Tiles of days and months as stored: which of them are still true, and making those that are not.

A run of `kequn features` tells the ledger which days' tiles are stored, in which version of their table, of which versions
of core tables they were made and by which declarations. Later commits of these tables say which business date they touched
first: from there on tiles are made again, so that late and corrected rows reach them, and a night reads its new days and what
they touched instead of a year. A source whose tiles are declared anew is made again as a whole, the others are not. Months are made once
they are over, of the stored days; those further back, of core tables. They are never trimmed.
The days of a long history are made by months, so many together as find place (jobs/build/passes.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
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
from jobs.build import declarations
from jobs.build.dates import between, within
from jobs.build.facts import Facts
from jobs.build.passes import passes
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from features.spec import Source
    from jobs.context import JobContext
    from jobs.tables import Written

ROOT = Path(__file__).parents[2]
# The code that makes tiles of facts.
MAKERS = ("features/tiles.py", "features/months.py", "features/margin.py", "jobs/build/facts.py", "jobs/build/tile_store.py")
# What a source's tiles are made of: first its facts.
MADE_OF = {
    TRANSACTION.name: (core.TRANSACTION,),
    CHANNEL.name: (core.CHANNEL_EVENT, core.RATE),
    BALANCE.name: (core.BALANCE_DAILY, core.ACCOUNT, core.PRODUCT, core.RATE),
}


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Tiles of business dates since[source]..until (of months those that are over by then), made of these versions of
    core tables; made_by: by source (`maker`).

    kept_in: by source the version of its table that holds them. made_again: by source from which date on this run made tiles again that
    were stored, and why.
    """

    since: Mapping[str, date]
    until: date
    versions: Mapping[str, int]
    made_by: Mapping[str, str]
    kept_in: Mapping[str, int]
    made_again: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Any]:
        since = {name: str(day) for name, day in self.since.items()}
        return {
            "since": since, "until": str(self.until), "versions": dict(self.versions), "made_by": dict(self.made_by), "kept_in": dict(self.kept_in),
            "made_again": dict(self.made_again),
        }  # fmt: skip

    def true_until(self, settings: Settings, source: Source) -> date:
        """Last business date whose tiles are as core tables tell now, and as they were left: not where somebody deleted rows."""
        stale, _ = self.stale_from(settings, source)
        return min(self.until, _day_before(stale))

    def stale_from(self, settings: Settings, source: Source) -> tuple[date, str]:
        """First business date whose tiles are not true any more, and why: the first of all where none can be trusted, the last where all can."""
        if self.made_by.get(source.name) != maker(source):
            return date.min, "its columns, or the code that makes its tiles, were others"
        after = {table: self.versions[table.full_name] for table in made_of(source)} | {source.table: self.kept_in[source.name]}
        days = [(day, table) for table, known in after.items() if (day := tables.first_touched(settings, table, after=known))]
        if not days:
            return date.max, ""
        touched = [(date.fromisoformat(day), table) for day, table in days]
        first, table = min(
            ((first_fact(source, day) if table is source.table else day, table) for day, table in touched), key=lambda one: one[0]
        )
        if first == date.min:
            return first, f"[{table.full_name}] has commits since version [{after[table]}] that do not tell which dates they touched"
        return first, f"[{table.full_name}] has late or corrected rows since version [{after[table]}]"


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

    All that is missing or not true any more is made again, also after the last as-of date. `--force` makes everything again.
    """
    context = facts.context
    before = recorded(context.settings)
    kept = None if context.request.force else before
    versions = {table.full_name: tables.version(context.settings, table) for made_of in MADE_OF.values() for table in made_of}
    openings = {source.name: facts.opening(source) for source in TILED}
    stale = {source: kept.stale_from(context.settings, source) for source in TILED} if kept else {}
    after = Stored(
        since={name: min(day, kept.since.get(name, day)) for name, day in openings.items()} if kept else openings,
        until=max(before.until, facts.last) if before else facts.last, versions=versions,
        made_by={source.name: maker(source) for source in TILED}, kept_in={},
    )  # fmt: skip
    lacking = {
        source: _lacking(source, kept, stale[source][0], after) if kept else [(after.since[source.name], after.until)]
        for source in TILED if not source.days
    }  # fmt: skip
    written = side_by_side(partial(_make, context, source, spans, after) for source, spans in lacking.items())
    # Months are made of the days that are stored by now.
    untrue = {source: min(stale[source][0], _day_after(kept.until)) if kept else date.min for source in TILED if source.days}
    written += side_by_side(partial(_make_months, context, source, day.replace(day=1), after) for source, day in untrue.items())
    told = {
        source.name: {"from": str(max(day, after.since[source.name])), "because": because}
        for source, (day, because) in stale.items() if kept and source.name in kept.since and day <= kept.until
    }  # fmt: skip
    kept_in = {source.name: tables.version(context.settings, source.table) for source in TILED}
    return (
        {source.name: _read(facts, source, after) for source in TILED},
        [one for each in written for one in each],
        replace(after, kept_in=kept_in, made_again=told),
    )


def _read(facts: Facts, source: Source, stored: Stored) -> DataFrame:
    since, opening = stored.since[source.name], facts.opening(source)
    levels_add_up = source.kind is Kind.STEPS and since < opening
    found = tables.read(facts.context, source.table).where(between("business_date", since if levels_add_up else opening, facts.last))
    return tiles.opened(found, source, opening) if levels_add_up else found


def _lacking(source: Source, kept: Stored, stale: date, after: Stored) -> list[tuple[date, date]]:
    """Business dates whose tiles are missing or not true any more (`stale` and later ones), from each first to each last."""
    first = after.since[source.name]
    # A source that is declared since has no tiles yet: it is made as a whole.
    known = kept.since.get(source.name, first)
    untrue = min(stale, _day_after(kept.until))
    # The first tiles of levels hold all that was there before: with tiles before them they are others.
    if first < known and (source.kind is Kind.STEPS or untrue <= known):
        return [(first, after.until)]
    spans = [(first, _day_before(known)), (max(known, untrue), after.until)]
    return [(since, until) for since, until in spans if since <= until]


def _day_before(day: date) -> date:
    return day - timedelta(days=1) if day > date.min else day


def _day_after(day: date) -> date:
    return day + timedelta(days=1)


def _make(context: JobContext, source: Source, spans: Sequence[tuple[date, date]], after: Stored) -> list[Written]:
    with declarations.explained(source):
        return [_store(context, source, *part, after) for span in spans for part in _parts(context.settings, source, *span)]


def _parts(settings: Settings, source: Source, first: date, last: date) -> list[tuple[date, date]]:
    """The business dates from first to last by months, so many together as their facts find place: there are hardly more tiles."""
    days = [first + timedelta(days=nth) for nth in range((last - first).days + 1)]
    of_months = [day for day in days if day.day == 1 or day == first]
    starts = [some[0] for some in passes(of_months, tables.rows(settings, made_of(source)[0], first, last), [source.table])]
    return list(zip(starts, [*map(_day_before, starts[1:]), last], strict=True))


def _store(context: JobContext, source: Source, first: date, last: date, after: Stored) -> Written:
    facts = Facts(context, last, last, reach=(last - first).days + 1, known_from=after.since[source.name])
    made = facts.tiles(source).where(within("business_date", first, last)).select(*(c.name for c in source.table.columns))
    where, part = between("business_date", first, last), "" if last == after.until else f"until {last}"
    return tables.replace(context, source.table, made, where=where, dates=(first, last), may_be_empty=True, part=part)


def _make_months(context: JobContext, source: Source, since: date, after: Stored) -> list[Written]:
    """Make the tiles of the months from `since` on (the first of a month) that are over by the last business date."""
    last = _day_before(_day_after(after.until).replace(day=1))
    if since > last:
        return []
    assert source.days is not None
    with declarations.explained(source):
        if since >= after.since[source.days.name]:
            of_days = tables.read(context, source.days.table).where(between("business_date", since, last))
        else:
            of_days = Facts(context, last, last, reach=(last - since).days + 1).tiles(source.days)
        made = months.month_tiles(of_days, source).select(*(column.name for column in source.table.columns))
        dates = (_day_after(since), _day_after(last))
        return [tables.replace(context, source.table, made, where=between("business_date", *dates), dates=dates, may_be_empty=True)]
