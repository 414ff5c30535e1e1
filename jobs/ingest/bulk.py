"""Bulk files and databases without manifests: each feed is a query over them, delivered as if night by night; manifests are synthesised.

A row is delivered for the first day that the source covers from its own date on: what falls into a gap comes on the
first day after it, what is older than the history on its first day. Known from midnight UTC after the day.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import frames
from jobs.errors import ConfigurationError, InputNotReadyError
from jobs.ingest import databases, reading
from jobs.ingest.expressions import RAW
from jobs.ingest.files import different_columns
from jobs.ingest.landing import Delivery, LandedFile
from jobs.ingest.reading import AT, BLOCK, CORRUPT, FILE, PLACE
from jobs.ingest.refusal import Breach, DeliveryRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from conf.sources import BulkTable, Feed, SourceMapping, Span
    from jobs.context import JobContext
    from jobs.ingest.order import Order


def _paths(folder: Path, table: BulkTable) -> list[Path]:
    paths = [folder / name for name in table.files]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise InputNotReadyError(f"Bulk files {missing} are not there; set KEQUN_LANDING to the folder that holds them")
    return paths


def digests(folder: Path, mapping: SourceMapping) -> dict[str, str]:
    """sha256 of every bulk file; a database has none. Raises InputNotReadyError, DataRejectedError for a header that differs."""
    found = {}
    for table in mapping.tables.values():
        for path in _paths(folder, table):
            content = path.read_bytes()
            _check_header(path, content, table)
            found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def _check_header(path: Path, content: bytes, table: BulkTable) -> None:
    first = content.split(b"\n", 1)[0].decode(table.encoding).strip()
    delivered = [name.strip().strip('"') for name in first.split(table.separator)]
    problems = different_columns(delivered, table.columns)
    if problems:
        breaches = [Breach(rule=rule, said=f"[{path.name}]: {said}") for rule, said in problems]
        raise DeliveryRejectedError("; ".join(one.said for one in breaches), breaches)


def delivered(context: JobContext, order: Order, name: str, feed: Feed) -> tuple[DataFrame, list[Delivery]]:
    """A bulk feed's rows for the order's days (as jobs.ingest.reading gives them) and the synthesised deliveries."""
    from pyspark.sql import functions as F

    rows = frames.made(_rows(context, order, name, feed))
    counts = {row["delivered_for"]: row["count"] for row in rows.groupBy("delivered_for").count().collect()}
    _check_complete(context, order, name, feed, sum(counts.values()))
    wanted = rows.where(F.col("delivered_for").between(order.days[0], order.days[-1])) if order.days else rows.limit(0)
    return wanted, _deliveries(context, order, name, counts)


def _rows(context: JobContext, order: Order, name: str, feed: Feed) -> DataFrame:
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F

    assert feed.bulk is not None
    mapping = order.mapping
    for table_name, table in mapping.tables.items():
        _read(context, order, table_name, table).createOrReplaceTempView(table_name)
    try:
        queried = context.spark.sql(feed.bulk.rows)
        dated = queried.withColumn("dated__", F.expr(feed.bulk.delivered_for).cast("date"))
    except AnalysisException as error:
        reason = str(error).split("\n", 1)[0]
        described = {one: list(table.columns) for one, table in mapping.tables.items()}
        raise ConfigurationError(
            f"[conf/sources/{mapping.source}.yml: {name}: bulk] can't be run: {reason}. Tables: {described}"
        ) from error
    missing = sorted(set(feed.columns) - set(dated.columns))
    if missing:
        raise ConfigurationError(f"[conf/sources/{mapping.source}.yml: {name}: bulk] gives no columns {missing}; it gives {dated.columns}")
    # A row that the query makes by itself stands in no file.
    for place, type_ in ((CORRUPT, "string"), (FILE, "string"), (BLOCK, "bigint"), (AT, "bigint")):
        if place not in dated.columns:
            dated = dated.withColumn(place, F.lit(None).cast(type_))
    day = _delivered_for(F.col("dated__"), mapping.history)
    rows = dated.select(
        *(F.when(F.trim(column) != "", F.col(column)).alias(f"{RAW}{column}") for column in feed.columns), *PLACE,
        day.alias("delivered_for"), F.to_timestamp(F.date_add(day, 1)).alias("produced_at"),
    )  # fmt: skip
    return reading.with_secret(context, rows)


def _read(context: JobContext, order: Order, name: str, table: BulkTable) -> DataFrame:
    """Grain: line of the table's files, or row of its query; every column as text, and the place, if it has one."""
    from pyspark.sql import functions as F

    if table.jdbc:
        # A range that lies in a gap of the source asks for nothing.
        return databases.read(context.spark, name, table, order.days or (context.request.since,))
    schema = ", ".join(f"`{name}` string" for name in table.columns) + f", {CORRUPT} string"
    paths = [str(path) for path in _paths(context.settings.landing, table)]
    frame = (
        context.spark.read.schema(schema)
        .options(header=True, sep=table.separator, quote='"', encoding=table.encoding, mode="PERMISSIVE", columnNameOfCorruptRecord=CORRUPT)
        .csv(paths)
    )  # fmt: skip
    return frame.select(
        *table.columns, CORRUPT, F.col("_metadata.file_path").alias(FILE), F.col("_metadata.file_block_start").alias(BLOCK),
        F.monotonically_increasing_id().alias(AT),
    )  # fmt: skip


def _delivered_for(day: Column, history: Sequence[Span]) -> Column:
    from pyspark.sql import functions as F

    first, last = F.lit(history[0].since), F.lit(history[-1].until)
    chosen = F.when(day.isNull() | (day < first), first)
    for span in history:
        chosen = chosen.when(day <= F.lit(span.until), F.greatest(day, F.lit(span.since)))
    return chosen.otherwise(last)


def _check_complete(context: JobContext, order: Order, name: str, feed: Feed, rows: int) -> None:
    """Every line or row of the tables that a feed is made `of` has become a row."""
    assert feed.bulk is not None
    lines = sum(_count(context, table, order.mapping.tables[table]) for table in feed.bulk.of)
    if feed.bulk.of and lines != rows:
        said = f"Feed [{name}] gives [{rows}] rows of [{lines}] lines in {list(feed.bulk.of)}; its query in conf/sources/{order.mapping.source}.yml loses or doubles rows"
        raise DeliveryRejectedError(said, [Breach(rule="lines_become_rows", said=said, feed=name)])


def _count(context: JobContext, name: str, table: BulkTable) -> int:
    # The table is a view already, and a database may have got rows since: of what was read, as far as anybody can tell.
    return context.spark.table(name).count() if table.jdbc else sum(map(_lines, _paths(context.settings.landing, table)))


def _lines(path: Path) -> int:
    """Data lines: the header is none, and neither is a blank one."""
    return sum(1 for line in path.read_bytes().splitlines() if line.strip()) - 1


def _deliveries(context: JobContext, order: Order, name: str, counts: dict[date, int]) -> list[Delivery]:
    digest = hashlib.sha256(str(sorted(digests(context.settings.landing, order.mapping).items())).encode()).hexdigest()
    return [
        Delivery(
            feed=name, business_date=day, produced_at=datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC),
            source=order.mapping.source, folder=context.settings.landing, rows=counts.get(day, 0), control=None, digest=digest,
            files=(LandedFile(path=Path(name), rows=counts.get(day, 0), sha256=digest, bytes=0),),
        )
        for day in order.days
    ]  # fmt: skip
