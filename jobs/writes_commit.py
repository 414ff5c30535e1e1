"""What every write shares: creating the table, one exactly-once commit, what was written, kinds of failure.

A commit's Delta transaction is (table | job | scope | partition | part | inputs, generation). A run that was killed
after it and is started again on equal inputs finds it in the log, skips the work and takes its counts from the commit's
note, from which the ledger is so repaired. On other inputs it is another transaction, and writes what differs.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, Field, Schema, Transaction, WriterProperties, write_deltalake
from deltalake import DeltaTable as DeltaLog

from expectations.contracts.types import DELETED_HASH, IS_DELETED, Write
from jobs.errors import ConfigurationError, ConflictError, InvariantError
from jobs.tables_log import ADDED, applied_generation, commits, location, log, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

    from expectations.contracts.types import Table
    from jobs.context import JobContext, RunContext

CONFS = {
    "txnAppId": "spark.databricks.delta.write.txnAppId",
    "txnVersion": "spark.databricks.delta.write.txnVersion",
    "userMetadata": "spark.databricks.delta.commitInfo.userMetadata",
}
_MERGING = threading.Lock()
SMALL_ROWS = 200_000  # fewer go into one file
FEW_BYTES = 64_000_000  # of rows that are less, as they are estimated, the writer is this process
TEXT_BYTES, NUMBER_BYTES = 100, 8

CONFLICT = re.compile(
    r"CommitFailedError|DELTA_(CONCURRENT|METADATA_CHANGED|PROTOCOL_CHANGED)|(Concurrent\w+|MetadataChanged|ProtocolChanged)Exception"
)
UNWRITABLE = re.compile(
    r"Permission denied|Mkdirs failed|Read-only file system|AccessDenied|No space left|Not a directory|ParentNotDirectory"
    r"|FileAlreadyExistsException|DELTA_PATH_DOES_NOT_EXIST|unable to create|Unable to create"
)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write did. `rows_in = inserted + updated + unchanged`; version is the table's after it.

    first_date: first business date whose answer the write changed; empty where the table has no date.
    by_start: of intervals, per start (as text) rows_in, inserted, unchanged: what each delivery of a range brought. Empty
    where nothing changed.
    """

    table: str
    version: int
    rows_in: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    first_date: str = ""
    by_start: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.inserted or self.updated or self.removed)


def as_counts(written: Written) -> dict[str, Any]:
    return asdict(written)


# --- tables and their layout --------------------------------------------------------------------------------------


def create(context: RunContext, table: Table) -> None:
    """Create the table as its contract says, if it is not there; if it is, give it the columns that the contract has gained.

    By the log's own writer, without Spark: an empty table is one small file, for which Spark takes a second.
    """
    if widen(context, table):
        return
    place = location(context.settings, table)
    with explained(context, table):
        # Two jobs may meet at a table that neither has seen: whoever comes second finds what it wanted.
        DeltaLog.create(
            place, schema=_schema(table), mode="ignore", partition_by=list(table.partition_by) or None,
            configuration=configuration(table),
        )  # fmt: skip
        _write_checksum(Path(place) / "_delta_log")


def widen(context: RunContext, table: Table) -> bool:
    """Whether the table is there; then it gets the contract's columns that it does not have yet: null in the rows that it holds."""
    opened = log(context.settings, table)
    if opened is None:
        return False
    known, now = {field.name for field in opened.schema().fields}, context.started_at.isoformat()
    lacking = [
        Field(field.name, field.type, nullable=True, metadata={ADDED: now}) for field in _schema(table).fields if field.name not in known
    ]
    if lacking:
        with explained(context, table):
            opened.alter.add_columns(lacking)
    return True


def configuration(table: Table) -> dict[str, str]:
    """The table's properties in its log."""
    kept = f"interval {table.history_days} days"
    # Without them Delta drops log entries after 30 days, and with these it refuses a vacuum that would break the promise.
    promised = {"delta.logRetentionDuration": kept, "delta.deletedFileRetentionDuration": kept} if table.history_days else {}
    return {
        "delta.enableChangeDataFeed": str(table.change_feed).lower(),
        # Deletion vectors would lock out readers without them (design: every reader can read).
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(_statistics(table)),
        **promised,
    }


def _write_checksum(log: Path) -> None:
    """The version checksum of an empty table (Delta's protocol, Version Checksum File), which this log's writer leaves out.

    Each version's is made from the one before. Without the first, Spark replays the log by two queries at the first write
    of every table. It is optional: where the warehouse is no folder of this machine it is done without.
    """
    first = log / f"{0:020}.json"
    if not first.is_file():
        return
    actions: dict[str, Any] = {}
    for line in first.read_text(encoding="utf-8").splitlines():
        actions |= json.loads(line)
    empty = {
        "tableSizeBytes": 0,
        "numFiles": 0,
        "numMetadata": 1,
        "numProtocol": 1,
        "setTransactions": [],
        "domainMetadata": [],
        "allFiles": [],
    }
    with suppress(FileExistsError), first.with_suffix(".crc").open("x", encoding="utf-8") as checksum:
        json.dump(empty | {"metadata": actions["metaData"], "protocol": actions["protocol"]}, checksum)


def _schema(table: Table) -> Schema:
    fields = [{"name": one.name, "type": _delta_type(one.type), "nullable": True, "metadata": {}} for one in table.all_columns]
    return Schema.from_json(json.dumps({"type": "struct", "fields": fields}))


def _delta_type(type_: str) -> str | dict[str, Any]:
    """Spark's name of a type as Delta's."""
    if type_.startswith("array<"):
        return {"type": "array", "elementType": _delta_type(type_[6:-1]), "containsNull": True}
    return {"bigint": "long", "int": "integer"}.get(type_, type_)


def _statistics(table: Table) -> list[str]:
    wanted = [*table.key, *([table.date] if table.date else []), *([table.interval.start] if table.interval else [])]
    wanted += ["revision"] if table.write is Write.REVISIONS else []
    return list(dict.fromkeys(name for name in wanted if name not in table.partition_by))


def content_hash(columns: Sequence[str]) -> Column:
    """64-bit hash of columns; which of them are null takes part, as xxhash64 by itself skips nulls."""
    from pyspark.sql import functions as F

    return F.xxhash64(*[F.col(name) for name in columns], *[F.col(name).isNull() for name in columns])


def observed_hash(frame: DataFrame, columns: Sequence[str]) -> Column:
    """`content_hash`; of rows of the frame that say that their key is deleted always the same, whatever else they say."""
    from pyspark.sql import functions as F

    hashed = content_hash(columns)
    return F.when(F.col(IS_DELETED.name), DELETED_HASH).otherwise(hashed) if IS_DELETED.name in frame.columns else hashed


def with_month(table: Table, frame: DataFrame) -> DataFrame:
    """The frame with the partition column `month` (yyyymm of the table's date), where the table has one."""
    from pyspark.sql import functions as F

    if "month" not in table.partition_by:
        return frame
    day = F.col(str(table.date))
    return frame.withColumn("month", (F.year(day) * 100 + F.month(day)).cast("int"))


def laid_out(table: Table, frame: DataFrame, *, rows: int) -> DataFrame:
    """The contract's columns in few files: one for a small write, else each month together and sorted by date."""
    frame = frame.select(*table.column_names)
    if rows <= SMALL_ROWS:
        frame = frame.coalesce(1)
    elif "month" in table.partition_by:
        frame = frame.hint("rebalance", "month")
    return frame.sortWithinPartitions("month", str(table.date)) if "month" in table.partition_by else frame


def append_rows(context: JobContext, table: Table, frame: DataFrame, signed: Mapping[str, str], *, rows: int) -> None:
    """Few rows by the log's own writer: what Spark and Delta do around a write takes a second a table, and a quarter of
    the whole job where it builds a history of features.

    Tables that are merged as well stay with Delta's writer, which keeps their checksums.
    """
    if is_few(table, rows) and table.write in {Write.APPEND, Write.REVISIONS, Write.REPLACE}:
        append_arrow(context, table, frame.select(*table.column_names).toArrow(), signed)
        return
    writer = laid_out(table, frame, rows=rows).write.format("delta").options(**signed).mode("append")
    writer.save(location(context.settings, table))


def is_few(table: Table, rows: int) -> bool:
    """Whether so many rows of the table are held in this process rather than by Spark."""
    return rows * row_bytes(table) <= FEW_BYTES


def row_bytes(table: Table) -> int:
    """About what a row takes in memory; a text is taken for a hundred bytes, as are others of any length."""
    return sum(
        TEXT_BYTES if column.type in {"string", "binary"} or column.type.startswith("array") else NUMBER_BYTES
        for column in table.all_columns
    )


def append_arrow(context: RunContext, table: Table, rows: pa.Table, signed: Mapping[str, str]) -> None:
    """Append rows that are in this process, in the contract's columns, without Spark."""
    opened = DeltaLog(location(context.settings, table))
    # A column that the contract has no more stays with what it holds, and is null from now on.
    has_more = {field.name for field in opened.schema().fields} - set(rows.column_names)
    write_deltalake(
        opened, rows, mode="append", schema_mode="merge" if has_more else None, writer_properties=WriterProperties(compression="ZSTD"),
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": signed["userMetadata"]},
            app_transactions=[Transaction(signed["txnAppId"], int(signed["txnVersion"]))],
        ),
    )  # fmt: skip


# --- exactly once -------------------------------------------------------------------------------------------------


def app_id(context: RunContext, table: Table, part: str) -> str:
    request = context.request
    return f"{table.full_name}|{request.job}|{request.scope}|{request.partition}|{part}|{context.stands_on}"


def expect(table: Table, write: Write) -> None:
    if table.write is not write:
        raise InvariantError(f"[{table.full_name}] is written as [{table.write}], not as [{write}]")


def once(context: RunContext, table: Table, write: Write, *, part: str, work: Callable[[str], Written]) -> Written:
    """Create the table and do the write `work(app)`, unless an earlier attempt of this run has committed it already.

    part tells several writes of one run to the same table apart; without it the second would pass for a repetition.
    """
    expect(table, write)
    app = app_id(context, table, part)
    if app in context.begun:
        raise InvariantError(f"[{table.full_name}] is written twice by one run; union the frames, or name each `part`")
    context.begun.add(app)
    create(context, table)
    if applied_generation(context.settings, table, app) >= context.generation:
        return _earlier(context, table, app)
    return work(app)


def _earlier(context: RunContext, table: Table, app: str) -> Written:
    """What the earlier attempt wrote, from its commit's note. A note that has left the log leaves the counts at nought."""
    note = next((note for note in commits(context.settings, table) if note.get("app") == app), {})
    return _from_note(context, table, note)


def _from_note(context: RunContext, table: Table, note: Mapping[str, Any]) -> Written:
    counted = {
        name: note[name] for name in ("rows_in", "inserted", "updated", "unchanged", "removed", "first_date", "by_start") if name in note
    }
    return Written(table=table.full_name, version=note["version"] if "version" in note else version(context.settings, table), **counted)


def commit(context: RunContext, table: Table, app: str, counted: Mapping[str, Any], write: Callable[[Mapping[str, str]], None]) -> Written:
    """Do one exactly-once commit and read back what the log then says.

    `write` is given the options of a Delta writer that sign its commit: the transaction, and a note with the counts.
    """
    signed = {"txnAppId": app, "txnVersion": str(context.generation), "userMetadata": json.dumps(note_of(context, app, counted))}
    with explained(context, table):
        write(signed)
    return committed(context, table, app)


def note_of(context: RunContext, app: str, counted: Mapping[str, Any]) -> dict[str, Any]:
    """What a commit says of itself."""
    request = context.request
    return {
        "run_id": context.run_id, "job": request.job, "scope": request.scope, "partition": request.partition,
        "app": app, "generation": context.generation, **counted,
    }  # fmt: skip


def committed(context: RunContext, table: Table, app: str) -> Written:
    """What this run's commit says. Raises InvariantError when the log holds none."""
    for note in commits(context.settings, table):
        if (note.get("app"), note.get("generation")) == (app, context.generation):
            return _from_note(context, table, note)
    raise InvariantError(f"[{table.full_name}] holds no commit of [{app}] after it was written")


@contextmanager
def signing(spark: SparkSession, signed: Mapping[str, str]) -> Iterator[None]:
    """The same as session confs, for a merge, which has no options; one merge at a time, and always cleared after it."""
    with _MERGING:
        for option, value in signed.items():
            spark.conf.set(CONFS[option], value)
        try:
            yield
        finally:
            for option in signed:
                spark.conf.unset(CONFS[option])


@contextmanager
def explained(context: RunContext, table: Table) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise explained_failure(error, context, table) from error


def unchanged(context: RunContext, table: Table, rows: int) -> Written:
    return Written(table=table.full_name, version=version(context.settings, table), rows_in=rows, unchanged=rows)


def explained_failure(error: Exception, context: RunContext, table: Table) -> Exception:
    """Delta's and the file system's failures as the kinds that a scheduler knows; others unchanged."""
    text = f"{type(error).__name__} {error}"
    if CONFLICT.search(text):
        return ConflictError(f"Another run wrote [{table.full_name}] at the same time for [{context.request.partition}]; try again")
    if UNWRITABLE.search(text):
        return ConfigurationError(
            f"[{location(context.settings, table)}] can't be written; check paths.warehouse, its rights and the free space"
        )
    return error
