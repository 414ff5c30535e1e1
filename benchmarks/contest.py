"""Two ways to the same answer, timed side by side: alternating runs, medians, answers compared.

An absolute time says little on a machine that others use too: what is recorded is the ratio of two medians of one session.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import SparkSession

from jobs import runner

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("pyspark", "delta-spark", "duckdb", "pyarrow", "numpy")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run took; a program of its own tells it, for all others the clock of this process does."""

    seconds: float
    peak_mb: int
    bytes_read: int = 0
    bytes_shuffled: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows, and a checksum over them that no order changes."""

    rows: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way. `prepare` and `answer` are not timed; what `prepare` returns is given to both others.

    times: how many times the work the figure stands for, where a part of it is run (ten nights of a year). is_without_jvm: the
    memory of this process alone counts, not that of a session which others use.
    """

    name: str
    prepare: Callable[[], Any]
    run: Callable[[Any], Ran | None]
    answer: Callable[[Any], Answer]
    times: float = 1.0
    is_without_jvm: bool = False


@dataclass(frozen=True, kw_only=True)
class Contest:
    """name: as in the results. target: the highest ratio of ours to the other that we accept; why: what the plan or a profile tells of a
    target that is missed; more: what else is told of it, asked for when all runs are over.
    """

    name: str
    question: str
    target: float
    ours: Side
    other: Side
    note: str = ""
    why: str = ""
    more: Callable[[], Mapping[str, Any]] = dict


def held(contest: Contest, spark: SparkSession | None, *, runs: int) -> dict[str, Any]:
    """The entry of the contest: one round to warm up, then `runs` rounds in which the sides take turns to begin."""
    taken: dict[str, list[Ran]] = {contest.ours.name: [], contest.other.name: []}
    answers: dict[str, Answer] = {}
    for nth in range(runs + 1):
        for side in (contest.ours, contest.other)[:: 1 if nth % 2 else -1]:
            state = side.prepare()
            ran = _timed(side, state, spark)
            answers[side.name] = side.answer(state)
            if nth:
                taken[side.name].append(ran)
    ours, other = (_median(taken[side.name]) * side.times for side in (contest.ours, contest.other))
    mine, met = answers[contest.ours.name], ours / other <= contest.target
    last = taken[contest.ours.name][-1]
    return {
        "name": contest.name, "question": contest.question, "ours": contest.ours.name, "ours_s": round(ours, 3),
        "other": contest.other.name, "other_s": round(other, 3), "ratio": round(ours / other, 3), "target": contest.target,
        "met": met, "why": "" if met else contest.why, "equal": mine == answers[contest.other.name], "differing": _differing(answers), "rows": mine.rows, "runs": runs,
        "peak_mb": max(one.peak_mb for one in taken[contest.ours.name]), "bytes_read": last.bytes_read, "bytes_shuffled": last.bytes_shuffled,
        "other_bytes_read": taken[contest.other.name][-1].bytes_read, "other_bytes_shuffled": taken[contest.other.name][-1].bytes_shuffled,
        "versions": versions(), "note": contest.note, **contest.more(),
    }  # fmt: skip


def _differing(answers: Mapping[str, Answer]) -> dict[str, str]:
    """What each said, where that is not the same."""
    return {name: f"{one.rows} rows, {one.checksum}" for name, one in answers.items()} if len(set(answers.values())) > 1 else {}


def _median(taken: list[Ran]) -> float:
    return statistics.median(one.seconds for one in taken)


def _timed(side: Side, state: Any, spark: SparkSession | None) -> Ran:
    _forget_peaks()
    before = _bytes(spark)
    began = time.perf_counter()
    told = side.run(state)
    seconds = time.perf_counter() - began
    if told is not None:
        return told
    read, shuffled = (after - earlier for after, earlier in zip(_bytes(spark), before, strict=True))
    return Ran(
        seconds=seconds,
        peak_mb=_own_peak_mb() if side.is_without_jvm else runner.peak_memory_mb(),
        bytes_read=read,
        bytes_shuffled=shuffled,
    )


def _own_peak_mb() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def _forget_peaks() -> None:
    """Peak memory counts from here on, for this process and its children."""
    for process in ("self", *(child.pid for child in psutil.Process().children(recursive=True))):
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5", encoding="utf-8")


def _bytes(spark: SparkSession | None) -> tuple[int, int]:
    """Bytes read by all tasks so far, and bytes that went through shuffles."""
    if spark is None:
        return 0, 0
    bus = spark.sparkContext._jsc.sc()  # noqa: SLF001 no other door
    bus.listenerBus().waitUntilEmpty()
    executors = bus.statusStore().executorList(False)
    found = [executors.apply(nth) for nth in range(executors.length())]
    return sum(one.totalInputBytes() for one in found), sum(one.totalShuffleWrite() for one in found)


def versions() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {name: version(name) for name in PACKAGES} | {
        "python": platform.python_version(), "cores": str(os.cpu_count()), "memory_gib": str(memory),
    }  # fmt: skip


def record(scale: str, entries: list[dict[str, Any]], *, results: Path = RESULTS) -> Path:
    """Put the entries among the results of the scale, in place of those with their names."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{scale}.json"
    known = {entry["name"]: entry for entry in (json.loads(path.read_text(encoding="utf-8")) if path.exists() else [])}
    known |= {entry["name"]: entry for entry in entries}
    path.write_text(
        json.dumps(sorted(known.values(), key=lambda entry: entry["name"]), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return path
