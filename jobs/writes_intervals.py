"""Writing images of keys over intervals (SCD2 by business date, or known intervals), whatever the order they arrive in.

An *observation* is what a delivery said of a key from a start on. The engine lays the incoming observations among those
stored, keeps as *images* the ones that differ from the one before, and ends each where the next begins. An observation
equal to the one before it makes no image, but its start stays in the image's `confirmed`: were it forgotten, an image
that arrives late and falls before it would never end. So any order of arrival gives the tables of the sorted one.

That a key is deleted is an observation like others: it ends the image before it, and is itself kept as one that ends where it begins. No
reader ever finds it in force, a delivery that says it again changes nothing, an older one that comes late ends before it, and a newer one
brings the key back.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from expectations.contracts.types import DELETED_HASH, IS_DELETED, VALID, Write
from jobs.errors import InvariantError
from jobs.frames import kept
from jobs.tables_log import location, size, version
from jobs.tables_read import interval_of, read
from jobs.writes_commit import Written, append_rows, commit, content_hash, observed_hash, once, signing, unchanged, with_month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from expectations.contracts.types import Interval, Table
    from jobs.context import JobContext

OPEN = "9999-12-31"  # stands for the end of a current image where ends are compared
BROADCAST_KEYS = 300_000  # a night's keys; a long range brings more, and is joined by sorting
NO_MONTH = 0  # stands for the month of a deleted image of which not even the date is known
SMALL_BYTES = 64 * 1024 * 1024  # below it, reading the table is cheaper than finding out which months to read


def merge_intervals(context: JobContext, table: Table, incoming: DataFrame, *, part: str = "") -> Written:
    """Take in images of keys; every key's intervals stay gapless but where it is deleted, exact, and with one current image or none.

    incoming: one row per key × interval start, in the contract's columns and the start column; read twice, so cache it
    when it is dear. Where it has a column `is_deleted`, only the key counts of the rows of which that is true. A row equal to what was in force
    at its start is `unchanged`; a row at a start that is stored replaces that image. Raises InvariantError when a key or start is null or comes twice.
    """
    return once(context, table, Write.INTERVALS, part=part, work=lambda app: _merge_intervals(context, table, incoming, app))


def _merge_intervals(context: JobContext, table: Table, incoming: DataFrame, app: str) -> Written:
    with _stored(context, table, incoming) as stored, _planned(table, incoming, stored) as plan, kept(plan) as actions:
        counts = _count(table, actions)
        changes, rewrites, months = counts.pop("changes"), counts.pop("rewrites"), counts.pop("months")
        if not changes:
            return unchanged(context, table, counts["rows_in"])
        changed = actions.where("action is not null")

        def write(signed: Mapping[str, str]) -> None:
            if rewrites:
                _merge(context, table, changed, months, signed)
            else:
                append_rows(context, table, changed, signed, rows=changes)

        return commit(context, table, app, counts, write)


# --- observations -------------------------------------------------------------------------------------------------


@contextmanager
def _stored(context: JobContext, table: Table, incoming: DataFrame) -> Iterator[DataFrame | None]:
    """The stored images of the incoming keys; None where the table holds nothing."""
    if version(context.settings, table) < 1:
        yield None
        return
    images, touched = read(context, table), incoming.select(*table.key).distinct()
    if size(context.settings, table) < SMALL_BYTES:
        yield images.join(touched, on=list(table.key), how="left_semi")
        return
    with kept(touched) as keys:
        yield _looked_up(table, images, keys)


def _looked_up(table: Table, images: DataFrame, touched: DataFrame) -> DataFrame:
    """A night touches few keys in few months of a long history: found by the key columns alone before rows are read."""
    from pyspark.sql import functions as F

    key = list(table.key)
    if touched.count() > BROADCAST_KEYS:
        return images.join(touched, on=key, how="left_semi")
    keys = F.broadcast(touched)
    if "month" in table.partition_by:
        month = F.coalesce("month", F.lit(NO_MONTH))
        months = images.select(*key, month.alias("month")).join(keys, on=key, how="left_semi").select("month").distinct().collect()
        images = images.where(month.isin([row["month"] for row in months]))
    return images.join(keys, on=key, how="left_semi")


def _observations(table: Table, incoming: DataFrame, stored: DataFrame | None) -> DataFrame:
    """Grain: incoming rows, stored images, and confirmations of stored images. `was_*` is set where an image is stored."""
    from pyspark.sql import functions as F

    interval = interval_of(table)
    columns = [*(column.name for column in table.columns), *(["month"] if "month" in table.partition_by else [])]
    confirmed = f"array<{interval.type}>"
    nothing = {"was_hash": "bigint", "was_end": interval.type, "was_confirmed": confirmed, "was_from": "date", "was_month": "int"}
    new = with_month(table, _said(table, incoming)).select(
        *columns, interval.start, "row_hash", F.lit(True).alias("is_incoming"),
        *(F.lit(None).cast(type_).alias(name) for name, type_ in nothing.items()),
    )  # fmt: skip
    if stored is None:
        return new
    images = stored.select(
        *columns, interval.start, "row_hash", F.lit(False).alias("is_incoming"), F.col("row_hash").alias("was_hash"),
        F.coalesce(F.col(interval.end), _open(interval)).alias("was_end"), F.col("confirmed").alias("was_confirmed"),
        _counts_from(table).alias("was_from"),
        (F.col("month") if "month" in columns else F.lit(None).cast("int")).alias("was_month"),
    )  # fmt: skip
    again = images.where("was_confirmed is not null").select(
        *columns, F.explode("was_confirmed").alias(interval.start), "row_hash", "is_incoming",
        *(F.lit(None).cast(type_).alias(name) for name, type_ in nothing.items()),
    )  # fmt: skip
    return new.unionByName(images).unionByName(again)


def _said(table: Table, incoming: DataFrame) -> DataFrame:
    """The incoming rows with row_hash; those of deleted keys without content."""
    from pyspark.sql import functions as F

    hashed = incoming.withColumn("row_hash", observed_hash(incoming, table.content))
    if IS_DELETED.name not in incoming.columns:
        return hashed
    content = [column.name for column in table.columns if column.name not in table.key]
    return hashed.withColumns({name: F.when(~_is_deleted(), F.col(name)) for name in content})


def _is_deleted() -> Column:
    from pyspark.sql import functions as F

    return F.col("row_hash") == DELETED_HASH


def _end(interval: Interval) -> Column:
    """An image ends where the next one begins, one of a deleted key at once."""
    from pyspark.sql import functions as F

    return F.when(_is_deleted(), F.col(interval.start)).otherwise(F.col("until"))


def _open(interval: Interval) -> Column:
    from pyspark.sql import functions as F

    return F.lit(OPEN).cast(interval.type)


# --- actions ------------------------------------------------------------------------------------------------------


@contextmanager
def _planned(table: Table, incoming: DataFrame, stored: DataFrame | None) -> Iterator[DataFrame]:
    """The actions. In a first load most keys of facts come once, and only the others have to be put in order."""
    from pyspark.sql import functions as F

    observations, key = _observations(table, incoming, stored), list(table.key)
    if stored is not None:
        yield _actions(table, observations)
        return
    with kept(incoming.groupBy(*key).count().where("count > 1").select(*key)) as repeated:
        if repeated.count() > BROADCAST_KEYS:
            yield _actions(table, observations)
        else:
            of_repeated = partial(observations.join, F.broadcast(repeated), on=key)
            yield _first_images(table, of_repeated(how="left_anti")).unionByName(_actions(table, of_repeated(how="left_semi")))


def _first_images(table: Table, observations: DataFrame) -> DataFrame:
    """As `_actions`, of keys that are observed once and not stored."""
    from pyspark.sql import functions as F

    interval = interval_of(table)
    nothing = {"previous_hash": "bigint", "next_start": interval.type, "until": interval.type}
    nothing |= {"previous_from": "date", "previous_close": "date", "previous_rest": "bigint"} if table.closing else {}
    told = observations.withColumns({name: F.lit(None).cast(type_) for name, type_ in nothing.items()})
    return told.withColumns(
        {
            "nth": F.lit(1), "copies": F.lit(1).cast("bigint"), "is_kept": F.lit(True), "image": F.lit(1).cast("bigint"), "action": F.lit("insert"),
            interval.end: _end(interval), "confirmed": F.lit(None).cast(f"array<{interval.type}>"),
        }
    )  # fmt: skip


def _actions(table: Table, observations: DataFrame) -> DataFrame:
    """Grain: key × start of all observations, with the image it makes and what to do about the stored one.

    `is_kept`: it makes an image. `action`: insert, update and delete change the answer to some question about the key,
    confirm does not; null where the table is right already.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    interval = interval_of(table)
    key, start, end = list(table.key), interval.start, interval.end
    at_start = Window.partitionBy(*key, start).orderBy(F.col("is_incoming").desc(), F.col("was_hash").isNull())
    whole = at_start.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    in_order = Window.partitionBy(*key).orderBy(start)
    # An image and the observations that confirm it.
    of_image = Window.partitionBy(*key, "image").orderBy(start).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    was = {name: F.max(name).over(whole) for name in ("was_hash", "was_end", "was_confirmed", "was_from", "was_month")}
    return (
        # All windows follow from one shuffle by key.
        observations.repartition(*key)
        .withColumns({"nth": F.row_number().over(at_start), "copies": F.count_if("is_incoming").over(whole), **was})
        .where("nth = 1")
        .withColumns(
            {"previous_hash": F.lag("row_hash").over(in_order), "next_start": F.lead(start).over(in_order)}
            | {name: F.lag(told).over(in_order) for name, told in _previous(table).items()}
        )
        .withColumn("is_kept", F.col("previous_hash").isNull() | (F.col("previous_hash") != F.col("row_hash")))
        .withColumn("image", F.count_if("is_kept").over(in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)))
        .withColumns(
            {
                "until": F.last("next_start").over(of_image),
                "confirmed": F.collect_list(F.when(~F.col("is_kept"), F.col(start))).over(of_image),
            }
        )
        .withColumns({"confirmed": F.when(F.col("is_kept") & (F.size("confirmed") > 0), F.col("confirmed")), end: _end(interval)})
        .withColumn("action", _action(interval))
    )


def _action(interval: Interval) -> Column:
    from pyspark.sql import functions as F

    is_new, is_kept = F.col("was_hash").isNull(), F.col("is_kept")
    end = F.coalesce(F.col(interval.end), _open(interval))
    return (
        F.when(is_new & is_kept, "insert")
        .when(~is_new & ~is_kept, "delete")
        .when(~is_new & ((F.col("was_hash") != F.col("row_hash")) | (F.col("was_end") != end)), "update")
        .when(~is_new & ~F.col("was_confirmed").eqNullSafe(F.col("confirmed")), "confirm")
    )


def _count(table: Table, actions: DataFrame) -> dict[str, Any]:
    """One query: what came in, by start too (a start is a delivery's), what has to be done, whether frame and result are sound.

    months: those in which stored images are rewritten, an image that moves to another month counted in both.
    """
    from pyspark.sql import functions as F

    interval = interval_of(table)
    row_hash, previous, was = F.col("row_hash"), F.col("previous_hash"), F.col("was_hash")
    incoming, acts = F.col("is_incoming"), F.col("action").isNotNull()
    is_null = reduce(or_, (F.col(name).isNull() for name in (*table.key, interval.start)))
    months = F.flatten(F.collect_set(F.when(acts, F.array("month", "was_month")))) if "month" in table.partition_by else F.lit(None)
    by_start = (
        actions.groupBy(F.when(incoming, F.col(interval.start).cast("string")).alias("start"))
        .agg(
            F.count_if(incoming).alias("rows_in"),
            F.count_if(incoming & was.isNull() & previous.isNull()).alias("inserted"),
            F.count_if(incoming & (F.coalesce(was, previous) == row_hash)).alias("unchanged"),
            F.count_if(F.col("action") == "delete").alias("removed"),
            F.count_if(acts).alias("changes"),
            F.count_if(F.col("action") != "insert").alias("rewrites"),
            F.count_if(F.col("is_kept") & F.col("until").isNull()).alias("latest"),
            F.count_if(previous.isNull()).alias("keys"),
            F.count_if(incoming & ((F.col("copies") > 1) | is_null)).alias("unsound"),
            _first_date(table).alias("first_date"),
            months.alias("months"),
        )
        .collect()
    )
    figures: dict[str, Any] = {name: sum(row[name] for row in by_start) for name in _SUMMED}
    _check(table, figures.pop("unsound"), figures.pop("latest"), figures.pop("keys"))
    figures["updated"] = figures["rows_in"] - figures["unchanged"] - figures["inserted"]
    first_date = min((row["first_date"] for row in by_start if row["first_date"]), default=OPEN if _has_dates(table) else "")
    return figures | {
        "first_date": str(first_date),
        "months": sorted({month for row in by_start for month in row["months"] or ()}, key=str),
        "by_start": {row["start"]: [row["rows_in"], row["inserted"], row["unchanged"]] for row in by_start if row["start"]},
    }


_SUMMED = ("rows_in", "inserted", "unchanged", "removed", "changes", "rewrites", "latest", "keys", "unsound")


def _has_dates(table: Table) -> bool:
    return bool(table.counts_from or table.date) or interval_of(table) == VALID


def _counts_from(table: Table) -> Column:
    from pyspark.sql import functions as F

    return F.expr(table.counts_from or table.date or "cast(null as date)")


def _previous(table: Table) -> dict[str, Column]:
    """Of images that may end: since when the one before counts, when it ended, and a hash of all else that it says."""
    from pyspark.sql import functions as F

    if not table.closing:
        return {}
    rest = content_hash([name for name in table.content if name not in table.closing])
    return {"previous_from": _counts_from(table), "previous_close": F.col(table.closing[0]), "previous_rest": rest}


def _first_date(table: Table) -> Column:
    """First business date whose answer changes: of the dated fact before and after, or of the validity's moved bound."""
    from pyspark.sql import functions as F

    interval, differs = interval_of(table), F.col("action").isin("insert", "update", "delete")
    only_ends = F.col("is_kept") & F.col("was_hash").eqNullSafe(F.col("row_hash"))
    if table.counts_from or table.date:
        since = F.least(_counts_from(table), "was_from")
        if not table.closing:
            return F.min(F.when(differs, since))
        # That a plan was closed today says nothing of the days before; of an image that another one follows that one tells.
        is_only_closed = (F.col("action") == "insert") & (_previous(table)["previous_rest"] == F.col("previous_rest"))
        closed = F.least(table.closing[0], "previous_close")
        return F.min(F.when(differs & ~only_ends, F.when(is_only_closed, closed).otherwise(F.least(since, "previous_from"))))
    if interval != VALID:
        return F.lit(None)
    moved = F.least(F.coalesce(F.col(interval.end), _open(interval)), F.col("was_end"))
    return F.min(F.when(differs, F.when(only_ends, moved).otherwise(F.col(interval.start))))


def _check(table: Table, unsound: int, latest: int, keys: int) -> None:
    if unsound:
        raise InvariantError(
            f"The frame for [{table.full_name}] holds [{unsound}] rows whose {[*table.key, interval_of(table).start]} is null or repeated"
        )
    if latest != keys:
        raise InvariantError(f"[{table.full_name}] would hold [{latest}] latest images for [{keys}] touched keys {list(table.key)}")


def _merge(context: JobContext, table: Table, actions: DataFrame, months: Sequence[int | None] | None, signed: Mapping[str, str]) -> None:
    from delta.tables import DeltaTable

    on = " and ".join(f"t.{name} = s.{name}" for name in (*table.key, interval_of(table).start))
    if months:
        on += (
            f" and coalesce(t.month, {NO_MONTH}) in ({', '.join(str(month) for month in sorted({month or NO_MONTH for month in months}))})"
        )
    values: dict[str, str | Column] = {name: f"s.{name}" for name in table.column_names}
    merge = (
        DeltaTable.forPath(context.spark, location(context.settings, table)).alias("t")
        .merge(actions.alias("s"), on)
        .whenMatchedDelete("s.action = 'delete'")
        .whenMatchedUpdate(set=values)
        .whenNotMatchedInsert(values=values)
    )  # fmt: skip
    with signing(context.spark, signed):
        merge.execute()
