"""SIGKILL while a job writes, then the same job again: the tables and the ledger of an undisturbed run.

One job writes a table in every way. It is killed before its first write, then in each write after data files appeared
and before the commit, then after the last commit; each attempt begins where the killed one stopped. The killer watches
the tables' folders from outside: nothing in the product knows of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import settings as conf
from conf.settings import Settings
from expectations.contracts.types import Table
from jobs import ledger, tables
from jobs.context import JobContext, JobReport, new_run_id, now
from tests.fixtures import every_write as job

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300.0
# What an attempt's clock decides, and who wrote: left out of comparisons.
CLOCKS = {"known_at", "updated_at"}


# --- the killer ---------------------------------------------------------------------------------------------------


@contextmanager
def _started(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The job in a process group of its own, JVM included; nothing of it is left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.every_write"], cwd=ROOT, env={**os.environ, "KEQUN_HOME": str(home), "KEQUN_ENV": "ci"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait(process: subprocess.Popen[str], happened: Callable[[], bool], what: str) -> None:
    """Without a pause: the moment looked for may be a thousandth of a second long."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert process.poll() is None, f"the job ended before {what}: {process.communicate()}"
        assert time.monotonic() < until, f"{what} did not happen"


def _wait_for_session(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("session is up"):
            return
    raise AssertionError(f"no session: {process.communicate()}")


@dataclass(frozen=True)
class Folder:
    """A table's folder as it was when the attempt began."""

    path: Path
    files: frozenset[str] = field(default_factory=frozenset)
    version: int = -1

    @classmethod
    def of(cls, settings: Settings, table: Table) -> Folder:
        path = Path(tables.location(settings, table))
        return cls(path, cls._data(path), tables.version(settings, table))

    @staticmethod
    def _data(path: Path) -> frozenset[str]:
        # A walk may meet folders that the job is just removing.
        return frozenset(name for _, _, names in os.walk(path) for name in names if name.endswith(".parquet"))

    def has_new_data(self) -> bool:
        return bool(self._data(self.path) - self.files)

    def has_new_commit(self) -> bool:
        return (self.path / "_delta_log" / f"{self.version + 1:020}.json").exists()


def _kill_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _killed_while_writing(home: Path, settings: Settings, table: Table) -> bool:
    """Kill between the first data file and the commit, in a few attempts where the commit is faster than the killer's eye."""
    before = home.with_name(f"{home.name}-before-{table.name}")
    shutil.copytree(home, before)
    for _ in range(3):
        folder = Folder.of(settings, table)
        with _started(home) as process:
            _wait_for_session(process)
            _wait(process, folder.has_new_data, f"data of {table.full_name}")
            os.killpg(process.pid, signal.SIGSTOP)
            in_between = not folder.has_new_commit()
            _kill_group(process)
        if in_between:
            return True
        shutil.rmtree(home)
        shutil.copytree(before, home)
    return False


def _children_of(pid: int) -> list[int]:
    found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [*found, *(below for child in found for below in _children_of(child))]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- the scenario, played once ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """What was seen while the job was killed, and what is there at the end."""

    second_at_once: tuple[int, str]
    jvms_outliving: list[int]
    hit_in_between: dict[str, bool]
    final: dict[str, Any]
    again: dict[str, Any]
    settings: Settings
    undisturbed: Settings
    report: JobReport


def _at(home: Path) -> Settings:
    return conf.load("ci", variables={"KEQUN_HOME": str(home)})


def _context(spark: SparkSession, settings: Settings, name: str) -> JobContext:
    request = job.REQUEST if name == "every_write" else type(job.REQUEST)(job=name, since=job.DAY, until=job.DAY)
    return JobContext(settings=settings, request=request, spark=spark, run_id=new_run_id(), generation=0, started_at=now())


def _killed_before_writing(home: Path) -> tuple[tuple[int, str], list[int]]:
    """Meanwhile a second one is started; then only Python is killed. Returns how the second ended and which JVMs stayed."""
    with _started(home) as process:
        _wait_for_session(process)
        os.killpg(process.pid, signal.SIGSTOP)
        with _started(home) as second:
            said = second.communicate(timeout=PATIENCE_SECONDS)[1]
            ended = (second.returncode, said)
        below = _children_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGCONT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(map(_is_running, below)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return ended, [pid for pid in below if _is_running(pid)]


def _killed_after_commit(home: Path, settings: Settings, table: Table) -> None:
    folder = Folder.of(settings, table)
    with _started(home) as process:
        _wait(process, folder.has_new_commit, f"commit of {table.full_name}")
        _kill_group(process)


def _to_the_end(home: Path) -> dict[str, Any]:
    with _started(home) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, err
    said: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def played(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Played:
    home, calm = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("undisturbed")
    settings, undisturbed = _at(home), _at(calm)
    job.seed(_context(spark, settings, "seed"))
    shutil.copytree(settings.warehouse, undisturbed.warehouse)
    report = job.run(_context(spark, undisturbed, "every_write"))
    second, outliving = _killed_before_writing(home)
    in_between = {mode: _killed_while_writing(home, settings, table) for mode, table in job.TABLES.items()}
    _killed_after_commit(home, settings, job.TABLES["changed"])
    return Played(
        second_at_once=second, jvms_outliving=outliving, hit_in_between=in_between, final=_to_the_end(home), again=_to_the_end(home),
        settings=settings, undisturbed=undisturbed, report=report,
    )  # fmt: skip


# --- what must hold -----------------------------------------------------------------------------------------------


def test_of_two_at_once_the_second_ends_with_a_conflict(played: Played) -> None:
    code, said = played.second_at_once
    assert code == 40
    assert "every_write--2026-01-31" in said
    assert "is being worked on by process" in said


def test_the_jvm_dies_with_its_python(played: Played) -> None:
    assert played.jvms_outliving == []


def test_every_write_was_hit_between_data_and_commit(played: Played) -> None:
    assert played.hit_in_between == dict.fromkeys(job.TABLES, True)


@pytest.mark.parametrize("mode", job.TABLES)
def test_the_table_is_that_of_an_undisturbed_run(played: Played, spark: SparkSession, mode: str) -> None:
    table = job.TABLES[mode]

    def content(settings: Settings) -> list[tuple[str, ...]]:
        names = [name for name in table.column_names if name not in CLOCKS]
        return sorted(tuple(map(str, row)) for row in tables.read(_context(spark, settings, "look"), table).select(names).collect())

    assert content(played.settings) == content(played.undisturbed)
    assert tables.version(played.settings, table) == tables.version(played.undisturbed, table)  # each change committed once


def test_the_ledger_counts_what_was_done_whichever_attempt_did_it(played: Played) -> None:
    (run,) = ledger.runs(played.settings, job.REQUEST)
    assert json.loads(run["rows"]) == played.final["rows"] == dict(played.report.rows)
    assert {
        note["run_id"] for table in job.TABLES.values() for note in tables.commits(played.settings, table) if note["job"] == "every_write"
    } == {run["run_id"]}


def test_a_run_in_the_ledger_is_not_repeated(played: Played) -> None:
    assert (played.final["state"], played.again["state"]) == ("done", "nothing to do")
