"""Writing whole facts and whole slices: append, replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.contracts.types import Write
from jobs.errors import DataRejectedError, InvariantError
from jobs.frames import kept
from jobs.tables_log import location, may_hold
from jobs.tables_read import read
from jobs.writes_commit import Written, append_rows, commit, content_hash, laid_out, once, unchanged, with_month

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from expectations.contracts.types import Table
    from jobs.context import JobContext


# Figures of a slice without rows.
NOTHING: dict[str, Any] = {"rows": 0, "inside": 0, "digest": None, "first_date": None}


def append(context: JobContext, table: Table, frame: DataFrame, *, part: str = "") -> Written:
    """Append facts, exactly once per generation."""
    return once(context, table, Write.APPEND, part=part, work=lambda app: _append(context, table, frame, app))


def _append(context: JobContext, table: Table, frame: DataFrame, app: str) -> Written:
    with kept(with_month(table, frame)) as facts:
        counted = _figures(facts, table, is_compared=False)
        rows = counted["rows"]
        if not rows:
            return unchanged(context, table, 0)
        figures = {"rows_in": rows, "inserted": rows, "first_date": str(counted["first_date"] or "")}
        return commit(context, table, app, figures, lambda signed: append_rows(context, table, facts, signed, rows=rows))


def replace(
    context: JobContext, table: Table, frame: DataFrame, *, where: str, dates: tuple[date, date] | None = None, may_be_empty: bool = False,
    part: str = "",
) -> Written:  # fmt: skip
    """Make `frame` the content of the slice `where`; no commit when it is that already.

    dates: the first and the last that `where` allows; then the log's statistics may tell that nothing is there to compare with.
    An equal slice is left alone because replaceWhere would put a delete and an insert per row into the change feed.
    Raises DataRejectedError for an empty frame unless `may_be_empty`, since it would delete the slice; InvariantError for
    rows outside of it.
    """
    return once(
        context, table, Write.REPLACE, part=part,
        work=lambda app: _replace(context, table, frame, app, where=where, dates=dates, may_be_empty=may_be_empty),
    )  # fmt: skip


def _replace(
    context: JobContext, table: Table, frame: DataFrame, app: str, *, where: str, dates: tuple[date, date] | None, may_be_empty: bool
) -> Written:
    is_there = dates is None or may_hold(context.settings, table, *dates)
    old = _figures(read(context, table).where(where), table) if is_there else NOTHING
    with kept(with_month(table, frame).select(*table.column_names)) as slice_:
        # The usual night: nothing to compare with, and nothing to remove.
        new = _figures(slice_, table, is_compared=old["rows"] > 0, where=where)
        if new["inside"] != new["rows"]:
            raise InvariantError(
                f"[{new['rows'] - new['inside']}] of [{new['rows']}] rows for [{table.full_name}] lie outside of [{where}]"
            )
        if not new["rows"] and not may_be_empty:
            raise DataRejectedError(f"Nothing to write to [{table.full_name}] where [{where}]; an empty frame would delete the slice")
        if (new["rows"], new["digest"]) == (old["rows"], old["digest"]):
            return unchanged(context, table, new["rows"])
        touched = [str(day) for day in (new["first_date"], old["first_date"]) if day]
        counted = {"rows_in": new["rows"], "inserted": new["rows"], "removed": old["rows"], "first_date": min(touched, default="")}

        def write(signed: Mapping[str, str]) -> None:
            if not old["rows"]:
                append_rows(context, table, slice_, signed, rows=new["rows"])
                return
            writer = laid_out(table, slice_, rows=new["rows"]).write.format("delta").options(**signed).mode("overwrite")
            writer.option("replaceWhere", where).save(location(context.settings, table))

        return commit(context, table, app, counted, write)


def _figures(frame: DataFrame, table: Table, *, is_compared: bool = True, where: str = "true") -> dict[str, Any]:
    """rows, those of them inside `where`, first_date and, where it is compared, digest (whatever the order), in one pass."""
    from pyspark.sql import functions as F

    first: Column = F.min(table.date) if table.date else F.lit(None)
    digest = F.sum(content_hash(table.column_names).cast("decimal(38,0)")) if is_compared else F.lit(None)
    rows, inside = F.count(F.lit(1)), F.count_if(F.expr(where))
    found = frame.agg(rows.alias("rows"), inside.alias("inside"), digest.alias("digest"), first.alias("first_date")).first()
    assert found is not None  # an aggregate without groups has one row
    return found.asDict()
