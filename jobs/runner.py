"""How every job runs: lock → ledger → (nothing to do | session → job → ledger), one JSON line at the end."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf import settings as conf
from jobs import ledger, lock
from jobs.context import JobContext, JobReport, Request, now, parse_date
from jobs.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime

    from conf.settings import Settings
    from expectations.contracts.types import Table


@dataclass(frozen=True, kw_only=True)
class Job:
    """A program: what it reads, what it writes, how it runs.

    inputs feed the ledger's no-op check (by version), unless `fingerprint` says what the run stands on instead.
    by_date: a range gives what its dates would give one by one, so that a wider run on equal inputs has done them too.
    """

    name: str
    run: Callable[[JobContext], JobReport]
    inputs: tuple[Table, ...] = ()
    outputs: tuple[Table, ...] = ()
    fingerprint: Callable[[Settings, Request], Any] | None = None
    by_date: bool = False


def add_date_arguments(parser: argparse.ArgumentParser) -> None:
    """--as-of D, or --from A --to B; --force."""
    parser.add_argument("--as-of", metavar="DATE", help="one business date")
    parser.add_argument("--from", dest="since", metavar="DATE", help="first business date of a range")
    parser.add_argument("--to", dest="until", metavar="DATE", help="last business date of a range")
    parser.add_argument("--force", action="store_true", help="run again although nothing changed")


def request_of(job: str, arguments: argparse.Namespace, *, scope: str = "", **options: Any) -> Request:
    """The request that a command line stands for. Raises UsageError."""
    single, since, until = arguments.as_of, arguments.since, arguments.until
    if bool(single) == bool(since or until) or bool(since) != bool(until):
        raise UsageError("Give either --as-of DATE, or --from DATE and --to DATE")
    first, last = (single, single) if single else (since, until)
    return Request(job=job, since=parse_date(first), until=parse_date(last), scope=scope, force=arguments.force, options=options)


def load_settings() -> Settings:
    """The deployment's settings. Raises ConfigurationError."""
    try:
        return conf.load()
    except conf.SettingsError as error:
        raise ConfigurationError(str(error)) from error


def execute(job: Job, request: Request) -> int:
    """Run the job under its lock, or say that there is nothing to do. Returns 0; other exit codes come as errors."""
    settings = load_settings()
    started, started_at = time.monotonic(), now()
    with lock.held(settings.locks, f"{request.job}-{request.scope}-{request.partition}"):
        stands_on = job.fingerprint(settings, request) if job.fingerprint else ledger.versions_until(settings, job.inputs, request)
        whole = {"code": ledger.code_version(), "inputs": stands_on, "options": dict(request.options)}
        inputs = json.dumps(whole, sort_keys=True, default=str)
        earlier = ledger.runs(settings, request)
        wider = ledger.wider_runs(settings, request) if job.by_date else []
        done = next((run for run in (*earlier[-1:], *wider) if run["inputs"] == inputs), None)
        if done and not request.force:
            _say({**_named(request), "state": "nothing to do", "run_id": done["run_id"]})
            return 0
        report = _run(job, request, settings, generation=len(earlier), inputs=inputs, started=started, started_at=started_at)
    _say(report)
    return 0


def _run(
    job: Job, request: Request, settings: Settings, *, generation: int, inputs: str, started: float, started_at: datetime
) -> dict[str, Any]:
    from jobs import session, warm_jvm

    with warm_jvm.borrowed(settings, f"{request.job} {request.scope}") as jvm:
        spark = session.build(settings, name=f"{request.job} {request.scope} {request.partition}")
        try:
            context = JobContext(
                settings=settings, request=request, spark=spark, run_id=_run_id(request, generation, inputs), generation=generation,
                started_at=started_at, stands_on=_digest(inputs),
            )  # fmt: skip
            report = job.run(context)
            seconds, peak_mb = round(time.monotonic() - started, 2), peak_memory_mb(jvm)
            ledger.record(context, report, inputs=inputs, seconds=seconds, peak_mb=peak_mb, finished_at=now())
        finally:
            spark.stop()
    return {
        **_named(request), "state": "done", "run_id": context.run_id, "seconds": seconds, "peak_mb": peak_mb,
        "rows": dict(report.rows), "outputs": dict(report.outputs),
    }  # fmt: skip


def _named(request: Request) -> dict[str, str]:
    return {"job": request.job, "scope": request.scope, "partition": request.partition}


def _run_id(request: Request, generation: int, inputs: str) -> str:
    """The same for every attempt of one run, so that what a killed attempt wrote belongs to the run that the ledger names."""
    return _digest(json.dumps([_named(request), generation, inputs], sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def peak_memory_mb(jvm: int | None = None) -> int:
    """Peak resident memory of this process, its children (the JVM) and a borrowed JVM, in MiB; 0 where /proc is not there."""
    total = 0
    borrowed = [Path(f"/proc/{jvm}")] if jvm else []
    for process in [Path("/proc/self"), *_children(Path("/proc/self")), *borrowed]:
        try:
            status = (process / "status").read_text(encoding="utf-8")
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total // 1024


def _children(process: Path) -> list[Path]:
    try:
        ids = [pid for task in (process / "task").iterdir() for pid in (task / "children").read_text(encoding="utf-8").split()]
    except OSError:
        return []
    found = [Path("/proc") / pid for pid in ids]
    return [*found, *(below for child in found for below in _children(child))]


def _say(report: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(report, default=str) + "\n")
    sys.stdout.flush()
