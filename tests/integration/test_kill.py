"""SIGKILL while a job writes, then the same job again: the tables and the ledger of an undisturbed run.

One job writes a table in every way. It is killed before its first write, then in a write after data files appeared and
before the commit, then after the last commit; each attempt begins where the killed one stopped. On its way it is stopped
at these two moments of every write and its home copied: a stopped process writes nothing and a killed one mends nothing,
so the copy is what SIGKILL leaves, without a JVM for each. Then the job is started again on every copy. The killer
watches the tables' folders from outside: nothing in the product knows of it.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import settings as conf
from conf.settings import Settings
from expectations.contracts.types import Table, Write
from jobs import ledger, tables
from jobs.context import JobContext, JobReport, new_run_id, now
from tests.fixtures import every_write as job

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS, BLINK_SECONDS = 300.0, 0.0001
# A commit can be faster than the killer's eye: then it tries again.
ATTEMPTS = 12
BETWEEN, AFTER = "between", "after"  # data and commit
MOMENTS = [(mode, when) for mode in job.TABLES for when in (BETWEEN, AFTER)]
KILLED_BETWEEN = "intervals"  # for good, not only copied
# What an attempt's clock decides, and who wrote: left out of comparisons.
CLOCKS = {"known_at", "updated_at"}


# --- the killer ---------------------------------------------------------------------------------------------------


@contextmanager
def _started(home: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The job in a process group of its own, JVM included; nothing of it is left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.every_write", *words], cwd=ROOT, env={**os.environ, "KEQUN_HOME": str(home), "KEQUN_ENV": "ci"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait(process: subprocess.Popen[str], happened: Callable[[], bool], what: str) -> None:
    """The moment looked for may be a thousandth of a second long; who never sleeps is put aside for longer on a busy machine."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert process.poll() is None, f"the job ended before {what}: {process.communicate()}"
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(BLINK_SECONDS)


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


@contextmanager
def _stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """No thread of the group runs within the block. Spark's Python workers, a group of their own, write nothing."""
    os.killpg(process.pid, signal.SIGSTOP)
    _wait(process, lambda: _stands_still(process.pid), "standstill")
    yield
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGCONT)


def _stands_still(leader: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):  # a child that is just ending
        group = [pid for pid in (leader, *_children_of(leader)) if os.getpgid(pid) == leader]
        return all(_is_held(task, pid, group) for pid in group for task in Path(f"/proc/{pid}/task").iterdir())
    return False


def _is_held(task: Path, pid: int, group: list[int]) -> bool:
    """Stopped; or waiting for a child that was stopped before it became a program of its own."""
    state = _state(task)
    return state in "TZ" or (state == "D" and any(_words(child) == _words(pid) for child in group if child != pid))


def _words(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _state(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def _children_of(pid: int) -> list[int]:
    found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [*found, *(below for child in found for below in _children_of(child))]


def _is_running(pid: int) -> bool:
    return _state(Path(f"/proc/{pid}")) != "Z"


Moment = tuple[str, str]


def _copied(home: Path, to: Path) -> Path:
    return Path(shutil.copytree(home, to))


def _killed_in_every_write(home: Path, settings: Settings, folder: Path) -> dict[Moment, Path]:
    """Mode and moment -> what SIGKILL leaves then. Each attempt goes on where the one before was killed."""
    copies = {("", AFTER): _copied(home, folder / "start")}
    for attempt in range(ATTEMPTS):
        left = {mode: Folder.of(settings, table) for mode, table in job.TABLES.items() if (mode, AFTER) not in copies}
        if not left:
            break
        with _started(home) as process:
            _wait_for_session(process)
            _follow(process, left, home, copies, folder / str(attempt))
        if any((mode, AFTER) not in copies and table.has_new_commit() for mode, table in left.items()):
            shutil.rmtree(home)
            _copied(list(copies.values())[-1], home)
    return copies


def _follow(process: subprocess.Popen[str], left: dict[str, Folder], home: Path, copies: dict[Moment, Path], folder: Path) -> None:
    """Until it is killed: in the one write where that is meant, where a commit was too fast, and after the last one."""
    for mode, table in left.items():
        _wait(process, table.has_new_data, f"data of [{mode}]")
        with _stopped(process):
            is_meant = mode == KILLED_BETWEEN and (mode, BETWEEN) not in copies
            is_late = table.has_new_commit()
            if not is_late:
                copies[mode, BETWEEN] = _copied(home, folder / f"{mode}-{BETWEEN}")
            if is_meant or is_late:
                return _kill_group(process)
        _wait(process, table.has_new_commit, f"commit of [{mode}]")
        with _stopped(process):
            copies[mode, AFTER] = _copied(home, folder / f"{mode}-{AFTER}")
            if mode == list(job.TABLES)[-1]:
                return _kill_group(process)
    return None


# --- the scenario, played once ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """What was seen while the job was killed, and what is there at the end."""

    second_at_once: tuple[int, str]
    jvms_outliving: list[int]
    copies: dict[Moment, Path]
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


def _to_the_end(home: Path, *words: str) -> dict[str, Any]:
    with _started(home, *words) as process:
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
    copies = _killed_in_every_write(home, settings, tmp_path_factory.mktemp("copies"))
    _to_the_end(home, *(f"{copy}={mode}" for (mode, _), copy in copies.items() if mode))
    return Played(
        second_at_once=second, jvms_outliving=outliving, copies=copies, final=_to_the_end(home), again=_to_the_end(home),
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


def test_every_write_was_hit_between_data_and_commit_and_after_it(played: Played) -> None:
    assert set(played.copies) - {("", AFTER)} == set(MOMENTS)


def test_every_way_of_writing_is_among_them() -> None:
    assert {table.write for table in job.TABLES.values()} == set(Write)


def test_both_writers_were_hit(played: Played) -> None:
    """Of appends Spark writes the large ones only, the others are written without it."""

    def writer(mode: str) -> str:
        opened = tables.log(played.undisturbed, job.TABLES[mode])
        assert opened
        return str(opened.history(1)[0].get("engineInfo", ""))

    assert [mode for mode in job.TABLES if writer(mode).startswith("Apache-Spark")] == list(job.BY_SPARK)
    assert {"append_many", "revisions_many"} < set(job.BY_SPARK) < set(job.TABLES)


def _content(settings: Settings, table: Table) -> list[tuple[str, ...]]:
    opened = tables.log(settings, table)
    assert opened
    names = [name for name in table.column_names if name not in CLOCKS]
    return sorted(tuple(map(str, row.values())) for row in opened.to_pyarrow_dataset().to_table(names).to_pylist())


def _expect_the_same(settings: Settings, undisturbed: Settings, table: Table) -> None:
    assert _content(settings, table) == _content(undisturbed, table)
    assert tables.version(settings, table) == tables.version(undisturbed, table)  # each change committed once


@pytest.mark.parametrize("mode", job.TABLES)
def test_the_table_is_that_of_an_undisturbed_run(played: Played, mode: str) -> None:
    _expect_the_same(played.settings, played.undisturbed, job.TABLES[mode])


@pytest.mark.parametrize(("mode", "when"), MOMENTS)
def test_whenever_it_was_killed_the_next_attempt_leaves_the_same(played: Played, mode: str, when: str) -> None:
    settings, table = _at(played.copies[mode, when]), job.TABLES[mode]
    _expect_the_same(settings, played.undisturbed, table)
    (run,) = ledger.runs(settings, job.REQUEST)
    assert json.loads(run["rows"]) == {name: count for name, count in played.report.rows.items() if name in job.counts_of(mode)}
    assert {note["run_id"] for note in tables.commits(settings, table) if note["job"] == "every_write"} == {run["run_id"]}


def test_the_ledger_counts_what_was_done_whichever_attempt_did_it(played: Played) -> None:
    (run,) = ledger.runs(played.settings, job.REQUEST)
    assert json.loads(run["rows"]) == played.final["rows"] == dict(played.report.rows)
    assert {
        note["run_id"] for table in job.TABLES.values() for note in tables.commits(played.settings, table) if note["job"] == "every_write"
    } == {run["run_id"]}


def test_a_run_in_the_ledger_is_not_repeated(played: Played) -> None:
    assert (played.final["state"], played.again["state"]) == ("done", "nothing to do")
