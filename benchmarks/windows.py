"""56 window columns over transactions: from stored day tiles by the kernel, and recomputed from events in Spark and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.bank import NIGHT, Home
from benchmarks.contest import Answer
from expectations.contracts import core
from features import tiles, windows
from features.sources.transaction import TRANSACTION
from features.spec import LONGEST_WINDOW, Operation, Wanted
from jobs import tables
from jobs.build.dates import between
from jobs.context import JobContext
from jobs.serving import lake

WINDOWS = (7, 30, 90, 365)
# Of each kind that SQL knows too: sums, extrema, days.
MEASURES = (
    "initiated_count", "initiated_out_count", "initiated_out", "out", "transfer_in", "out_count", "income", "purchase_count", "purchase",
    "cash_count", "online_count", "fee", "largest_out", "active_days",
)  # fmt: skip
WANTED = tuple(
    Wanted(source=TRANSACTION, measure=measure, window=window)
    for name in MEASURES for measure in TRANSACTION.measures if measure.name == name
    for window in WINDOWS
)  # fmt: skip
NAMES = tuple(item.column for item in WANTED)
COLUMNS = tuple({column.name: column for item in WANTED for column in item.tile_columns}.values())
_SQL = {
    Operation.SUM: "sum({seen} {name} else 0 end)",
    Operation.MAX: "max({seen} {name} end)",
    Operation.DAYS: "sum({seen} sign({name}) else 0 end)",
}


def aggregate(item: Wanted, day: date) -> str:
    """SQL over day tiles for an as-of date."""
    assert item.window is not None
    assert item.measure.operation is not None
    seen = f"case when business_date > date '{day - timedelta(days=item.window)}' then"
    return f"cast({_SQL[item.measure.operation].format(seen=seen, name=item.measure.column)} as bigint) as {item.column}"


def day_tiles_sql(events: str, first: date, last: date) -> str:
    """SQL: grain customer_key × business_date, of the columns that WANTED needs."""
    partials = ", ".join(f"cast({column.partial} as bigint) as {column.name}" for column in COLUMNS)
    where = f"customer_key is not null and business_date between date '{first}' and date '{last}'"
    return f"select customer_key, business_date, {partials} from {events} where {where} group by customer_key, business_date"


def recompute_sql(events: str, day: date) -> str:
    columns = ", ".join(aggregate(item, day) for item in WANTED)
    first = day - timedelta(days=LONGEST_WINDOW - 1)
    return f"select customer_key, date '{day}' as as_of_date, {columns} from ({day_tiles_sql(events, first, day)}) group by customer_key"


# --- ours


def store_tiles(context: JobContext, day: date) -> None:
    """What a night adds: the tiles of its day."""
    events = tables.current(tables.read(context, core.TRANSACTION), core.TRANSACTION).where(between("business_date", day, day))
    made = tiles.transaction_tiles(events).select(*(column.name for column in TRANSACTION.table.columns))
    tables.replace(context, TRANSACTION.table, made, where=between("business_date", day, day))


def swept(context: JobContext, dates: Sequence[date]) -> DataFrame:
    first = min(dates) - timedelta(days=LONGEST_WINDOW - 1)
    stored = tables.read(context, TRANSACTION.table).where(between("business_date", first, max(dates)))
    return windows.swept({TRANSACTION: stored}, WANTED, dates)


def night(context: JobContext, into: Path) -> None:
    store_tiles(context, NIGHT)
    written(swept(context, [NIGHT]), into)


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
    frame.select("customer_key", "as_of_date", *(F.col(item.column).cast("bigint") for item in WANTED)).write.format("delta").mode(
        "append"
    ).save(str(into))


def answer(into: Path, where: str = "true") -> Answer:
    """Of the Parquet files below the folder, of which none is removed yet."""
    columns = ", ".join(["customer_key", "as_of_date", *NAMES])
    with duckdb.connect() as connection:
        sql = f"select count(*), sum(hash({columns})::hugeint) from read_parquet('{into}/**/*.parquet') where {where}"
        rows, checksum = connection.execute(sql).fetchone() or (0, 0)
    return Answer(rows=rows, checksum=str(checksum))
