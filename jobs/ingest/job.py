"""Ingest: verify → read → conform → check → quarantine → core tables → facts, for one group and a night or a range.

Nothing is written before every feed of the group has passed.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from expectations.contracts import core, ops
from jobs import quality
from jobs.context import JobReport
from jobs.errors import DataRejectedError, InputNotReadyError
from jobs.ingest import bulk, conform, coverage, landing, outputs, reading, refusal, verdict
from jobs.ingest import order as orders
from jobs.runner import Job
from jobs.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from jobs.context import JobContext
    from jobs.ingest.landing import Delivery
    from jobs.ingest.order import Order
    from jobs.ingest.outputs import Reconciled
    from jobs.ingest.verdict import Verdict
    from jobs.tables import Written


def ingest(context: JobContext) -> JobReport:
    """Ingest the requested group and dates. Raises DataRejectedError, InputNotReadyError, ConfigurationError."""
    importing = quality.import_early()
    order = orders.order_of(context.settings, context.request)
    _check_reference(context, order)
    reading.prepare(context.spark)
    with refusal.told(context, order):
        delivered = _landed(context, order) | _bulk(context, order)
    importing.join()
    verdicts = side_by_side(partial(_judged, context, order, name, rows, ones) for name, (rows, ones) in delivered.items())
    flat = [one for below in verdicts for one in below]
    try:
        _refuse(context, flat, order)
        return _write(context, flat)
    finally:
        for one in flat:
            one.release()


def _check_reference(context: JobContext, order: Order) -> None:
    """Facts are owned and priced by the reference of their dates: that comes first."""
    if not any(plan.stands_on_reference for plan in order.targets):
        return
    missing = coverage.missing(context.settings, group="reference", days=order.days)
    if missing:
        raise InputNotReadyError(
            f"Group [reference] is not ingested for {landing.described([('reference', day) for day in missing])}; group [{order.group}] stands on it"
        )


def _landed(context: JobContext, order: Order) -> dict[str, tuple[DataFrame, list[Delivery]]]:
    deliveries = orders.landed(context.settings, order)
    landing.verify(deliveries, order.landed_feeds, source=order.mapping.source)
    landing.check_not_empty(deliveries, order.landed_feeds, is_working_day=order.calendar.is_working_day)
    return {name: (reading.landed(context, feed, deliveries[name]), deliveries[name]) for name, feed in order.landed_feeds.items()}


def _bulk(context: JobContext, order: Order) -> dict[str, tuple[DataFrame, list[Delivery]]]:
    return {name: bulk.delivered(context, order, name, feed) for name, feed in order.bulk_feeds.items()}


def _judged(context: JobContext, order: Order, name: str, rows: DataFrame, deliveries: list[Delivery]) -> list[Verdict]:
    plans = [plan for plan in order.targets if plan.feed_name == name]
    return [
        verdict.judged(
            plan, conform.conform(context, rows, plan) if any(one.rows for one in deliveries) else None, deliveries, order=order, settings=context.settings,
            history=coverage.rows_by_date(context.settings, feed=name, target=plan.table.full_name, before=order.days[0]) if order.days else {},
            keep=quality.results_folder(context.settings, context.request.partition),
        )
        for plan in plans
    ]  # fmt: skip


def _refuse(context: JobContext, verdicts: Sequence[Verdict], order: Order) -> None:
    try:
        verdict.refuse(verdicts, order)
    except DataRejectedError:
        refusal.record(context, [outcome for one in verdicts for outcome in one.outcomes])
        raise


def _write(context: JobContext, verdicts: Sequence[Verdict]) -> JobReport:
    written: list[Written] = list(outputs.set_aside(context, verdicts).values())
    facts: list[Reconciled] = []
    for merged, reconciled in side_by_side(partial(_merge, context, ones) for ones in _by_table(verdicts)):
        written += merged
        facts += reconciled
    outcomes = [outcome for one in verdicts for outcome in one.outcomes]
    if verdicts:
        written.append(quality.record(context, outcomes))
        written.append(outputs.record_deliveries(context, facts))
    return JobReport(rows=_totals(facts), outputs={one.table: one.version for one in written}, figures=_figures(verdicts, facts, outcomes))


def _by_table(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Feeds of one table follow one another: side by side they would be in each other's way."""
    of_table: dict[str, list[Verdict]] = {}
    for one in verdicts:
        of_table.setdefault(one.plan.table.full_name, []).append(one)
    return list(of_table.values())


def _merge(context: JobContext, verdicts: Sequence[Verdict]) -> tuple[list[Written], list[Reconciled]]:
    written = [outputs.merge(context, one) for one in verdicts]
    return written, [fact for one, into in zip(verdicts, written, strict=True) for fact in outputs.reconciled(one, into)]


CLASSES = ("rows_in", "inserted", "updated", "unchanged", "duplicates", "quarantined")


def _totals(facts: Sequence[Reconciled]) -> dict[str, int]:
    return {name: sum(getattr(one, name) for one in facts) for name in CLASSES}


def _figures(verdicts: Sequence[Verdict], facts: Sequence[Reconciled], outcomes: Sequence[quality.Outcome]) -> dict[str, Any]:
    """Per feed and table the reconciliation, and how many of its rows said that their key is deleted; which checks were not kept."""
    by_target: dict[str, Counter[str]] = {}
    for one in facts:
        by_target.setdefault(f"{one.feed} -> {one.target}", Counter()).update({name: getattr(one, name) for name in CLASSES})
    broken = [
        {"feed": one.feed, "table": one.table, "rule": one.rule, "severity": str(one.severity), "rows": one.unexpected_rows, "observed": one.observed}
        for one in outcomes if not one.passed
    ]  # fmt: skip
    deleted = {f"{one.plan.feed_name} -> {one.plan.table.full_name}": rows for one in verdicts if (rows := one.total("deleted"))}
    return {
        "reconciled": {name: dict(counts) for name, counts in by_target.items()},
        "deleted": deleted,
        "checks": len(outcomes),
        "broken": broken,
    }


JOB = Job(name="ingest", run=ingest, outputs=(*core.TABLES, ops.QUALITY_RESULT, ops.DELIVERY), fingerprint=orders.fingerprint)
