"""Core facts × (customer × as-of date) → features in DuckDB: the same declarations, texts and kernel as in Spark, without a JVM.

Partials are equal exactly, finished doubles to 1e-9 relative (two engines' logarithms and roots may differ in the last bit). Pure: relations
of a connection in, an Arrow table out; jobs.serving names the files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features import catalogue, dialect, seen, stream
from features.sources.credit import CREDIT
from features.sources.holding import PLAN
from features.spine import OWNERSHIP_DDL, ownership
from features.tiles import PRICE_DDL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from features.margin import Price
    from features.spec import Source, Wanted
    from features.spine import Merged

KEYS = ("customer_key", "as_of_date")
SPINE, SPANS, SWEPT = "open_customers", "spans", "measured_by_the_kernel"
BATCH_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class Core:
    """What is known, as relations: names, or queries in brackets. The frames of features.engine.Core.

    tiles: the day tiles of a source, over all business dates that the as-of dates see. owners: of spine.OWNERSHIP_DDL, None where nobody merged.
    """

    customers: str
    account_parties: str
    accounts: str
    products: str
    deposit_plans: str
    tiles: Callable[[Source], str]
    owners: str | None = None


def features_of(connection: DuckDBPyConnection, core: Core, names: Sequence[str], asked: str, *, each: bool) -> pa.Table:
    """Grain: open customer × as_of_date that is asked for, in that order; the named features.

    asked: a relation of as_of_date, for everybody, or (each) of customer_key × as_of_date; no row twice.
    Raises OverflowError for a value whose sum could be no 64-bit integer.
    """
    for statement in dialect.macros():
        connection.execute(statement)
    _make(connection, SPINE, seen.spine(core.customers, asked, core.owners, each=each))
    features = {name: catalogue.feature(name) for name in names}
    sqls = tuple(feature.sql for feature in features.values())
    wanted = {source: items for source in catalogue.SOURCES if (items := source.wanted_by(sqls))}
    measured = _measured(connection, core, wanted)
    filled = ", ".join([f"{SPINE}.*", *(seen.filled(item) for items in wanted.values() for item in items)])
    joins = "".join(f" left join {name} using ({', '.join(KEYS)})" for name in measured)
    finished = ", ".join(seen.finished(name, feature) for name, feature in features.items())
    text = f"select {', '.join(KEYS)}, {finished} from (select {filled} from {SPINE}{joins}) order by {', '.join(KEYS)}"
    return connection.sql(dialect.in_duckdb(text)).to_arrow_table()


def _make(connection: DuckDBPyConnection, name: str, text: str) -> None:
    connection.execute(f"create or replace temp table {name} as select * from {dialect.in_duckdb(text)}")


def _measured(connection: DuckDBPyConnection, core: Core, wanted: Mapping[Source, Sequence[Wanted]]) -> list[str]:
    """Names of relations that hold the measures; grain customer × as_of_date of SPINE with facts."""
    found = []
    swept = {source: items for source, items in wanted.items() if source.is_swept}
    if swept:
        asked = connection.sql(f"select customer_key, as_of_date from {SPINE}").to_arrow_table()
        owned = {source: seen.owned(core.tiles(source), core.owners) for source in swept}
        connection.register(SWEPT, measures_swept(connection, owned, swept, asked))
        found.append(SWEPT)
    for source, items in wanted.items():
        if source not in swept:
            found.append(f"measured_{source.name}")
            _make(connection, found[-1], seen.measures(_seen(core, source), items))
    return found


def _seen(core: Core, source: Source) -> str:
    """Grain: contract's step or state × as_of_date of SPINE that sees it."""
    if source is CREDIT:
        return seen.seen_steps(seen.owned(seen.credit_steps(core.tiles(source)), core.owners), SPINE, each=True)
    if source is PLAN:
        return seen.seen_plans(seen.owned(core.deposit_plans, core.owners), SPINE, each=True)
    return seen.seen_holdings(seen.owned(core.account_parties, core.owners), core.accounts, core.products, SPINE, each=True)


def measures_swept(
    connection: DuckDBPyConnection, tiles: Mapping[Source, str], wanted: Mapping[Source, Sequence[Wanted]], asked: pa.Table
) -> pa.Table:
    """Grain: customer_key × as_of_date of `asked` (no row twice, any order) that sees a tile; one column per wanted measure. DuckDB reads and
    sorts, the kernel answers.

    tiles: relations, owned. Raises OverflowError for a value whose sum could be no 64-bit integer.
    """
    pairs = asked.sort_by([(key, "ascending") for key in KEYS])
    day = pairs.column("as_of_date").cast(pa.int32()).to_numpy().astype(np.int64)
    each = stream.Each(pairs.column("customer_key").to_numpy(), day)
    sources = [stream.asked_of(source, items) for source, items in wanted.items()]
    connection.register(SPANS, each.spans)
    rows = " union all ".join(
        f"select * from {seen.tile_rows(tiles[one.source], one, position, spans=SPANS)}" for position, one in enumerate(sources)
    )
    ordered = f"select * from ({rows}) order by customer_key"
    batches = connection.sql(dialect.in_duckdb(ordered)).to_arrow_reader(BATCH_ROWS)
    columns = [(item.column, pa.int64()) for items in wanted.values() for item in items]
    schema = pa.schema([("customer_key", pa.int64()), ("as_of_date", pa.date32()), *columns])
    return pa.Table.from_batches(stream.measured(batches, sources, each), schema)


# --- what is known, from core tables ------------------------------------------------------------------------------------


def unstored_tiles(source: Source, facts: str, prices: str) -> str:
    """Day tiles of a source of which none are stored, made of the current images of its core table. prices: of tiles.PRICE_DDL."""
    return seen.day_tiles(seen.credit_changes(facts, prices) if source is CREDIT else seen.instalment_events(facts), source)


def price_table(prices: Sequence[Price]) -> pa.Table:
    """Grain: product_code × [since, until); columns of tiles.PRICE_DDL."""
    return pa.Table.from_pylist([asdict(price) for price in prices], _schema(PRICE_DDL))


def ownership_table(merges: Sequence[Merged]) -> pa.Table | None:
    """Grain: merged key × [owned_from, owned_to); columns of spine.OWNERSHIP_DDL. None where nobody merged."""
    lines = ownership(merges)
    return pa.Table.from_pylist([asdict(line) for line in lines], _schema(OWNERSHIP_DDL)) if lines else None


def _schema(ddl: str) -> pa.Schema:
    kinds = {"bigint": pa.int64(), "date": pa.date32(), "string": pa.string()}
    return pa.schema([(name, kinds[kind]) for name, kind in (column.split() for column in ddl.split(", "))])
