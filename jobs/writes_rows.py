"""Writing by row: revisions of what was published, and tables in which only changed rows are touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from expectations.contracts.types import Write
from jobs import staging
from jobs.errors import DataRejectedError, InvariantError
from jobs.frames import kept
from jobs.tables_log import location, may_hold, not_held
from jobs.tables_read import read
from jobs.writes_commit import (
    Written,
    append_arrow,
    append_rows,
    commit,
    content_hash,
    is_few,
    once,
    signing,
    unchanged,
    with_month,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from duckdb import DuckDBPyConnection
    from pyspark.sql import DataFrame

    from expectations.contracts.types import Table
    from jobs.context import JobContext


# Of a row that is compared: its key, its hash, and what was published.
KEY_BYTES = 48
# So many keys are sent to whoever reads rows, rather than the rows to them.
FEW_KEYS = 1_000_000


class Span(NamedTuple):
    """How many rows a frame has, and the dates they lie in; None where it has none."""

    rows: int
    first: date | None
    last: date | None


class Scope(NamedTuple):
    """All that a frame speaks of: these dates, of all keys or only of those `among` (part of the contract's key).

    What was published of them and is not in the frame any more is withdrawn: by one more revision, without content.
    """

    dates: Collection[date]
    among: DataFrame | None = None


def append_revisions(
    context: JobContext, table: Table, frame: DataFrame, *, part: str = "", span: Span | None = None, scope: Scope | None = None
) -> Written:
    """Publish rows of key × date: revision 0 where nothing was published, one more where the content differs.

    frame: one row per contract key (which includes the date), in the contract's columns; read up to three times, so make it when it is dear.
    span: the frame's, where the caller knows it; else it is counted. scope: without it nothing is withdrawn.
    """
    return once(context, table, Write.REVISIONS, part=part, work=lambda app: _append_revisions(context, table, frame, app, span, scope))


def _append_revisions(context: JobContext, table: Table, frame: DataFrame, app: str, span: Span | None, scope: Scope | None) -> Written:
    from pyspark.sql import functions as F

    rows, first, last = span or _span(frame, str(table.date))
    if first is None or last is None:
        raise DataRejectedError(f"Nothing to publish to [{table.full_name}]; the spine of [{context.request.partition}] is empty")
    hashed = frame.withColumn("row_hash", content_hash(table.content))
    if not may_hold(context.settings, table, first, last):
        # The usual night: nothing to compare with.
        figures = {"rows_in": rows, "inserted": rows, "first_date": str(first)}
        new = _known(context, table, hashed).withColumn("revision", F.lit(0))
        return commit(context, table, app, figures, lambda signed: append_rows(context, table, new, signed, rows=rows))
    if is_few(table, rows):
        return _append_few_differing(context, table, hashed, app, scope)
    return _append_differing(context, table, hashed, app, scope, rows=rows)


def _span(frame: DataFrame, date: str) -> Span:
    from pyspark.sql import functions as F

    found = frame.agg(F.count(F.lit(1)), F.min(date), F.max(date)).first()
    assert found is not None  # an aggregate without groups has one row
    return Span(*found)


def _known(context: JobContext, table: Table, rows: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return with_month(table, rows).withColumn("known_at", F.lit(context.started_at))


def _append_differing(context: JobContext, table: Table, hashed: DataFrame, app: str, scope: Scope | None, *, rows: int) -> Written:
    """Compared are keys and hashes, of dates that the table may hold; rows themselves are read again where they are appended."""
    from pyspark.sql import functions as F

    unheld = not_held(context.settings, table, scope.dates) if scope else set()
    is_new = F.col(str(table.date)).isin(sorted(unheld))
    old, new = hashed.where(~is_new), hashed.where(is_new).withColumn("revision", F.lit(0))
    compared = _compared(context, table, old.select(*table.key, "row_hash"), scope and scope._replace(dates=set(scope.dates) - unheld))
    with staging.kept(compared, context.settings, size=rows * KEY_BYTES) as revisions:
        of_new = new.selectExpr(*table.key, "row_hash", "true as differs", "true as is_new")
        every = revisions.withColumn("is_new", F.lit(False)).unionByName(of_new, allowMissingColumns=True)
        counted = every.selectExpr(*_counts(table), "count_if(differs and not is_new) as changed").first()
        assert counted is not None  # an aggregate without groups has one row
        figures, brought = _figures(counted.asDict())
        if not brought:
            return unchanged(context, table, figures["rows_in"])
        differing = revisions.where("differs").select(*table.key, "row_hash", "revision")
        changed = differing.where("row_hash is not null").drop("row_hash")
        if counted["changed"] <= FEW_KEYS:
            changed = F.broadcast(changed)
        withdrawn = differing.where("row_hash is null")
        appended = new.unionByName(old.join(changed, on=list(table.key), how="inner")).unionByName(withdrawn, allowMissingColumns=True)
        return commit(
            context, table, app, figures,
            lambda signed: append_rows(context, table, _known(context, table, appended), signed, rows=brought),
        )  # fmt: skip


def _append_few_differing(context: JobContext, table: Table, hashed: DataFrame, app: str, scope: Scope | None) -> Written:
    """The same in this process: of few rows Spark's joins take half a dozen jobs a table, and a night has fourteen."""
    from jobs.serving import lake

    new = hashed.toArrow()
    with lake.connect() as connection:
        connection.register("new", new.select([*table.key, "row_hash"]).append_column("nth", pa.array(range(new.num_rows), pa.int64())))
        last, keys = _last_revisions_here(context, table, new, scope, connection), ", ".join(table.key)
        compared = connection.sql(
            f"select *, last_revision is null or last_hash is distinct from row_hash as differs from new {'full' if scope else 'left'} join {last} using ({keys})"
        ).to_arrow_table()
        connection.register("compared", compared)
        (counted,) = connection.sql(f"select {', '.join(_counts(table))} from compared").to_arrow_table().to_pylist()
    figures, differing = _figures(counted)
    if not differing:
        return unchanged(context, table, figures["rows_in"])
    rows = _as_stored(context, table, new, compared.filter(compared["differs"]))
    return commit(context, table, app, figures, lambda signed: append_arrow(context, table, rows, signed))


def _last_revisions_here(context: JobContext, table: Table, new: pa.Table, scope: Scope | None, connection: DuckDBPyConnection) -> str:
    """SQL. Grain: contract key, of the scope or the frame's dates, as `_last_revisions`."""
    from jobs.serving import lake

    dates = sorted(scope.dates if scope else set(new[str(table.date)].to_pylist()))
    where = f"{table.date} in ({', '.join(f'date {str(day)!r}' for day in dates)})"
    if scope and scope.among is not None:
        connection.register("among", scope.among.toArrow())
        names = ", ".join(scope.among.columns)
        where += f" and ({names}) in (select ({names}) from among)"
    published = lake.relation_or_empty(context.settings, table, [*table.key, "revision", "row_hash"], first=dates[0], last=dates[-1])
    keys = ", ".join(table.key)
    return (
        f"(select {keys}, last.revision as last_revision, last.row_hash as last_hash from "
        f"(select {keys}, max({{'revision': revision, 'row_hash': row_hash}}) as last from {published} where {where} group by {keys}))"
    )


def _as_stored(context: JobContext, table: Table, new: pa.Table, differing: pa.Table) -> pa.Table:
    """Grain: differing; the contract's columns. Of what is not in the new rows any more only its key is told."""
    columns = dict(zip(new.column_names, new.take(differing["nth"]).columns, strict=True)) | {name: differing[name] for name in table.key}
    day, revision = columns[str(table.date)], pc.fill_null(pc.add(differing["last_revision"], 1), 0)
    columns |= {
        "month": pc.cast(pc.add(pc.multiply(pc.year(day), 100), pc.month(day)), pa.int32()), "revision": pc.cast(revision, pa.int32()),
        "known_at": pa.repeat(pa.scalar(context.started_at, pa.timestamp("us", "UTC")), differing.num_rows),
    }  # fmt: skip
    return pa.table({name: columns[name] for name in table.column_names})


def _counts(table: Table) -> list[str]:
    """SQL of Spark and DuckDB over compared rows: what becomes of them."""
    return [
        "count_if(row_hash is not null) as rows_in", "count_if(last_revision is null) as inserted",
        "count_if(differs and last_revision is not null and row_hash is not null) as updated", "count_if(differs and row_hash is null) as removed",
        f"min(case when differs then {table.date} end) as first_date",
    ]  # fmt: skip


def _figures(counted: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """What a commit says of itself, and how many rows it brings."""
    counts = {name: int(counted[name]) for name in ("rows_in", "inserted", "updated", "removed")}
    brought = counts["inserted"] + counts["updated"]
    return counts | {"unchanged": counts["rows_in"] - brought, "first_date": str(counted["first_date"])}, brought + counts["removed"]


def _compared(context: JobContext, table: Table, keys: DataFrame, scope: Scope | None) -> DataFrame:
    """Grain: the frame's (contract key and row_hash) and the scope's, with the revision each row would become and whether it differs from the last one."""
    from pyspark.sql import functions as F

    last = _last_revisions(context, table, keys, scope)
    return keys.join(last, on=list(table.key), how="full" if scope else "left").withColumns(
        {
            "revision": F.coalesce(F.col("last_revision") + 1, F.lit(0)),
            "differs": F.col("last_revision").isNull() | ~F.col("last_hash").eqNullSafe(F.col("row_hash")),
        }
    )


def _last_revisions(context: JobContext, table: Table, frame: DataFrame, scope: Scope | None) -> DataFrame:
    """Grain: contract key, of the scope or the frame's dates; last_hash and last_revision of what was published."""
    from pyspark.sql import functions as F

    day = str(table.date)
    published = read(context, table)
    if scope:
        published = published.where(F.col(day).isin(sorted(scope.dates)))
        if "month" in table.partition_by:
            published = published.where(F.col("month").isin(sorted({one.year * 100 + one.month for one in scope.dates})))
        if scope.among is not None:
            published = published.join(F.broadcast(scope.among), on=scope.among.columns, how="left_semi")
    else:
        published = published.join(F.broadcast(frame.select(day).distinct()), on=day, how="left_semi")
    last = published.groupBy(*table.key).agg(F.max(F.struct("revision", "row_hash")).alias("last"))
    return last.select(*table.key, F.col("last.row_hash").alias("last_hash"), F.col("last.revision").alias("last_revision"))


def merge_changed(context: JobContext, table: Table, frame: DataFrame, *, may_be_empty: bool = False, part: str = "") -> Written:
    """Make the table equal to `frame` by key; touch only rows whose content hash differs, remove those that left.

    frame: one row per key in the contract's columns; `updated_at` becomes the run's start for touched rows only.
    Raises DataRejectedError for an empty frame unless `may_be_empty`, since it would remove everybody; InvariantError for a repeated key.
    """
    return once(
        context, table, Write.CHANGED, part=part, work=lambda app: _merge_changed(context, table, frame, app, may_be_empty=may_be_empty)
    )


def _merge_changed(context: JobContext, table: Table, frame: DataFrame, app: str, *, may_be_empty: bool) -> Written:
    from pyspark.sql import functions as F

    hashed = with_month(table, frame).withColumn("row_hash", content_hash(table.content))
    with kept(hashed.withColumn("updated_at", F.lit(context.started_at)).select(*table.column_names)) as new:
        figures = _changes(context, table, new)
        if not figures["rows_in"] and not may_be_empty:
            raise DataRejectedError(f"Nothing to publish to [{table.full_name}]; an empty frame would remove everybody")
        rows = figures["inserted"] + figures["updated"]
        if not (rows or figures["removed"]):
            return unchanged(context, table, figures["rows_in"])
        figures["unchanged"] = figures["rows_in"] - rows
        return commit(context, table, app, figures, lambda signed: _merge(context, table, new, signed))


def _changes(context: JobContext, table: Table, new: DataFrame) -> dict[str, Any]:
    """One pass: how many keys come, go, change."""
    from pyspark.sql import functions as F

    key = list(table.key)
    keys = new.groupBy(*key).agg(F.count(F.lit(1)).alias("copies"), F.first("row_hash").alias("row_hash"))
    old = read(context, table).select(*key, F.col("row_hash").alias("old_hash"), F.lit(True).alias("is_stored"))
    counted = (
        keys.join(old, on=key, how="full")
        .agg(
            F.count("copies").alias("rows_in"),
            F.max("copies").alias("copies"),
            F.count_if(F.col("is_stored").isNull()).alias("inserted"),
            F.count_if(F.col("copies").isNull()).alias("removed"),
            F.count_if(F.col("row_hash") != F.col("old_hash")).alias("updated"),
        )
        .first()
    )
    assert counted is not None  # an aggregate without groups has one row
    figures: dict[str, Any] = counted.asDict()
    if (figures.pop("copies") or 0) > 1:
        raise InvariantError(f"The frame for [{table.full_name}] holds a key {key} more than once")
    return figures


def _merge(context: JobContext, table: Table, new: DataFrame, signed: Mapping[str, str]) -> None:
    from delta.tables import DeltaTable

    on = " and ".join(f"t.{name} = s.{name}" for name in table.key)
    merge = (
        DeltaTable.forPath(context.spark, location(context.settings, table)).alias("t")
        .merge(new.alias("s"), on)
        .whenMatchedUpdateAll("t.row_hash <> s.row_hash")
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete()
    )  # fmt: skip
    with signing(context.spark, signed):
        merge.execute()
