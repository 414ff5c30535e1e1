"""What ran and on what: ops.run, read without a JVM, so that a rerun with equal inputs ends before one starts."""

from __future__ import annotations

import hashlib
import json
import operator
from functools import cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.contracts import ops
from jobs import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from jobs.context import JobReport, Request, RunContext

CODE = ("conf", "expectations", "features", "jobs")


@cache
def code_version(folders: tuple[str, ...] = CODE) -> str:
    """Digest of the code and conf that decide results, or of some folders of them: a changed program is a changed input."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted([*(root / folder).rglob("*.py"), *(root / folder).rglob("*.yml")]):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def runs(settings: Settings, request: Request) -> list[dict[str, Any]]:
    """Finished runs of a job, scope and partition, oldest first: one dict per run, columns of ops.run."""
    return _finished(settings, job=request.job, scope=request.scope, partition=request.partition)


def wider_runs(settings: Settings, request: Request) -> list[dict[str, Any]]:
    """Finished runs of a job and scope over ranges that hold the request's dates, oldest first."""
    return [run for run in finished(settings, job=request.job, scope=request.scope) if _holds(run["partition"], request)]


def _holds(partition: str, request: Request) -> bool:
    first, _, last = partition.partition("..")
    return first <= str(request.since) and str(request.until) <= (last or first)


def finished(settings: Settings, **equal: str) -> list[dict[str, Any]]:
    """Finished runs of a `job`, and `scope` where it is given, for whatever partition, oldest first."""
    return _finished(settings, **equal)


def newest(settings: Settings, job: str) -> dict[str, Any] | None:
    """The job's run that finished last, whatever its scope and partition."""
    return next(reversed(_finished(settings, job=job)), None)


def figures_of_newest(settings: Settings, job: str) -> dict[str, Any]:
    """What the job's newest run told of itself; empty where it never ran."""
    run = newest(settings, job)
    figures: dict[str, Any] = json.loads(run["figures"]) if run else {}
    return figures


def _finished(settings: Settings, **equal: str) -> list[dict[str, Any]]:
    """Rows of ops.run whose columns have these values, oldest first."""
    import pyarrow.dataset as ds

    opened = tables.log(settings, ops.RUN)
    if opened is None:
        return []
    where = reduce(operator.and_, (ds.field(name) == value for name, value in equal.items()))
    return sorted(opened.to_pyarrow_dataset().to_table(filter=where).to_pylist(), key=lambda run: run["finished_at"])


def versions_until(settings: Settings, inputs: Sequence[Table], request: Request) -> dict[str, int]:
    """Per input table the newest version that touched a date up to the request's; -1 when there is none.

    A later night's rows leave it as it was, a late row of an earlier date raises it: that is what makes a date stale.
    """
    until = str(request.until)
    found = {}
    for table in inputs:
        concerning = (note["version"] for note in tables.commits(settings, table) if note.get("first_date", "") <= until)
        found[table.full_name] = next(iter(concerning), -1)
    return found


def record(context: RunContext, report: JobReport, *, inputs: str, seconds: float, peak_mb: int, finished_at: datetime) -> None:
    """Append the run to ops.run: the last thing that a job does."""
    request = context.request
    row = (
        context.run_id, request.job, request.scope, request.partition, context.generation, inputs, json.dumps(dict(report.outputs)),
        json.dumps(dict(report.rows)), json.dumps(dict(report.figures), default=str), seconds, peak_mb, code_version(), finished_at,
    )  # fmt: skip
    tables.record(context, ops.RUN, [row])
