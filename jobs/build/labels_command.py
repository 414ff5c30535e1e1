"""Build the labels of as-of dates whose outcome has become known. Reads core.*; replaces the dates in features.label_*.

A date whose outcome window is not loaded to its end, or holds dates that nobody delivered, is kept too, censored: what is not
known is said, not left out.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from features import catalogue, engine
from jobs import frames, ledger, runner, tables
from jobs.build import declarations, tile_store
from jobs.build.dates import add_month_ends_argument, as_of_dates, in_dates
from jobs.build.facts import INPUTS, Facts, covered, planned_once
from jobs.context import JobReport
from jobs.ingest import coverage, plan

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from datetime import date

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from features.labelling import Label
    from jobs.context import JobContext, Request
    from jobs.tables import Written


def add_arguments(parser: ArgumentParser) -> None:
    runner.add_date_arguments(parser)
    add_month_ends_argument(parser)


def run(arguments: Namespace) -> int:
    declarations.expect_sound()
    scope = "month-ends" if arguments.month_ends else ""
    return runner.execute(JOB, runner.request_of("labels", arguments, scope=scope, month_ends=arguments.month_ends))


def build(context: JobContext) -> JobReport:
    """Spine and measures as of D, outcomes as of the end of each window → one table a label. Raises InputNotReadyError."""
    dates = covered(context, as_of_dates(context.request))
    delivered = _delivered(context.settings, context.request)
    last_loaded = max((day for days in delivered.values() for day in days), default=dates[-1])
    facts = Facts(context, dates[0], max(dates[-1], min(last_loaded, dates[-1] + timedelta(days=_LONGEST))))
    written: list[Written] = []
    counts: dict[str, int] = {}
    known = facts.core(tile_store.trusted(facts))
    with ExitStack() as kept, planned_once(context.spark):
        observed = engine.observed(known, catalogue.LABELS, dates, delivered=delivered)
        measured = [(kept.enter_context(frames.kept(frame)), items) for frame, items in observed]
        for label in catalogue.LABELS:
            frame = kept.enter_context(frames.kept(engine.labels_of(known, label, measured, dates, delivered=delivered[label.name])))
            written.append(tables.replace(context, label.table, frame, where=in_dates("as_of_date", dates), dates=(min(dates), max(dates))))
            counts |= _counts(label, frame)
    return JobReport(
        rows={"rows_in": sum(item.rows_in for item in written), "rows_out": sum(item.inserted for item in written), **counts}, outputs={item.table: item.version for item in written},
        figures={"first": str(dates[0]), "last": str(dates[-1]), "last_loaded": str(last_loaded)},
    )  # fmt: skip


_LONGEST = max(label.horizon_days for label in catalogue.LABELS)


def _delivered(settings: Settings, request: Request) -> dict[str, frozenset[date]]:
    """By label the business dates, up to the end of the last outcome, for which every feed of its facts was delivered."""
    feeds = plan.read_mapping(settings.source.mapping).feeds
    until = request.until + timedelta(days=_LONGEST)
    return {
        label.name: coverage.delivered(
            settings, feeds={name for name, feed in feeds.items() if catalogue.reads(label) & feed.targets.keys()}, until=until
        )
        for label in catalogue.LABELS
    }


def _counts(label: Label, frame: DataFrame) -> dict[str, int]:
    found = frame.selectExpr(
        "count(1) as rows", "count_if(is_eligible) as eligible", "count_if(is_censored) as censored",
        "count_if(is_eligible and not is_censored) as usable", "count_if(is_eligible and not is_censored and label = 1) as ones",
    ).first()  # fmt: skip
    assert found is not None  # an aggregate without groups has one row
    return {f"{label.name} {name}": int(count) for name, count in found.asDict().items() if name != "ones" or label.is_flag}


def fingerprint(settings: Settings, request: Request) -> dict[str, int]:
    """Outcomes lie after the request's dates, so what was loaded up to the end of the last one counts, and for how many dates.

    A delivery without rows touches no table, and still completes an outcome.
    """
    versions = ledger.versions_until(settings, INPUTS, replace(request, until=request.until + timedelta(days=_LONGEST)))
    return versions | {f"{name} delivered": len(days) for name, days in _delivered(settings, request).items()}


JOB = runner.Job(
    name="labels", run=build, inputs=INPUTS, outputs=tuple(label.table for label in catalogue.LABELS), fingerprint=fingerprint,
    by_date=True,
)  # fmt: skip
