"""Requests, and what the runner decides before a JVM starts."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from pyarrow import Table as Arrow

from conf import settings as conf
from conf.settings import Settings
from expectations.contracts import ops
from jobs import ledger, runner, tables
from jobs.context import JobContext, JobReport, Request, parse_date
from jobs.errors import ConfigurationError, ConflictError, UsageError

DAY = date(2026, 1, 31)


def _arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    runner.add_date_arguments(parser)
    return parser.parse_args(words)


# --- requests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "partition"),
    [
        (("--as-of", "2026-01-31"), "2026-01-31"),
        (("--from", "2026-01-01", "--to", "2026-01-31"), "2026-01-01..2026-01-31"),
        (("--from", "2026-01-31", "--to", "2026-01-31"), "2026-01-31"),
    ],
)
def test_a_request_is_known_by_its_dates(words: tuple[str, ...], partition: str) -> None:
    assert runner.request_of("job", _arguments(*words)).partition == partition


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "either --as-of DATE, or --from DATE and --to DATE"),
        (("--from", "2026-01-01"), "either --as-of DATE, or --from DATE and --to DATE"),
        (("--as-of", "2026-01-01", "--to", "2026-01-02"), "either --as-of DATE, or --from DATE and --to DATE"),
        (("--as-of", "None"), r"\[None\] is not a business date"),  # an unset template renders so
        (("--as-of", "2026-02-30"), r"\[2026-02-30\] is not a business date"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), r"\[2026-02-01..2026-01-01\] is empty"),
    ],
)
def test_a_request_that_makes_no_sense_says_why(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        runner.request_of("job", _arguments(*words))


def test_dates_are_iso_dates() -> None:
    assert parse_date("2026-01-31") == DAY


# --- before a JVM -------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KEQUN_HOME", str(tmp_path))
    return conf.load()


def _never(_: JobContext) -> JobReport:
    raise AssertionError("nothing was to be done")


def _job(**more: Any) -> runner.Job:
    return runner.Job(name="job", run=_never, fingerprint=lambda _, __: more.get("fingerprint", "delivery 1"))


def _ran(settings: Settings, request: Request, *, fingerprint: str, finished_at: datetime) -> None:
    """Enter a finished run in the ledger as a run of today's code."""
    whole = {"code": ledger.code_version(), "inputs": fingerprint, "options": {}}
    row = {
        "run_id": f"run at {finished_at:%H}", "job": request.job, "scope": request.scope, "partition": request.partition, "generation": 0,
        "inputs": json.dumps(whole, sort_keys=True), "outputs": "{}", "rows": "{}", "figures": "{}", "seconds": 1.0, "peak_mb": 1,
        "code_version": "c", "finished_at": finished_at,
    }  # fmt: skip
    write_deltalake(tables.location(settings, ops.RUN), Arrow.from_pylist([row]), mode="append")


def test_equal_inputs_are_nothing_to_do(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request(job="job", since=DAY, until=DAY)
    _ran(home, request, fingerprint="delivery 1", finished_at=datetime(2026, 2, 1, 1, tzinfo=UTC))
    assert runner.execute(_job(), request) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job": "job", "scope": "", "partition": "2026-01-31", "state": "nothing to do", "run_id": "run at 01",
    }  # fmt: skip
    assert list(home.locks.glob("*.lock")) == []


def test_the_last_run_counts_not_any(home: Settings) -> None:
    """A delivery that was replaced and put back has to be taken in again."""
    request = Request(job="job", since=DAY, until=DAY)
    _ran(home, request, fingerprint="delivery 1", finished_at=datetime(2026, 2, 1, 1, tzinfo=UTC))
    _ran(home, request, fingerprint="delivery 2", finished_at=datetime(2026, 2, 1, 2, tzinfo=UTC))
    assert [run["run_id"] for run in ledger.runs(home, request)] == ["run at 01", "run at 02"]
    assert runner.execute(_job(fingerprint="delivery 2"), request) == 0


def test_the_ledger_keeps_jobs_scopes_and_dates_apart(home: Settings) -> None:
    finished_at = datetime(2026, 2, 1, 1, tzinfo=UTC)
    for other in (Request(job="other", since=DAY, until=DAY), Request(job="job", scope="credit", since=DAY, until=DAY)):
        _ran(home, other, fingerprint="delivery 1", finished_at=finished_at)
    assert ledger.runs(home, Request(job="job", since=DAY, until=DAY)) == []


def test_a_job_in_the_works_is_a_conflict(home: Settings) -> None:
    request = Request(job="job", since=DAY, until=DAY)

    def fingerprint(_: Settings, again: Request) -> str:
        raise AssertionError(runner.execute(_job(), again))

    with pytest.raises(ConflictError, match=rf"\[job--2026-01-31\] is being worked on by process {os.getpid()}"):
        runner.execute(runner.Job(name="job", run=_never, fingerprint=fingerprint), request)


def test_settings_that_cannot_be_used_are_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEQUN_ENV", "moon")
    with pytest.raises(ConfigurationError, match=r"No environment \[moon\] in conf/env; there are \['ci', "):
        runner.load_settings()


def test_the_code_is_an_input() -> None:
    assert len(ledger.code_version()) == 12


def test_peak_memory_counts_this_process() -> None:
    assert runner.peak_memory_mb() > 10
