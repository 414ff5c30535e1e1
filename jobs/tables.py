"""The only module that reads and writes Delta tables. One engine for each way of writing (contracts' Write).

Every write is exactly once: its Delta transaction is (table | job | scope | partition, generation), so a run that was
killed after a commit and is started again skips that commit. The commit's userMetadata names the run, what it counted
and the first date it touched: the ledger is repaired from it, and readers of a date learn what concerns them.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable as DeltaLog
from deltalake.exceptions import TableNotFoundError

from expectations.contracts.types import VALID, Table, Write
from jobs.errors import ConfigurationError, ConflictError, DataRejectedError, InputNotReadyError, InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from conf.settings import Settings
    from jobs.context import JobContext

TXN_APP = "spark.databricks.delta.write.txnAppId"
TXN_VERSION = "spark.databricks.delta.write.txnVersion"
COMMIT_NOTE = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write did. `rows_in = inserted + updated + unchanged`; version is the table's after it."""

    table: str
    version: int
    rows_in: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    first_date: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.removed)


# --- where, and whether -------------------------------------------------------------------------------------------


def location(settings: Settings, table: Table) -> str:
    return f"{settings.warehouse}/{table.layer}/{table.name}"


def log(settings: Settings, table: Table) -> DeltaLog | None:
    """The table's Delta log without a JVM; None when the table does not exist."""
    try:
        return DeltaLog(location(settings, table))
    except TableNotFoundError:
        return None


def version(settings: Settings, table: Table) -> int:
    """Current Delta version, -1 for a table that does not exist."""
    opened = log(settings, table)
    return -1 if opened is None else opened.version()


def commits(settings: Settings, table: Table) -> list[dict[str, Any]]:
    """Notes of the table's commits that carry one, newest first; each with its `version`."""
    opened = log(settings, table)
    notes = []
    for entry in opened.history() if opened else []:
        note = entry.get("userMetadata")
        if note:
            notes.append({"version": entry["version"], **json.loads(note)})
    return notes


# --- reading ------------------------------------------------------------------------------------------------------


def read(context: JobContext, table: Table, *, at_version: int | None = None) -> DataFrame:
    """The table's rows in the contract's columns. Raises InputNotReadyError when it does not exist yet."""
    if version(context.settings, table) < 0:
        raise InputNotReadyError(
            f"Table [{table.full_name}] does not exist under [{context.settings.warehouse}]; run the job that writes it first"
        )
    reader = context.spark.read.format("delta")
    if at_version is not None:
        reader = reader.option("versionAsOf", at_version)
    return reader.load(location(context.settings, table)).select(*table.column_names)


def read_or_empty(context: JobContext, table: Table) -> DataFrame:
    """Like `read`, with no rows where the table does not exist yet."""
    if version(context.settings, table) < 0:
        return context.spark.createDataFrame([], table.ddl)
    return read(context, table)


def current(frame: DataFrame, table: Table) -> DataFrame:
    """The images in force now: one row per key."""
    from pyspark.sql import functions as F

    return frame.where(F.col(_interval(table).end).isNull())


def valid_on(frame: DataFrame, table: Table, day: date | Column) -> DataFrame:
    """The images in force on a day (valid tables) or known at an instant (known tables): one row per key."""
    from pyspark.sql import functions as F

    interval = _interval(table)
    at = day if not hasattr(day, "isoformat") else F.lit(day)
    return frame.where((F.col(interval.start) <= at) & (F.col(interval.end).isNull() | (F.col(interval.end) > at)))


def _interval(table: Table) -> Any:
    if table.interval is None:
        raise InvariantError(f"[{table.full_name}] keeps no intervals; it is written as [{table.write}]")
    return table.interval


# --- writing ------------------------------------------------------------------------------------------------------


def content_hash(columns: Sequence[str]) -> Column:
    """64-bit hash of columns; which of them are null takes part, as xxhash64 by itself skips nulls."""
    from pyspark.sql import functions as F

    return F.xxhash64(*[F.col(name) for name in columns], *[F.col(name).isNull() for name in columns])


def _month(table: Table) -> Column:
    from pyspark.sql import functions as F

    return (F.year(F.col(str(table.date))) * 100 + F.month(F.col(str(table.date)))).cast("int")


def _with_month(table: Table, frame: DataFrame) -> DataFrame:
    return frame.withColumn("month", _month(table)) if "month" in table.partition_by else frame


def create(context: JobContext, table: Table) -> None:
    """Create the table as its contract says, if it is not there."""
    from delta.tables import DeltaTable
    from pyspark.sql.types import StructType

    if version(context.settings, table) >= 0:
        return
    builder = (
        DeltaTable.createIfNotExists(context.spark)
        .location(location(context.settings, table))
        .addColumns(StructType.fromDDL(table.ddl))
        .property("delta.enableChangeDataFeed", str(table.change_feed).lower())
        .property("delta.dataSkippingStatsColumns", ",".join(_statistics(table)))
    )
    if table.partition_by:
        builder = builder.partitionedBy(*table.partition_by)
    try:
        builder.execute()
    except Exception as error:
        raise _explained(error, context, table) from error


def _statistics(table: Table) -> list[str]:
    wanted = [*table.key, *([table.date] if table.date else []), *([table.interval.start] if table.interval else [])]
    return list(dict.fromkeys(name for name in wanted if name not in table.partition_by))


@contextmanager
def _commit(context: JobContext, table: Table, written: dict[str, Any]) -> Iterator[None]:
    """The session confs of one exactly-once commit, set for the block and always cleared: they would else stay."""
    request = context.request
    confs = {
        TXN_APP: f"{table.full_name}|{request.job}|{request.scope}|{request.partition}",
        TXN_VERSION: str(context.generation),
        COMMIT_NOTE: json.dumps(
            {"run_id": context.run_id, "job": request.job, "scope": request.scope, "partition": request.partition, **written}
        ),
    }
    for name, value in confs.items():
        context.spark.conf.set(name, value)
    try:
        yield
    except Exception as error:
        raise _explained(error, context, table) from error
    finally:
        for name in confs:
            context.spark.conf.unset(name)


def _explained(error: Exception, context: JobContext, table: Table) -> Exception:
    """Delta's and the file system's failures as the kinds that a scheduler knows; others unchanged."""
    text = str(error)
    if "DELTA_CONCURRENT" in text or "Concurrent" in type(error).__name__ or "ConcurrentModification" in text:
        return ConflictError(f"Another run wrote [{table.full_name}] at the same time for [{context.request.partition}]; try again")
    if "Permission denied" in text or "Mkdirs failed" in text or "Read-only file system" in text or "AccessDenied" in text:
        return ConfigurationError(f"[{location(context.settings, table)}] can't be written; check paths.warehouse and its rights")
    return error


def _done(context: JobContext, table: Table, before: int, counted: dict[str, Any]) -> Written:
    """What was written, read back from the commit: a skipped one is an earlier attempt's, whose counts then hold."""
    request = context.request
    mine = (request.job, request.scope, request.partition)
    for note in commits(context.settings, table):
        if note["version"] > before and note["run_id"] == context.run_id:
            return Written(table=table.full_name, version=note["version"], **counted)
        if (note["job"], note["scope"], note["partition"]) == mine:
            earlier = {name: note[name] for name in counted if name in note}
            return Written(table=table.full_name, version=note["version"], **earlier)
    raise InvariantError(f"[{table.full_name}] holds no commit of [{mine}], neither of this run nor of an earlier attempt")


def _unchanged(context: JobContext, table: Table, rows: int) -> Written:
    return Written(table=table.full_name, version=version(context.settings, table), rows_in=rows, unchanged=rows)


def _append(context: JobContext, table: Table, frame: DataFrame) -> None:
    frame.select(*table.column_names).write.format("delta").mode("append").save(location(context.settings, table))


def append(context: JobContext, table: Table, frame: DataFrame) -> Written:
    """Append facts, exactly once per generation."""
    _expect(table, Write.APPEND)
    create(context, table)
    frame = _with_month(table, frame).persist()
    try:
        rows = frame.count()
        if not rows:
            return _unchanged(context, table, 0)
        before = version(context.settings, table)
        counted = {"rows_in": rows, "inserted": rows}
        with _commit(context, table, counted):
            _append(context, table, frame)
        return _done(context, table, before, counted)
    finally:
        frame.unpersist()


def replace(context: JobContext, table: Table, frame: DataFrame, *, where: str, may_be_empty: bool = False) -> Written:
    """Make `frame` the content of the slice `where`; no commit when it is that already.

    An equal slice is left alone because replaceWhere would put a delete and an insert per row into the change feed.
    Raises DataRejectedError for an empty frame unless `may_be_empty`, since it would delete the slice.
    """
    from pyspark.sql import functions as F

    _expect(table, Write.REPLACE)
    create(context, table)
    frame = _with_month(table, frame).select(*table.column_names).persist()
    digest = [F.count(F.lit(1)).alias("rows"), F.sum(content_hash(table.column_names).cast("decimal(38,0)")).alias("digest")]
    if table.date:
        digest.append(F.min(table.date).alias("first_date"))
    try:
        new = frame.agg(*digest).first()
        old = read(context, table).where(where).agg(*digest).first()
        assert new is not None and old is not None  # noqa: S101, PT018 an aggregate without groups has one row
        if not new["rows"] and not may_be_empty:
            raise DataRejectedError(f"Nothing to write to [{table.full_name}] where [{where}]; an empty frame would delete the slice")
        if (new["rows"], new["digest"]) == (old["rows"], old["digest"]):
            return _unchanged(context, table, new["rows"])
        before = version(context.settings, table)
        first = str(new["first_date"]) if table.date and new["first_date"] else ""
        counted = {"rows_in": new["rows"], "inserted": new["rows"], "removed": old["rows"], "first_date": first}
        with _commit(context, table, counted):
            frame.write.format("delta").mode("overwrite").option("replaceWhere", where).save(location(context.settings, table))
        return _done(context, table, before, counted)
    finally:
        frame.unpersist()


def merge_intervals(context: JobContext, table: Table, incoming: DataFrame) -> Written:
    """Take in images of keys, whatever the order they arrive in; every key's intervals stay gapless and exact.

    incoming: one row per key × interval start, in the contract's columns and the start column. An image equal to the
    one before it is `unchanged` and not stored; one that arrives late is put where its start belongs.
    """
    _expect(table, Write.INTERVALS)
    create(context, table)
    actions = _interval_actions(context, table, incoming).persist()
    try:
        counts = _count_actions(table, actions)
        if not counts.pop("changes"):
            return _unchanged(context, table, counts["rows_in"])
        rewrites = counts.pop("rewrites")
        months = counts.pop("months")
        before = version(context.settings, table)
        changed = actions.where("action is not null")
        with _commit(context, table, counts):
            if rewrites:
                _merge_actions(context, table, changed, months)
            else:
                _append(context, table, changed)
        return _done(context, table, before, counts)
    finally:
        actions.unpersist()


def _interval_actions(context: JobContext, table: Table, incoming: DataFrame) -> DataFrame:
    """Grain: key × start over incoming and the stored images of the touched keys, with what to do about each."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    interval = _interval(table)
    key, start = list(table.key), interval.start
    columns = [column.name for column in table.columns]
    month = ["month"] if "month" in table.partition_by else []
    new = _with_month(table, incoming).select(
        *columns, *month, start, content_hash(table.content).alias("row_hash"), F.lit(True).alias("is_incoming"),
        F.lit(None).cast(interval.type).alias("stored_end"), F.lit(None).cast("bigint").alias("stored_hash"),
    )  # fmt: skip
    images = new
    if version(context.settings, table) > 0:
        touched = incoming.select(*key).distinct()
        stored = read(context, table).join(touched, on=key, how="left_semi")
        images = new.unionByName(
            stored.select(
                *columns, *month, start, "row_hash", F.lit(False).alias("is_incoming"),
                F.coalesce(interval.end, F.lit("9999-01-01").cast(interval.type)).alias("stored_end"), F.col("row_hash").alias("stored_hash"),
            )  # fmt: skip
        )
    same = Window.partitionBy(*key, start).orderBy(F.col("is_incoming").desc())
    whole = Window.partitionBy(*key, start).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    by_key = Window.partitionBy(*key).orderBy(start)
    return (
        images.select(
            "*",
            F.row_number().over(same).alias("nth"),
            F.max("stored_hash").over(whole).alias("was_hash"),
            F.max("stored_end").over(whole).alias("was_end"),
        )
        .where("nth = 1")
        .withColumn("previous_hash", F.lag("row_hash").over(by_key))
        .withColumn("is_kept", F.col("previous_hash").isNull() | (F.col("previous_hash") != F.col("row_hash")))
        .withColumn(
            interval.end,
            F.min(F.when(F.col("is_kept"), F.col(start))).over(by_key.rowsBetween(1, Window.unboundedFollowing)),
        )
        .withColumn("action", _action(interval.end, interval.type))
    )


def _action(end: str, type_: str) -> Column:
    """insert, update or delete; null where the stored image is right already."""
    from pyspark.sql import functions as F

    is_new = F.col("was_hash").isNull()
    differs = (F.col("was_hash") != F.col("row_hash")) | (F.coalesce(F.col(end), F.lit("9999-01-01").cast(type_)) != F.col("was_end"))
    return (
        F.when(is_new & F.col("is_kept"), "insert")
        .when(~is_new & ~F.col("is_kept"), "delete")
        .when(~is_new & differs, "update")
    )  # fmt: skip


def _count_actions(table: Table, actions: DataFrame) -> dict[str, Any]:
    """One pass: what came in, what it was, what has to be done, and that every touched key keeps one current image."""
    from pyspark.sql import functions as F

    interval = _interval(table)
    known, equal = F.col("was_hash").isNotNull(), F.col("was_hash") == F.col("row_hash")
    unchanged = (known & equal) | (~known & (F.col("previous_hash") == F.col("row_hash")))
    inserted = ~known & F.col("previous_hash").isNull()
    incoming, kept = F.col("is_incoming"), F.col("is_kept")
    date_column = table.date or (interval.start if interval == VALID else None)
    counted = actions.agg(
        F.count_if(incoming).alias("rows_in"),
        F.count_if(incoming & F.coalesce(unchanged, F.lit(False))).alias("unchanged"),
        F.count_if(incoming & F.coalesce(inserted, F.lit(False))).alias("inserted"),
        F.count_if(F.col("action") == "delete").alias("removed"),
        F.count_if(F.col("action").isNotNull()).alias("changes"),
        F.count_if(F.col("action") != "insert").alias("rewrites"),
        F.count_if(kept & F.col(interval.end).isNull()).alias("current"),
        F.count_if(F.col("previous_hash").isNull()).alias("keys"),
        (F.min(F.when(F.col("action").isNotNull(), F.col(date_column))) if date_column else F.lit(None)).alias("first_date"),
        (F.collect_set(F.when(F.col("action").isNotNull(), F.col("month"))) if "month" in table.partition_by else F.lit(None)).alias("months"),
    ).first()
    assert counted is not None  # noqa: S101 an aggregate without groups has one row
    figures: dict[str, Any] = counted.asDict()
    if figures.pop("current") != (keys := figures.pop("keys")):
        raise InvariantError(f"[{table.full_name}] would not hold one current image for each of [{keys}] touched keys {list(table.key)}")
    figures["updated"] = figures["rows_in"] - figures["unchanged"] - figures["inserted"]
    figures["first_date"] = str(figures["first_date"] or "")
    return figures


def _merge_actions(context: JobContext, table: Table, actions: DataFrame, months: Sequence[int] | None) -> None:
    from delta.tables import DeltaTable

    start = _interval(table).start
    on = " and ".join(f"t.{name} = s.{name}" for name in (*table.key, start))
    if months:
        on += f" and t.month in ({', '.join(str(month) for month in sorted(months))})"
    values = {name: f"s.{name}" for name in table.column_names}
    (
        DeltaTable.forPath(context.spark, location(context.settings, table)).alias("t")
        .merge(actions.alias("s"), on)
        .whenMatchedDelete("s.action = 'delete'")
        .whenMatchedUpdate(set=values)
        .whenNotMatchedInsert(values=values)
        .execute()
    )  # fmt: skip


def append_revisions(context: JobContext, table: Table, frame: DataFrame) -> Written:
    """Publish rows of key × date: revision 0 where nothing was published, one more where the content differs.

    frame: one row per contract key (which includes the date), in the contract's columns.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    _expect(table, Write.REVISIONS)
    create(context, table)
    key = list(table.key)
    new = _with_month(table, frame).withColumn("row_hash", content_hash(table.content))
    if version(context.settings, table) > 0:
        dates = frame.select(str(table.date)).distinct()
        newest = Window.partitionBy(*key).orderBy(F.col("revision").desc())
        last = (
            read(context, table).join(F.broadcast(dates), on=str(table.date), how="left_semi")
            .select(*key, "row_hash", "revision").withColumn("nth", F.row_number().over(newest)).where("nth = 1")
            .select(*key, F.col("row_hash").alias("last_hash"), F.col("revision").alias("last_revision"))
        )  # fmt: skip
        new = new.join(last, on=key, how="left")
    else:
        new = new.withColumn("last_hash", F.lit(None).cast("bigint")).withColumn("last_revision", F.lit(None).cast("int"))
    new = (
        new.withColumn("revision", F.coalesce(F.col("last_revision") + 1, F.lit(0)))
        .withColumn("known_at", F.lit(context.started_at))
        .withColumn("differs", F.col("last_hash").isNull() | (F.col("last_hash") != F.col("row_hash")))
        .persist()
    )
    try:
        counted = new.agg(
            F.count(F.lit(1)).alias("rows_in"),
            F.count_if(F.col("last_hash").isNull()).alias("inserted"),
            F.count_if(F.col("differs") & F.col("last_hash").isNotNull()).alias("updated"),
            F.min(F.when(F.col("differs"), F.col(str(table.date)))).alias("first_date"),
        ).first()
        assert counted is not None  # noqa: S101 an aggregate without groups has one row
        figures: dict[str, Any] = counted.asDict()
        if not figures["rows_in"]:
            raise DataRejectedError(f"Nothing to publish to [{table.full_name}]; the spine of [{context.request.partition}] is empty")
        figures["unchanged"] = figures["rows_in"] - figures["inserted"] - figures["updated"]
        figures["first_date"] = str(figures["first_date"] or "")
        if not figures["inserted"] and not figures["updated"]:
            return _unchanged(context, table, figures["rows_in"])
        before = version(context.settings, table)
        with _commit(context, table, figures):
            _append(context, table, new.where("differs"))
        return _done(context, table, before, figures)
    finally:
        new.unpersist()


def merge_changed(context: JobContext, table: Table, frame: DataFrame, *, may_be_empty: bool = False) -> Written:
    """Make the table equal to `frame` by key; touch only rows whose content hash differs, remove those that left.

    frame: one row per key in the contract's columns; `updated_at` becomes the run's start for touched rows only.
    Raises DataRejectedError for an empty frame unless `may_be_empty`, since it would remove everybody.
    """
    from delta.tables import DeltaTable
    from pyspark.sql import functions as F

    _expect(table, Write.CHANGED)
    create(context, table)
    new = (
        _with_month(table, frame).withColumn("row_hash", content_hash(table.content))
        .withColumn("updated_at", F.lit(context.started_at)).select(*table.column_names).persist()
    )  # fmt: skip
    key = list(table.key)
    try:
        old = read(context, table).select(*key, F.col("row_hash").alias("old_hash"), F.lit(True).alias("is_stored"))
        counted = (
            new.select(*key, "row_hash", F.lit(True).alias("is_new")).join(old, on=key, how="full")
            .agg(
                F.count_if(F.col("is_new")).alias("rows_in"),
                F.count_if(F.col("is_stored").isNull()).alias("inserted"),
                F.count_if(F.col("is_new").isNull()).alias("removed"),
                F.count_if(F.col("is_new") & F.col("is_stored") & (F.col("row_hash") != F.col("old_hash"))).alias("updated"),
            ).first()
        )  # fmt: skip
        assert counted is not None  # noqa: S101 an aggregate without groups has one row
        figures: dict[str, Any] = counted.asDict()
        if not figures["rows_in"] and not may_be_empty:
            raise DataRejectedError(f"Nothing to publish to [{table.full_name}]; an empty frame would remove everybody")
        figures["unchanged"] = figures["rows_in"] - figures["inserted"] - figures["updated"]
        if not (figures["inserted"] or figures["updated"] or figures["removed"]):
            return _unchanged(context, table, figures["rows_in"])
        before = version(context.settings, table)
        on = " and ".join(f"t.{name} = s.{name}" for name in key)
        with _commit(context, table, figures):
            (
                DeltaTable.forPath(context.spark, location(context.settings, table)).alias("t")
                .merge(new.alias("s"), on)
                .whenMatchedUpdateAll("t.row_hash <> s.row_hash")
                .whenNotMatchedInsertAll()
                .whenNotMatchedBySourceDelete()
                .execute()
            )  # fmt: skip
        return _done(context, table, before, figures)
    finally:
        new.unpersist()


def as_counts(written: Written) -> dict[str, Any]:
    return asdict(written)


def _expect(table: Table, write: Write) -> None:
    if table.write is not write:
        raise InvariantError(f"[{table.full_name}] is written as [{table.write}], not as [{write}]")
