"""56 window columns over transactions: from stored day tiles and states, and recomputed from events in Spark and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, DataFrameWriter
from pyspark.sql import functions as F

from benchmarks.bank import EVE, NIGHT, Home
from benchmarks.contest import Answer
from expectations.contracts import core
from features import dialect, in_duckdb, seen, tiles, windows
from features.operations import LONGEST_WINDOW, Operation
from features.sources.transaction import TRANSACTION
from features.spec import Wanted
from features.states import frames as states_of
from features.states.stream import state_column
from jobs import frames, tables
from jobs.build.dates import between
from jobs.build.facts import planned_once
from jobs.context import JobContext
from jobs.serving import lake
from jobs.threads import side_by_side

WINDOWS = (7, 30, 90, 365)
# Of each kind that SQL knows too: sums, extrema, days.
MEASURES = (
    "initiated_count", "initiated_out_count", "initiated_out", "out", "in_count", "out_count", "income", "purchase_count", "purchase",
    "cash_count", "online_count", "fee", "largest_out", "active_days",
)  # fmt: skip
WANTED = tuple(
    Wanted(source=TRANSACTION, measure=measure, window=window)
    for name in MEASURES for measure in TRANSACTION.measures if measure.name == name
    for window in WINDOWS
)  # fmt: skip
NAMES = tuple(item.column for item in WANTED)
STATE = ("customer_key", "as_of_date", state_column(TRANSACTION.name))
# Of customers of whom nothing is seen some engines have a row of zeros, others none.
SEEN = "transaction_in_count_365d + transaction_out_count_365d > 0"
COLUMNS = tuple({column.name: column for item in WANTED for column in item.tile_columns}.values())
_SQL = {
    Operation.SUM: "sum({seen} {name} else 0 end)",
    Operation.MAX: "max({seen} {name} end)",
    Operation.DAYS: "sum({seen} sign({name}) else 0 end)",
}


def aggregate(item: Wanted, day: str) -> str:
    """SQL over day tiles for an as-of date; day: SQL of it."""
    assert item.window is not None
    assert item.measure.operation is not None
    seen = f"case when business_date > {day} - interval '{item.window}' day then"
    return f"cast({_SQL[item.measure.operation].format(seen=seen, name=item.measure.column)} as bigint) as {item.column}"


def day_tiles_sql(events: str, first: date, last: date) -> str:
    """SQL: grain customer_key × business_date, of the columns that WANTED needs."""
    partials = ", ".join(f"cast({column.partial} as bigint) as {column.name}" for column in COLUMNS)
    where = f"customer_key is not null and business_date between date '{first}' and date '{last}'"
    return f"select customer_key, business_date, {partials} from {events} where {where} group by customer_key, business_date"


def recompute_sql(events: str, day: date) -> str:
    columns = ", ".join(aggregate(item, f"date '{day}'") for item in WANTED)
    first = day - timedelta(days=LONGEST_WINDOW - 1)
    return f"select customer_key, date '{day}' as as_of_date, {columns} from ({day_tiles_sql(events, first, day)}) group by customer_key"


# --- ours


def store_tiles(context: JobContext, first: date, last: date) -> None:
    """The tiles of some days: a night adds those of its own."""
    days = between("business_date", first, last)
    events = tables.current(tables.read(context, core.TRANSACTION), core.TRANSACTION).where(days)
    made = tiles.transaction_tiles(events).select(*(column.name for column in TRANSACTION.table.columns))
    tables.replace(context, TRANSACTION.table, made, where=days, dates=(first, last))


def swept(context: JobContext, dates: Sequence[date]) -> DataFrame:
    first = min(dates) - timedelta(days=LONGEST_WINDOW - 1)
    stored = tables.read(context, TRANSACTION.table).where(between("business_date", first, max(dates)))
    return windows.swept({TRANSACTION: stored}, WANTED, dates)


def states_of_eve(context: JobContext, into: Path) -> None:
    """What the night before leaves behind: window states of the wanted measures, as a Delta table."""
    _delta(_rolled(context, None, EVE).select(*STATE)).save(str(into))


def night(context: JobContext, states: Path, into: Path) -> None:
    """The night's tiles, windows and states, all committed; the states take the place of the eve's."""
    store_tiles(context, NIGHT, NIGHT)
    roll(context, states, into)


def roll(context: JobContext, states: Path, into: Path) -> None:
    """A night whose tiles are there."""
    with planned_once(context.spark):
        rolled = frames.made(_rolled(context, context.spark.read.format("delta").load(str(states)), NIGHT))
    state = rolled.select(*STATE).write.format("delta").mode("overwrite")
    side_by_side((partial(written, rolled, into), partial(state.save, str(states))))
    frames.release(rolled)


def _rolled(context: JobContext, states: DataFrame | None, day: date) -> DataFrame:
    tiles_ = {TRANSACTION: tables.read(context, TRANSACTION.table)}
    return states_of.rolled(states, tiles_, WANTED, since=None if states is None else EVE, as_of=day)


# --- others


def recomputed(context: JobContext, into: Path) -> None:
    events = tables.current(tables.read(context, core.TRANSACTION), core.TRANSACTION)
    events.where(between("business_date", NIGHT - timedelta(days=LONGEST_WINDOW - 1), NIGHT)).createOrReplaceTempView("events")
    written(context.spark.sql(recompute_sql("events", NIGHT)), into)


def recomputed_in_duckdb(home: Home, into: Path) -> None:
    """Over the same files; one Parquet file instead of a commit."""
    first = NIGHT - timedelta(days=LONGEST_WINDOW - 1)
    end = tables.interval_of(core.TRANSACTION).end
    names = [column.name for column in core.TRANSACTION.columns]
    events = lake.relation(home.settings, core.TRANSACTION, [*names, end], first=first, last=NIGHT)
    into.mkdir(parents=True)
    with lake.connect() as connection:
        connection.execute("set threads = 2")
        current = f"(select * from {events} where {end} is null)"
        connection.execute(f"copy ({recompute_sql(current, NIGHT)}) to '{into / 'rows.parquet'}' (format parquet, compression zstd)")


# --- both


def written(frame: DataFrame, into: Path) -> None:
    values = (f"cast({name} as bigint) as {name}" for name in NAMES)
    _delta(frame.selectExpr("customer_key", "as_of_date", *values)).mode("append").save(str(into))


def _delta(frame: DataFrame) -> DataFrameWriter:
    """Statistics of the key alone, as in the product's tables."""
    return frame.write.format("delta").option("delta.dataSkippingStatsColumns", "customer_key,as_of_date")


def answer(into: Path, where: str = "true") -> Answer:
    """Of the Parquet files below the folder, of which none is removed yet."""
    columns = ", ".join(["customer_key", "as_of_date", *NAMES])
    with duckdb.connect() as connection:
        sql = f"select count(*), sum(hash({columns})::hugeint) from read_parquet('{into}/**/*.parquet') where {where}"
        rows, checksum = connection.execute(sql).fetchone() or (0, 0)
    return Answer(rows=rows, checksum=str(checksum))


# --- labels at any time, from tiles


def drawn_from_tiles(home: Home, labels: pa.Table) -> pa.Table:
    """Grain: the labels' (customer_key × as_of_date) that see a tile; WANTED. DuckDB reads and sorts, the kernel answers; no JVM."""
    days = pc.min_max(labels.column("as_of_date")).as_py()
    names = ["customer_key", "business_date", *(column.name for column in TRANSACTION.columns)]
    stored = lake.relation(
        home.settings, TRANSACTION.table, names, first=days["min"] - timedelta(days=LONGEST_WINDOW - 1), last=days["max"]
    )
    with lake.connect() as connection:
        connection.execute("set threads = 2")
        for statement in dialect.macros():
            connection.execute(statement)
        return in_duckdb.measures_swept(connection, {TRANSACTION: seen.owned(stored, None)}, {TRANSACTION: WANTED}, labels)


def range_joined(context: JobContext, labels: DataFrame) -> DataFrame:
    """The same in Spark, by a join of every label with every tile that it sees."""
    stored = tables.read(context, TRANSACTION.table).select("customer_key", "business_date", *(column.name for column in COLUMNS))
    seen = (F.col("business_date") <= F.col("as_of_date")) & (F.col("business_date") > F.date_sub("as_of_date", LONGEST_WINDOW))
    pairs = stored.join(
        F.broadcast(labels.withColumnRenamed("customer_key", "label_key")), how="inner", on=seen & F.expr("customer_key = label_key")
    )
    return pairs.groupBy("customer_key", "as_of_date").agg(*(F.expr(aggregate(item, "as_of_date")) for item in WANTED))
