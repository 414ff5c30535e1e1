"""Landed files as frames: strictly, every delivered column as text; what can't be parsed stays as text.

Grain of what is read: delivered row. Columns: `raw__<column>` (blank is null), `corrupt__` (the text of a row that has not
the declared columns), `file__`, `block__`, `at__` (place in the file), delivered_for, produced_at, `secret__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.ingest import keys
from jobs.ingest.expressions import RAW
from jobs.ingest.functions import SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession

    from conf.sources import Feed
    from jobs.context import JobContext
    from jobs.ingest.landing import Delivery

CORRUPT, FILE, BLOCK, AT = "corrupt__", "file__", "block__", "at__"
PLACE = (CORRUPT, FILE, BLOCK, AT)
# The secret comes as data: a literal would be spelled by every plan, in errors and in Spark's pages.
KNOWN_DDL = f"delivered_for date, produced_at timestamp, {SECRET} string"

# Small files are packed into few tasks and decoded by any of Java's charsets.
READING = {
    "spark.sql.files.openCostInBytes": str(128 * 1024),
    "spark.sql.legacy.javaCharsets": "true",
    # With pruning a row with too many or too few values would pass where few columns are asked for.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
}


def prepare(spark: SparkSession) -> None:
    """Session settings that reading needs."""
    for name, value in READING.items():
        spark.conf.set(name, value)


def landed(context: JobContext, feed: Feed, deliveries: Sequence[Delivery]) -> DataFrame:
    """The rows of a feed's deliveries, one scan over all their files."""
    from pyspark.sql import functions as F

    paths = [str(file.path) for delivery in deliveries for file in delivery.files if file.rows or feed.format == "csv"]
    if not paths:
        return _nothing(context, feed)
    rows = _placed(_reader(context.spark, feed), paths, feed)
    secret = keys.secret(context.settings)
    known = context.spark.createDataFrame([(one.business_date, one.produced_at, secret) for one in deliveries], KNOWN_DDL)
    day = F.to_date(F.regexp_extract(FILE, r"business_date=(\d{4}-\d{2}-\d{2})", 1))
    return rows.withColumn("delivered_for", day).join(F.broadcast(known), on="delivered_for", how="left")


def with_secret(context: JobContext, rows: DataFrame) -> DataFrame:
    """The rows with the secret beside each."""
    from pyspark.sql import functions as F

    return rows.crossJoin(F.broadcast(context.spark.createDataFrame([(keys.secret(context.settings),)], f"{SECRET} string")))


def _reader(spark: SparkSession, feed: Feed) -> DataFrameReader:
    columns = ", ".join(f"`{name}` string" for name in feed.columns)
    schema = columns if feed.format == "parquet" else f"{columns}, {CORRUPT} string"
    reader = spark.read.schema(schema)
    if feed.format == "parquet":
        return reader
    return reader.options(encoding=feed.encoding, mode="PERMISSIVE", columnNameOfCorruptRecord=CORRUPT)


def _placed(reader: DataFrameReader, paths: list[str], feed: Feed) -> DataFrame:
    """Rows with the file they stand in and their place there."""
    from pyspark.sql import functions as F

    if feed.format == "csv":
        frame = reader.options(header=True, sep=feed.separator, quote='"', escape='"').csv(paths)
    elif feed.format == "json":
        frame = reader.json(paths)
    else:
        frame = reader.parquet(*paths).withColumn(CORRUPT, F.lit(None).cast("string"))
    at = "_metadata.row_index" if feed.format == "parquet" else F.monotonically_increasing_id()
    block = F.lit(0).cast("bigint") if feed.format == "parquet" else F.col("_metadata.file_block_start")
    return frame.select(
        *(_text(name).alias(f"{RAW}{name}") for name in feed.columns),
        CORRUPT, F.col("_metadata.file_path").alias(FILE), block.alias(BLOCK), (F.col(at) if isinstance(at, str) else at).alias(AT),
    )  # fmt: skip


def _text(name: str) -> Column:
    """The column's text; blank is null."""
    from pyspark.sql import functions as F

    return F.when(F.trim(F.col(f"`{name}`")) != "", F.col(f"`{name}`"))


def _nothing(context: JobContext, feed: Feed) -> DataFrame:
    raw = ", ".join(f"`{RAW}{name}` string" for name in feed.columns)
    return context.spark.createDataFrame([], f"{raw}, {CORRUPT} string, {FILE} string, {BLOCK} bigint, {AT} bigint, {KNOWN_DDL}")
