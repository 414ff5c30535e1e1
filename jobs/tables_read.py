"""Reading Delta tables with Spark: whole, in force, as valid or known on a day."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jobs.errors import InputNotReadyError, InvariantError
from jobs.tables_log import lacking, location, log, version

if TYPE_CHECKING:
    from datetime import date

    from deltalake import DeltaTable as DeltaLog
    from pyspark.sql import Column, DataFrame

    from expectations.contracts.types import Interval, Table
    from jobs.context import JobContext

# With more of them Delta's statistics, which pass over files, are worth their query.
PLAIN_FILES = 1000


def read(context: JobContext, table: Table, *, at_version: int | None = None) -> DataFrame:
    """The table's rows in the contract's columns. Raises InputNotReadyError when it, or one of these, does not exist yet."""
    opened = log(context.settings, table)
    if opened is None:
        raise InputNotReadyError(
            f"Table [{table.full_name}] does not exist under [{context.settings.warehouse}]; run the job that writes it first"
        )
    if missing := lacking(opened, table.column_names):
        raise InputNotReadyError(f"Table [{table.full_name}] has no columns {missing} yet; run the job that writes it first")
    if at_version is None and _is_plain(opened):
        return _files(context, table, opened)
    reader = context.spark.read.format("delta")
    if at_version is not None:
        reader = reader.option("versionAsOf", at_version)
    return reader.load(location(context.settings, table)).select(*table.column_names)


def _is_plain(opened: DeltaLog) -> bool:
    """Whether the rows are those of the log's Parquet files as they are, and the files few enough to name them."""
    is_basic = opened.protocol().min_reader_version == 1  # no deletion vectors, no renamed columns
    return is_basic and len(opened.file_uris()) <= PLAIN_FILES


def _files(context: JobContext, table: Table, opened: DeltaLog) -> DataFrame:
    """The current files, listed without Spark: Delta's own scan runs a query over the log for every read, which in a small
    night costs more than the rows.
    """
    from pyspark.sql.types import StructType

    schema, files = StructType.fromJson(json.loads(opened.schema().to_json())), opened.file_uris()
    if not files:
        return context.spark.createDataFrame([], schema).select(*table.column_names)
    reader = context.spark.read.schema(schema).option("basePath", location(context.settings, table))
    return reader.parquet(*files).select(*table.column_names)


def read_or_empty(context: JobContext, table: Table) -> DataFrame:
    """Like `read`, with no rows where the table does not exist yet."""
    if version(context.settings, table) < 0:
        return context.spark.createDataFrame([], table.ddl)
    return read(context, table)


def changes(context: JobContext, table: Table, *, after: int) -> DataFrame:
    """Rows that commits after a version brought, changed or took away: as they were and as they became, by the change feed."""
    reader = context.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", after + 1)
    return reader.load(location(context.settings, table)).select(*table.column_names)


def current(frame: DataFrame, table: Table) -> DataFrame:
    """The images in force now: one row per key."""
    from pyspark.sql import functions as F

    return frame.where(F.col(interval_of(table).end).isNull())


def valid_on(frame: DataFrame, table: Table, day: date | Column) -> DataFrame:
    """The images in force on a day (valid tables) or known at an instant (known tables): one row per key."""
    from pyspark.sql import functions as F

    interval = interval_of(table)
    at = day if not hasattr(day, "isoformat") else F.lit(day)
    return frame.where((F.col(interval.start) <= at) & (F.col(interval.end).isNull() | (F.col(interval.end) > at)))


def interval_of(table: Table) -> Interval:
    """The table's interval columns. Raises InvariantError for a table that keeps none."""
    if table.interval is None:
        raise InvariantError(f"[{table.full_name}] keeps no intervals; it is written as [{table.write}]")
    return table.interval
