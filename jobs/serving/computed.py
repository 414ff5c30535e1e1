"""Features of dates that are not stored: made of stored day tiles and core tables by DuckDB, equal to what a rebuild in Spark gives.

As is known now: day tiles do not keep what they were.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from expectations.contracts import core
from features import catalogue, in_duckdb, margin
from features.catalogue import TILED
from features.in_duckdb import features_of
from features.operations import HORIZON, LONGEST_WINDOW
from features.sources.credit import CREDIT
from features.spec import Kind
from features.spine import Merged
from jobs import tables
from jobs.build import tile_store
from jobs.build.facts import PRICED_KINDS, opening_of
from jobs.serving import lake

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from features.spec import FeatureGroup, Source

ASKED, PRICES, OWNERS = "asked", "prices", "owners"
SOURCE_TABLES = {table.full_name: table for table in (core.CREDIT_ACCOUNT, core.CREDIT_INSTALMENT, core.DEPOSIT_INSTALMENT)}


def answered(settings: Settings) -> tuple[date, date] | None:
    """First and last as-of date of which all day tiles are stored, and true to what core tables tell now; None where there is none."""
    stored = tile_store.recorded(settings)
    if stored is None:
        return None
    # Openings lie the same distance before every as-of date: the first date is as far after the first tile.
    first = max(stored.since[source.name] + (date.max - opening_of(source, _since(date.max))) for source in TILED if not source.days)
    last = min(stored.true_until(settings, source) for source in TILED)
    return (first, last) if first <= last else None


def tells(groups: Sequence[FeatureGroup]) -> bool:
    """Whether the groups can be computed: in their current versions only."""
    return all(group in catalogue.GROUPS for group in groups)


def told(settings: Settings, groups: Sequence[FeatureGroup]) -> str:
    """Of which dates features can be made, for a message."""
    if not tells(groups):
        return f"only current versions are computed for other dates, and {[one.version_name for one in groups if one not in catalogue.GROUPS]} are none"
    if span := answered(settings):
        return f"day tiles answer for dates from [{span[0]}] to [{span[1]}]"
    return "there are no day tiles that are true to the core tables and made by this code: run `kequn features` first"


def everybody(settings: Settings, names: Sequence[str], day: date) -> pa.Table:
    """Grain: customer_key × as_of_date, every customer open on the day, in order; the named features."""
    import pyarrow as pa

    return _made(settings, names, pa.table({"as_of_date": pa.array([day], pa.date32())}), each=False)


def each(settings: Settings, names: Sequence[str], asked: pa.Table) -> pa.Table:
    """Grain: customer_key × as_of_date of `asked` (no row twice) with the customer open on the date; the named features."""
    return _made(settings, names, asked, each=True)


def _since(first: date) -> date:
    """First business date that an as-of date sees."""
    return first - timedelta(days=HORIZON - 1)


def _made(settings: Settings, names: Sequence[str], asked: pa.Table, *, each: bool) -> pa.Table:
    import pyarrow.compute as pc

    bounds = pc.min_max(asked.column("as_of_date")).as_py()
    with lake.connect() as connection:
        connection.register(ASKED, asked)
        return features_of(connection, _Known(settings, connection, bounds["min"], bounds["max"]).core, names, ASKED, each=each)


class _Known:
    """What jobs.build.facts.Facts is to Spark: the facts for as-of dates within [first, last], as relations of a connection."""

    def __init__(self, settings: Settings, connection: DuckDBPyConnection, first: date, last: date) -> None:
        self.settings, self.connection, self.first, self.last = settings, connection, first, last

    @property
    def core(self) -> in_duckdb.Core:
        self.connection.register(PRICES, in_duckdb.price_table(self.prices))
        return in_duckdb.Core(
            customers=self.images(core.CUSTOMER), account_parties=self.images(core.ACCOUNT_PARTY), accounts=self.images(core.ACCOUNT),
            products=self.images(core.PRODUCT), deposit_plans=self.current(core.DEPOSIT_PLAN), tiles=self.tiles, owners=self.owners,
        )  # fmt: skip

    def images(self, table: Table, *, since: date | None = None, until: date | None = None) -> str:
        """All images but those of deleted keys; of a table of many months those of dates from `since` to `until` (the last as-of date)."""
        interval = tables.interval_of(table)
        names = [*(column.name for column in table.columns), interval.start, interval.end]
        if since is None:
            rows = lake.relation_or_empty(self.settings, table, names)
            return f"(select * from {rows} where {interval.end} is null or {interval.end} > {interval.start})"
        last = until or self.last
        rows = lake.relation_or_empty(self.settings, table, names, first=since, last=last)
        return f"(select * from {rows} where {table.date} between date '{since}' and date '{last}')"

    def current(self, table: Table, *, since: date | None = None, until: date | None = None) -> str:
        return f"(select * from {self.images(table, since=since, until=until)} where {tables.interval_of(table).end} is null)"

    @property
    def owners(self) -> str | None:
        rows = self.rows(f"select customer_key, survivor_key, merged_on from {self.current(core.CUSTOMER_MERGE)}")
        owned = in_duckdb.ownership_table([Merged(customer_key=row[0], survivor_key=row[1], merged_on=row[2]) for row in rows])
        if owned is None:
            return None
        self.connection.register(OWNERS, owned)
        return OWNERS

    @property
    def prices(self) -> list[margin.Price]:
        kinds = ", ".join(f"'{kind}'" for kind in PRICED_KINDS)
        rates = self.rows(f"select kind, code, value_ppm, valid_from, valid_to from {self.images(core.RATE)} where kind in ({kinds})")
        products = self.rows(f"select product_code, min(family) from {self.images(core.PRODUCT)} group by product_code")
        return margin.prices(
            products, [margin.Rate(kind=kind, code=code, value_ppm=ppm, valid_from=a, valid_to=b) for kind, code, ppm, a, b in rates]
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection.sql(sql).fetchall()
        return found

    def tiles(self, source: Source) -> str:
        """Day tiles over all business dates that the as-of dates see; levels add up from the first tile on."""
        since = _since(self.first)
        if not source.is_stored:
            # A contract's state holds until it changes, however long ago; an instalment may be paid long after it was due, or before.
            reach, until = (date.min, self.last) if source is CREDIT else (since - timedelta(days=LONGEST_WINDOW), date.max)
            return in_duckdb.unstored_tiles(source, self.current(SOURCE_TABLES[source.reads], since=reach, until=until), PRICES)
        stored = tile_store.recorded(self.settings)
        # Tiles before the first that is recorded may be left of an earlier beginning: its levels are in that one.
        first = stored.since[source.name] if stored and source.kind is Kind.STEPS else since
        opening = date.min if source.days else first
        names = [column.name for column in source.table.columns]
        rows = lake.relation_or_empty(self.settings, source.table, names, first=opening, last=self.last)
        return f"(select * from {rows} where business_date between date '{opening}' and date '{self.last}')"
