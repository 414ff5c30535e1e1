"""Two ways to the same answer, timed side by side: alternating runs, medians, answers compared.

An absolute time says little on a machine that others use too: what is recorded is the ratio of two medians of one session.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks.peers import sessions
from benchmarks.processes import bytes_read, forget_peaks, peak_mb, tree

RESULTS = Path(__file__).parent / "results"
# The JVM gives memory back within this time of a collection.
SETTLED_S = 1.0
PACKAGES = ("pyspark", "delta-spark", "duckdb", "pyarrow", "numpy")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run took; a program of its own tells it, for all others the clock of this process does.

    peak_mb, bytes_read: of all processes of the side, as benchmarks.processes has them. bytes_shuffled: None where that can't be told.
    """

    seconds: float
    peak_mb: int
    bytes_read: int
    bytes_shuffled: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows, and a checksum over them that no order changes."""

    rows: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way. `prepare` and `answer` are not timed; what `prepare` returns is given to both others.

    times: how many times the work the figure stands for, where a part of it is run (ten nights of a year). is_without_jvm: this
    process alone counts, not the session which others use.
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
    target that is missed; more: what else is told of it, asked for when all runs are over. warm_ups: how many rounds do not count; none
    where each run is a process of its own, or lasts a quarter of an hour, of which what is compiled and read for the first time is nothing.
    """

    name: str
    question: str
    target: float
    ours: Side
    other: Side
    note: str = ""
    why: str = ""
    more: Callable[[], Mapping[str, Any]] = dict
    warm_ups: int = 1


def held(contest: Contest, spark: SparkSession | None, *, runs: int) -> dict[str, Any]:
    """The entry of the contest: rounds to warm up, then `runs` rounds in which the sides take turns to begin.

    Answers and bytes are those of the last, memory that of the very first.
    """
    taken: dict[str, list[Ran]] = {contest.ours.name: [], contest.other.name: []}
    first: dict[str, Ran] = {}
    answers: dict[str, Answer] = {}
    for nth in range(1 - contest.warm_ups, runs + 1):
        for side in (contest.ours, contest.other)[:: 1 if nth % 2 else -1]:
            state = side.prepare()
            ran = _timed(side, state, spark, settles=side.name not in first)
            first.setdefault(side.name, ran)
            if nth > 0:
                taken[side.name].append(ran)
            if nth == runs:
                answers[side.name] = side.answer(state)
    ours, other = (statistics.median(one.seconds for one in taken[side.name]) * side.times for side in (contest.ours, contest.other))
    mine, met = answers[contest.ours.name], ours / other <= contest.target
    return {
        "name": contest.name, "question": contest.question, "ours": contest.ours.name, "ours_s": round(ours, 3),
        "other": contest.other.name, "other_s": round(other, 3), "ratio": round(ours / other, 3), "target": contest.target,
        "met": met, "why": "" if met else contest.why, "equal": mine == answers[contest.other.name], "differing": _differing(answers), "rows": mine.rows, "runs": runs, "warm_ups": contest.warm_ups,
        **_sizes(first[contest.ours.name], taken[contest.ours.name][-1]),
        **{f"other_{name}": size for name, size in _sizes(first[contest.other.name], taken[contest.other.name][-1]).items()},
        **measured_at(), "versions": versions(), "note": contest.note, **contest.more(),
    }  # fmt: skip


def _sizes(first: Ran, last: Ran) -> dict[str, int | None]:
    """Peak memory of the first run, bytes of the last. Raises ValueError for a 0: nothing runs without memory, or without reading."""
    if not first.peak_mb or not last.bytes_read:
        raise ValueError(
            f"[{first.peak_mb}] MiB of memory and [{last.bytes_read}] bytes read were not measured; processes are measured by /proc"
        )
    return {"peak_mb": first.peak_mb, "bytes_read": last.bytes_read, "bytes_shuffled": last.bytes_shuffled}


def verdict(entry: Mapping[str, Any]) -> str:
    said = f"{entry['ratio']} of {entry['target']}" if entry["equal"] else f"the answers DIFFER: {entry['differing']}"
    return f"{entry['name']}: {entry['ours_s']} s / {entry['other_s']} s = {said}"


def _differing(answers: Mapping[str, Answer]) -> dict[str, str]:
    """What each said, where that is not the same."""
    return {name: f"{one.rows} rows, {one.checksum}" for name, one in answers.items()} if len(set(answers.values())) > 1 else {}


def _settle(spark: SparkSession) -> None:
    """What earlier runs left in the heap is given back, so that it is not taken for memory of the next."""
    spark.sparkContext._jvm.System.gc()  # type: ignore[union-attr] # noqa: SLF001 no other door
    time.sleep(SETTLED_S)


def _timed(side: Side, state: Any, spark: SparkSession | None, *, settles: bool) -> Ran:
    """settles: the session's heap is given back before, so that memory is the run's own. Not where time is what counts: a session that must ask for its
    heap again is not warm, and a night of five seconds took .8 longer.
    """
    used = None if side.is_without_jvm else spark
    if used and settles:
        _settle(used)
    forget_peaks(_processes(used))
    shuffled, read = _shuffled(used), bytes_read(_processes(used))
    began = time.perf_counter()
    told = side.run(state)
    seconds = time.perf_counter() - began
    if told is not None:
        return told
    return Ran(
        seconds=seconds, peak_mb=peak_mb(_processes(used)), bytes_read=bytes_read(_processes(used)) - read,
        bytes_shuffled=_shuffled(used) - shuffled if used else None,
    )  # fmt: skip


def _processes(spark: SparkSession | None) -> list[int]:
    """Of a session its JVM too, with the workers of that. Other engines are children of this process as well, and not among them."""
    gateway = spark.sparkContext._gateway if spark else None  # noqa: SLF001 the only way to the process
    return [os.getpid(), *(tree(gateway.proc.pid) if gateway else [])]


def _shuffled(spark: SparkSession | None) -> int:
    return sessions.shuffled(spark) if spark else 0


def measured_at() -> dict[str, str]:
    """The commit, told as dirty where files other than results differ from it, and the date."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":(top,exclude)benchmarks/{RESULTS.name}")
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else ""),
        "measured_on": datetime.now(UTC).date().isoformat(),
    }


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=RESULTS.parent, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


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
