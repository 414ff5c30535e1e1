"""Publish the marts of one as-of date: guards, tombstones, one commit per mart, and the publish log as ready marker.

Order: judge every frame → tombstones → marts → ops.publish_log. A run that was killed in between is repeated and ends in
the same tables. Dates before the newest published one are never restated: asked for by hand they are refused, a backfill
passes over them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from expectations.contracts import core, features, mart, ops, scores
from expectations.contracts.types import Severity
from features import catalogue
from jobs import frames, quality, runner, tables
from jobs.context import JobContext, JobReport, now
from jobs.errors import UsageError
from jobs.marts import customer_360, guards, pictures, segment_list
from jobs.threads import side_by_side

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from conf.settings import Settings
    from expectations.contracts.odcs import Contract
    from expectations.contracts.types import Table
    from jobs.context import Request

MARTS = {contract.table.name: contract for contract in mart.CONTRACTS if contract.table is not mart.CUSTOMER_360_TOMBSTONE}
INPUTS = (
    core.CUSTOMER, core.CUSTOMER_MERGE, core.CONSENT, core.ACCOUNT, core.ACCOUNT_PARTY, core.CREDIT_ACCOUNT,
    *(group.table for group in catalogue.GROUPS), features.SEGMENT_DAILY, features.SEGMENT_MEMBERSHIP, scores.CHURN, scores.VALUE,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One mart about to be published: its rows and the newest earlier entry of the publish log."""

    contract: Contract
    frame: DataFrame
    previous: dict[str, Any] | None

    @property
    def table(self) -> Table:
        return self.contract.table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--as-of D, --mart, --without-scores, --unless-past, --force."""
    runner.add_date_arguments(parser)
    parser.add_argument("--mart", choices=sorted(MARTS), help="only this one (default: all)")
    parser.add_argument(
        "--unless-past", action="store_true", help="where a later date is published already, end with 0 and publish nothing"
    )
    parser.add_argument("--without-scores", action="store_true", help="publish although the date has no scores and earlier ones had")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 2 for a past date, 20 when a guard stops it, 30 when features, segments or scores are missing."""
    request = runner.request_of("publish", arguments, scope=arguments.mart or "", without_scores=arguments.without_scores)
    if request.since != request.until:
        raise UsageError(f"A mart shows one date, not the range [{request.partition}]; give --as-of DATE")
    if arguments.unless_past and (later := _later(runner.load_settings(), request)):
        said = {
            "job": "publish",
            "scope": request.scope,
            "partition": request.partition,
            "state": "nothing to do",
            "published_as_of": later,
        }
        sys.stdout.write(json.dumps(said, default=str) + "\n")
        return 0
    return runner.execute(JOB, request)


def _later(settings: Settings, request: Request) -> date | None:
    """The newest date that a wanted mart is published as of, where it is later than the request's; read without a JVM."""
    import pyarrow.dataset as ds

    opened = tables.log(settings, ops.PUBLISH_LOG)
    if opened is None:
        return None
    of_wanted = ds.field("published_table").isin([contract.table.full_name for contract in _wanted(request)])
    dates = opened.to_pyarrow_dataset().to_table(filter=of_wanted, columns=["as_of_date"]).column("as_of_date").to_pylist()
    return max((day for day in dates if day > request.until), default=None)


def _wanted(request: Request) -> list[Contract]:
    return [MARTS[request.scope]] if request.scope else list(MARTS.values())


def publish(context: JobContext) -> JobReport:
    """Build, judge, write, log. Returns what happened to each mart's rows."""
    wanted = _wanted(context.request)
    previous = {contract.table.name: _previous(context, contract.table) for contract in wanted}
    for contract in wanted:
        _refuse_past(context, contract.table, previous[contract.table.name])
    made = _made(context)
    publications = [
        Publication(contract=contract, frame=made[contract.table.name], previous=previous[contract.table.name]) for contract in wanted
    ]
    try:
        _judge(context, publications)
        side_by_side(partial(_write, context, publication) for publication in publications)
        entries = [_entry(context, publication) for publication in publications]
        tables.record(context, ops.PUBLISH_LOG, entries)
        return _report(entries, made[mart.CUSTOMER_360.name])
    finally:
        for frame in made.values():
            frames.release(frame)


JOB = runner.Job(name="publish", run=publish, inputs=INPUTS, outputs=(*mart.TABLES, ops.PUBLISH_LOG))


def _previous(context: JobContext, table: Table) -> dict[str, Any] | None:
    """The newest entry of the publish log for the table."""
    from pyspark.sql import functions as F

    logged = tables.read_or_empty(context, ops.PUBLISH_LOG).where(F.col("published_table") == table.full_name)
    newest = logged.orderBy(F.col("finished_at").desc()).first()
    return newest.asDict() if newest else None


def _refuse_past(context: JobContext, table: Table, previous: dict[str, Any] | None) -> None:
    if previous and context.as_of < previous["as_of_date"]:
        raise UsageError(
            f"[{table.full_name}] was published as of [{previous['as_of_date']}]; [{context.as_of}] is in its past, and past dates are "
            f"never restated. Publish [{previous['as_of_date']}] again or a later date; read the past by Delta version from ops.publish_log"
        )


def _made(context: JobContext) -> dict[str, DataFrame]:
    """Each mart's frame by its name. Everybody's picture is made first, so that the list of segments need not make it again."""
    found = pictures.read(context)
    customers = frames.made(customer_360.build(found, _edition(context, mart.CUSTOMER_360)))
    segments = frames.made(segment_list.build(customers, found.segments, _edition(context, mart.SEGMENT_LIST)))
    return {mart.CUSTOMER_360.name: customers, mart.SEGMENT_LIST.name: segments}


def _edition(context: JobContext, table: Table) -> customer_360.Edition:
    conf = context.settings.publish
    return customer_360.Edition(
        as_of=context.as_of,
        run_id=context.run_id,
        contract_version=MARTS[table.name].version,
        salt=conf.control_group_salt,
        share=conf.control_group_share,
    )


def _judge(context: JobContext, publications: Sequence[Publication]) -> None:
    """All guards of all marts before anything is written; what they said is kept whatever it was."""
    verdicts = {publication.table: _verdicts(context, publication) for publication in publications}
    outcomes = [_outcome(table, verdict) for table, found in verdicts.items() for verdict in found]
    if all(outcome.passed for outcome in outcomes):
        quality.record(context, outcomes)
        return
    # A refusal is recorded outside the run: its next attempt must be free to record again.
    refused = replace(context, request=replace(context.request, job="publish-rejected"), generation=int(context.started_at.timestamp()))
    quality.record(refused, outcomes)
    for table, found in verdicts.items():
        guards.insist(table, found)


def _verdicts(context: JobContext, publication: Publication) -> list[guards.Verdict]:
    before = publication.previous["rows_total"] if publication.previous else None
    return guards.judge(publication.table, publication.frame, previous_rows=before, limits=context.settings.quality)


def _outcome(table: Table, verdict: guards.Verdict) -> quality.Outcome:
    return quality.Outcome(
        feed="mart", table=table.full_name, rule=verdict.rule, because=verdict.because, severity=Severity.STOP, passed=verdict.passed,
        checked_rows=verdict.checked, unexpected_rows=verdict.unexpected, observed=verdict.observed or None,
    )  # fmt: skip


def _write(context: JobContext, publication: Publication) -> None:
    """Tombstones first: once the mart is committed nobody could tell any more who has left it."""
    if publication.table is mart.CUSTOMER_360:
        tables.append(context, mart.CUSTOMER_360_TOMBSTONE, _leaving(context, publication.frame, context.as_of))
    nobody_may_be_contacted = publication.table is mart.SEGMENT_LIST
    tables.merge_changed(context, publication.table, publication.frame, may_be_empty=nobody_may_be_contacted)


def _leaving(context: JobContext, new: DataFrame, day: date) -> DataFrame:
    """Grain: customer_key of stored rows that `new` does not hold, with the reason."""
    from pyspark.sql import functions as F

    stored = tables.read_or_empty(context, mart.CUSTOMER_360).select("customer_key")
    merged = pictures.merged(context).select("customer_key", F.lit(True).alias("is_merged"))
    people = pictures.customers(context).select("customer_key", (F.col("status") == "closed").alias("is_closed"))
    return (
        stored.join(new.select("customer_key"), on="customer_key", how="left_anti")
        .join(merged, on="customer_key", how="left")
        .join(people, on="customer_key", how="left")
        .select(
            "customer_key",
            F.lit(day).alias("left_on"),
            F.when(F.col("is_merged"), "merged").when(F.col("is_closed"), "closed").otherwise("absent").alias("reason"),
        )
    )


def _entry(context: JobContext, publication: Publication) -> tuple[Any, ...]:
    """A row of the publish log. Changes are counted from the commits, so that a repeated run tells what the killed one did."""
    table = publication.table
    since = publication.previous["delta_version"] if publication.previous else -1
    commits = [note for note in tables.commits(context.settings, table) if note["version"] > since]
    return (
        context.run_id, table.full_name, context.as_of, tables.version(context.settings, table), publication.contract.version,
        publication.frame.count(), sum(note.get("inserted", 0) + note.get("updated", 0) for note in commits), sum(note.get("removed", 0) for note in commits), now(),
    )  # fmt: skip


def _report(entries: Sequence[tuple[Any, ...]], customers: DataFrame) -> JobReport:
    from pyspark.sql import functions as F

    counted = customers.agg(F.count_if("marketable_flag").alias("marketable"), F.count("churn_probability").alias("scored")).first()
    assert counted is not None
    named = {entry[1]: dict(zip(ops.PUBLISH_LOG.column_names, entry, strict=True)) for entry in entries}
    changed = {f"{table} {name}": entry[name] for table, entry in named.items() for name in ("rows_total", "rows_changed", "rows_removed")}
    rows = {
        "rows_in": sum(entry["rows_total"] for entry in named.values()),
        "rows_out": sum(entry["rows_changed"] + entry["rows_removed"] for entry in named.values()),
        **changed,
    }
    return JobReport(rows=rows, outputs={table: entry["delta_version"] for table, entry in named.items()}, figures=counted.asDict())
