"""Build day tiles and all feature groups for one as-of date or a range, in one session and one pass.

Reads core.*; writes features.tile_* (replaces what is new or was touched) and features.<group>_v<n> (revisions). Every open customer has
a row, whether or not anything happened. Rows of other dates that late and corrected facts concern are made again (jobs/build/corrections.py).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from features import catalogue, engine, windows
from features.spec import Empty
from jobs import frames, lock, runner, tables
from jobs.build import browse, corrections, tile_store, window_states
from jobs.build.dates import add_month_ends_argument, as_of_dates
from jobs.build.facts import INPUTS, Facts, covered, planned_once
from jobs.context import JobReport
from jobs.errors import DataRejectedError, InvariantError
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from features.engine import Core
    from jobs.build.corrections import Corrections
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
    """Spine → tiles → measures → features → check → tables; then stored rows that late and corrected facts concern.

    Raises InputNotReadyError, DataRejectedError.
    """
    seen = corrections.seen(context.settings)
    dates = covered(context, as_of_dates(context.request))
    late = corrections.due(context, seen, dates)
    every = [*dates, *(late.all_dates if late else ())]
    facts = Facts(context, min(every), max(every))
    day_tiles, written, stored = tile_store.brought_up_to_date(facts)
    known = facts.core(day_tiles)
    states = window_states.recorded(context.settings)
    night = window_states.night(facts, dates, seen, states)
    with _made(context, replace(known, sweep=night.sweep) if night else known, dates) as wide:
        span = check(wide)
        published = _publish(context, wide, span, dict.fromkeys(_names(), dates))
    if night:
        rolled, states = night.store()
        night.release()
        published.append(rolled)
    corrected = _correct(facts, known, late) if late else []
    figures = {
        "states": [one.figures for one in states],
        "first": str(dates[0]), "last": str(dates[-1]), "tiles": stored.figures, "seen": seen, "corrections": late.figures if late else {},
        "spec_hashes": {group.table.full_name: catalogue.spec_hash(group) for group in catalogue.GROUPS},
    }  # fmt: skip
    return _report([*written, *published], corrected, rows=span.rows, dates=dates, figures=figures)


def _correct(facts: Facts, known: Core, late: Corrections) -> list[Written]:
    """Append revisions of the stored rows that come out differently now. Raises ConflictError while another run does."""
    # Runs of different dates correct the same rows: side by side they would append the same revision twice.
    with lock.held(facts.context.settings.locks, "features-corrections"):
        customers = corrections.customers(facts, late)
        if customers is None:
            return _made_again(facts.context, known, late)
        with frames.kept(customers) as few:
            return _made_again(facts.context, known.of(few), late, among=few)


def _made_again(context: JobContext, known: Core, late: Corrections, *, among: DataFrame | None = None) -> list[Written]:
    with _made(context, known, late.all_dates) as wide:
        span = tables.Span(check(wide).rows, late.all_dates[0], late.all_dates[-1])
        return _publish(context, wide, span, late.dates, among=among, part=late.part)


@contextmanager
def _made(context: JobContext, known: Core, dates: Sequence[date]) -> Iterator[DataFrame]:
    with planned_once(context.spark):
        wide = frames.made(engine.features_of(known, dates))
    try:
        yield wide
    finally:
        frames.release(wide)


def _publish(
    context: JobContext, wide: DataFrame, span: tables.Span, dates: Mapping[str, Collection[date]], *, among: DataFrame | None = None, part: str = ""
) -> list[Written]:  # fmt: skip
    """Append to each table, of the dates that are its own, what is new or differs."""
    every = set().union(*dates.values())
    return side_by_side(
        partial(
            tables.append_revisions, context, group.table, _of(wide, own, every).select(*group.table_columns), part=part, span=span,
            scope=tables.Scope(own, among),
        )
        for group in catalogue.GROUPS if (own := dates.get(group.table.full_name))
    )  # fmt: skip


def _of(wide: DataFrame, dates: Collection[date], every: Collection[date]) -> DataFrame:
    return wide if len(dates) == len(every) else wide.where(wide.as_of_date.isin(sorted(dates)))


def _names() -> list[str]:
    return [group.table.full_name for group in catalogue.GROUPS]


def check(wide: DataFrame) -> tables.Span:
    """Rows and dates of the frame, once its key is unique and no feature that means zero without rows is null.

    One aggregation. Raises InvariantError for a repeated key, DataRejectedError for a null or an empty frame.
    """
    from pyspark.sql import functions as F

    promised = [name for name, (_, feature) in catalogue.FEATURES.items() if feature.empty_means is Empty.ZERO]
    lacks = F.expr(" or ".join(f"{name} is null" for name in promised))
    found = wide.agg(
        F.count(F.lit(1)).alias("rows"), F.count_distinct(*windows.KEYS).alias("keys"), F.count_if(lacks).alias("lacking"),
        F.min("as_of_date").alias("first"), F.max("as_of_date").alias("last"),
    ).first()  # fmt: skip
    assert found is not None  # an aggregate without groups has one row
    if found["rows"] != found["keys"]:
        raise InvariantError(f"[{found['rows']}] feature rows for [{found['keys']}] customers and dates: a join repeats rows of the spine")
    if found["lacking"]:
        row = wide.where(lacks).select(*windows.KEYS, *promised).first()
        nulls = [name for name in promised if row and row[name] is None]
        raise DataRejectedError(
            f"Features are null although no rows mean zero, in [{found['lacking']}] rows, such as {nulls} of customer "
            f"[{row and row['customer_key']}] on [{row and row['as_of_date']}]; look at what they are made of"
        )
    return tables.Span(found["rows"], found["first"], found["last"])


def _report(
    written: Sequence[Written], corrected: Sequence[Written], *, rows: int, dates: Sequence[date], figures: Mapping[str, Any]
) -> JobReport:
    return JobReport(
        rows={
            "rows_in": rows,
            "rows_out": sum(item.inserted + item.updated for item in written),
            "dates": len(dates),
            "features": len(catalogue.FEATURES),
        }
        | {f"{item.table} inserted": item.inserted for item in written}
        | {f"{item.table} {what}": count for item in written for what, count in _revised(item)}
        | {
            f"{item.table} earlier dates {what}": count
            for item in corrected
            for what, count in [("inserted", item.inserted), *_revised(item)]
            if count
        },
        outputs={item.table: item.version for item in (*written, *corrected)},
        figures=figures,
    )


def _revised(item: Written) -> list[tuple[str, int]]:
    return [(what, count) for what, count in (("revised", item.updated), ("withdrawn", item.removed)) if count]


JOB = runner.Job(
    name="features", run=build, inputs=INPUTS,
    outputs=(*(source.table for source in catalogue.TILED), catalogue.WINDOW_STATE, *(group.table for group in catalogue.GROUPS)),
)  # fmt: skip
