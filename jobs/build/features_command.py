"""Build day tiles and all feature groups for one as-of date or a range, in one session and one pass.

Reads core.*; writes features.tile_* (replaces what is new or was touched) and features.<group>_v<n> (revisions). Every open customer has
a row, whether or not anything happened.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from features import catalogue, engine, windows
from features.spec import Empty
from jobs import frames, runner, tables
from jobs.build import browse, tile_store
from jobs.build.dates import add_month_ends_argument, as_of_dates
from jobs.build.facts import INPUTS, Facts, covered, planned_once
from jobs.context import JobReport
from jobs.errors import DataRejectedError, InvariantError
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.build.tile_store import Stored
    from jobs.context import JobContext
    from jobs.tables import Written


def add_arguments(parser: ArgumentParser) -> None:
    runner.add_date_arguments(parser)
    add_month_ends_argument(parser)
    browse.add_arguments(parser)


def run(arguments: Namespace) -> int:
    if arguments.look:
        return browse.run(arguments)
    scope = "month-ends" if arguments.month_ends else ""
    return runner.execute(JOB, runner.request_of("features", arguments, scope=scope, month_ends=arguments.month_ends))


def build(context: JobContext) -> JobReport:
    """Spine → tiles → measures → features → check → tables. Raises InputNotReadyError, DataRejectedError."""
    dates = covered(context, as_of_dates(context.request))
    facts = Facts(context, dates[0], dates[-1])
    day_tiles, written, stored = tile_store.brought_up_to_date(facts)
    with planned_once(context.spark):
        wide = frames.made(engine.features_of(facts.core(day_tiles), dates))
    span = check(wide)
    written += side_by_side(
        partial(tables.append_revisions, context, one.table, wide.select(*one.table_columns), span=span) for one in catalogue.GROUPS
    )
    return _report(written, stored, rows=span.rows, dates=dates)


def check(wide: DataFrame) -> tables.Span:
    """Rows and dates of the frame, once its key is unique and no feature that means zero without rows is null.

    One aggregation. Raises InvariantError for a repeated key, DataRejectedError for a null or an empty frame.
    """
    from pyspark.sql import functions as F

    promised = [name for name, (_, feature) in catalogue.FEATURES.items() if feature.empty_means is Empty.ZERO]
    counts = [
        F.count(F.lit(1)).alias("rows"), F.count_distinct(*windows.KEYS).alias("keys"),
        F.min("as_of_date").alias("first"), F.max("as_of_date").alias("last"),
    ]  # fmt: skip
    found = wide.agg(*counts, *(F.count(name).alias(name) for name in promised)).first()
    assert found is not None  # an aggregate without groups has one row
    if found["rows"] != found["keys"]:
        raise InvariantError(f"[{found['rows']}] feature rows for [{found['keys']}] customers and dates: a join repeats rows of the spine")
    nulls = {name: found["rows"] - found[name] for name in promised if found[name] != found["rows"]}
    if nulls:
        raise DataRejectedError(f"Features are null although no rows mean zero: {nulls}; look at what they are made of")
    return tables.Span(found["rows"], found["first"], found["last"])


def _report(written: Sequence[Written], stored: Stored, *, rows: int, dates: Sequence[date]) -> JobReport:
    return JobReport(
        rows={
            "rows_in": rows,
            "rows_out": sum(item.inserted + item.updated for item in written),
            "dates": len(dates),
            "features": len(catalogue.FEATURES),
        }
        | {f"{item.table} inserted": item.inserted for item in written}
        | {f"{item.table} revised": item.updated for item in written if item.updated},
        outputs={item.table: item.version for item in written},
        figures={
            "first": str(dates[0]),
            "last": str(dates[-1]),
            "tiles": stored.figures,
            "spec_hashes": {group.table.full_name: catalogue.spec_hash(group) for group in catalogue.GROUPS},
        },
    )


JOB = runner.Job(
    name="features", run=build, inputs=INPUTS,
    outputs=(*(source.table for source in catalogue.TILED), *(group.table for group in catalogue.GROUPS)),
)  # fmt: skip
