"""How benchmarks are held: turns, medians, answers compared, results kept."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from benchmarks import bank, contest, contests, curves, phases, processes
from benchmarks.__main__ import hold_all
from benchmarks.contest import Answer, Contest, Ran, Side
from benchmarks.ground import Ground
from benchmarks.phases import seconds_by_phase
from jobs.build import features_command, window_states
from jobs.errors import ConfigurationError

FIELDS = {
    "name",
    "ours_s",
    "other",
    "other_s",
    "ratio",
    "target",
    "equal",
    "runs",
    "versions",
    "rows",
    "peak_mb",
    "bytes_read",
    "bytes_shuffled",
    "commit",
    "measured_on",
    "other_peak_mb",
    "other_bytes_read",
    "other_bytes_shuffled",
}
TINY = bank.Scale(
    name="tiny", customers=50, months=1, transactions=2_000, memory="1g", shuffle_partitions=2, labels=100, stored_customers=10, stored_dates=10,
    rolling_customers=5,
)  # fmt: skip


def expect_whole(entry: dict[str, Any]) -> None:
    """Nothing that could not be measured is told as 0."""
    assert set(entry) >= FIELDS, entry["name"]
    assert entry["equal"], entry["name"]
    assert entry["met"] == (entry["ratio"] <= entry["target"]) or abs(entry["ratio"] - entry["target"]) < 0.001, entry["name"]
    assert entry["met"] or entry["why"], f"[{entry['name']}] misses its target; say why, from the plan or a profile"
    assert all(entry[name] > 0 for name in ("rows", "peak_mb", "other_peak_mb", "bytes_read", "other_bytes_read")), entry["name"]


def contest_of(log: list[str], *, theirs: str = "same", times: float = 1, peak_mb: int = 7) -> Contest:
    seconds = {"ours": iter([9, 1, 2, 30]), "theirs": iter([9, 10, 40, 20])}

    def side(name: str, said: str, times: float = 1) -> Side:
        def run(state: int) -> Ran:
            log.append(f"{name} {state}")
            return Ran(seconds=next(seconds[name]), peak_mb=peak_mb and peak_mb + state, bytes_read=11)

        numbers = count()
        return Side(
            name=name,
            prepare=lambda: next(numbers),
            run=run,
            answer=lambda _: Answer(rows=3, checksum=said),
            times=times,
            is_without_jvm=True,
        )

    return Contest(name="C", question="?", target=0.15, ours=side("ours", "same"), other=side("theirs", theirs, times))


def test_sides_take_turns_and_medians_are_compared():
    log: list[str] = []
    entry = contest.held(contest_of(log), None, runs=3)
    # The first round warms up; then each begins in turn, each run on something prepared for it alone.
    assert log == ["theirs 0", "ours 0", "ours 1", "theirs 1", "theirs 2", "ours 2", "ours 3", "theirs 3"]
    assert (entry["ours_s"], entry["other_s"], entry["ratio"], entry["met"]) == (2, 20, 0.1, True)
    # Memory is that of the first run of each side: what it leaves in the heap would count for the next.
    assert (entry["equal"], entry["differing"], entry["rows"], entry["peak_mb"], entry["other_peak_mb"]) == (True, {}, 3, 7, 7)
    assert entry["warm_ups"] == 1
    # Of a program that does not tell what it shuffled that is not known, which is not nothing.
    assert (entry["bytes_read"], entry["bytes_shuffled"]) == (11, None)
    expect_whole(entry)


def test_where_a_round_to_warm_up_is_left_out_the_first_counts():
    log: list[str] = []
    entry = contest.held(replace(contest_of(log), warm_ups=0), None, runs=3)
    assert log == ["ours 0", "theirs 0", "theirs 1", "ours 1", "ours 2", "theirs 2"]
    assert (entry["ours_s"], entry["other_s"], entry["warm_ups"]) == (2, 10, 0)
    expect_whole(entry | {"why": "missed by the example"})


def test_a_session_may_be_warmed_up_for_longer():
    log: list[str] = []
    entry = contest.held(replace(contest_of(log), warm_ups=3), None, runs=1)
    assert log == ["theirs 0", "ours 0", "ours 1", "theirs 1", "theirs 2", "ours 2", "ours 3", "theirs 3"]
    assert (entry["ours_s"], entry["other_s"], entry["warm_ups"]) == (30, 20, 3)


def test_a_part_of_the_work_counts_for_the_whole_and_a_target_can_be_missed():
    entry = contest.held(contest_of([], times=0.5), None, runs=3)
    assert (entry["other_s"], entry["ratio"], entry["met"]) == (10, 0.2, False)


def test_answers_that_differ_are_told():
    entry = contest.held(contest_of([], theirs="another"), None, runs=3)
    assert not entry["equal"]
    assert entry["differing"] == {"ours": "3 rows, same", "theirs": "3 rows, another"}


def test_results_are_kept_by_name(tmp_path: Path):
    first, again = ({"name": "B", "ratio": ratio} for ratio in (1, 2))
    contest.record("small", [first, {"name": "A", "ratio": 3}], results=tmp_path)
    path = contest.record("small", [again], results=tmp_path)
    assert json.loads(path.read_text(encoding="utf-8")) == [{"name": "A", "ratio": 3}, again]


@pytest.mark.parametrize("path", sorted(contest.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_results_are_whole(path: Path):
    assert path.stem in bank.SCALES
    for entry in json.loads(path.read_text(encoding="utf-8")):
        expect_whole(entry)


def test_what_was_not_measured_is_not_told_as_nothing():
    with pytest.raises(ValueError, match="were not measured"):
        contest.held(contest_of([], peak_mb=0), None, runs=3)


def test_a_contest_that_fails_does_not_lose_the_others(spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    closed: list[str] = []
    closing = ExitStack()

    def broken() -> Contest:
        closing.callback(closed.append, "the other engine")
        raise ConfigurationError("the other engine ended")

    made = {"broken": broken, "other": lambda: contest_of([], theirs="another"), "good": lambda: replace(contest_of([]), name="G")}
    failed = hold_all(made, spark, closing, scale="small", runs=1, results=tmp_path)
    assert failed == {
        "broken": "failed: the other engine ended",
        "other": "the answers differ: {'ours': '3 rows, same', 'theirs': '3 rows, another'}",
    }
    assert [entry["name"] for entry in json.loads((tmp_path / "small.json").read_text(encoding="utf-8"))] == ["C", "G"]
    assert closed == ["the other engine"]
    assert "Traceback" in capfd.readouterr().err


def test_a_real_contest_from_end_to_end(spark: SparkSession, tmp_path: Path):
    """DuckDB and a Spark join answer the same labels from the same tiles, of a bank of 50 customers."""
    ground = Ground(TINY, spark, tmp_path, root=tmp_path)
    entry = contest.held(contests.labels_from_tiles(ground, is_without_jvm=True), spark, runs=1)
    expect_whole(entry | {"why": "too small to be fast"})
    assert entry["rows"] > 50
    # One side in this process alone; the other in the JVM too, through shuffles.
    assert entry["bytes_shuffled"] is None
    assert entry["other_bytes_shuffled"] > 0
    assert entry["other_peak_mb"] > entry["peak_mb"]
    # The tiles are files of some size, and nobody reads them ten times.
    stored = sum(path.stat().st_size for path in (ground.transactions.path / "warehouse").rglob("tile_transaction/*/*.parquet"))
    assert stored / 10 < entry["bytes_read"] < 10 * stored


def test_memory_and_bytes_are_of_all_processes_that_one_starts(tmp_path: Path):
    (tmp_path / "file").write_bytes(bytes(30_000_000))
    child = f"import time; held = open({str(tmp_path / 'file')!r}, 'rb').read(); time.sleep(.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent]) as process, processes.watched(process.pid) as seen:
        process.wait()
    peak_mb, read = seen()
    assert 30 < peak_mb < 200
    assert 30_000_000 < read < 60_000_000


@pytest.mark.parametrize(
    ("seconds", "spread", "is_met"), [([10, 11, 10, 10.5, 11.5], 0.143, True), ([10, 11, 10, 10.5, 11.6], 0.152, False)]
)
def test_a_curve_is_flat_within_a_share_of_its_median(seconds: list[float], spread: float, is_met: bool):
    # Three rounds: in the second the machine is half as fast, in the third one night was held up.
    runs = [[one, 2 * one, one + 30 * (nth == 0)] for nth, one in enumerate(seconds)]
    assert curves.flatness([{"seconds_of_runs": of_night} for of_night in runs]) == {"spread": spread, "target": 0.15, "met": is_met}


def test_every_date_of_a_year_is_asked_and_some_are_tried():
    assert len(contests.YEAR) == 365
    assert set(contests.TRIED) < set(contests.YEAR)
    assert len(contests.TRIED) == 10


def test_what_a_phase_is_told_by_is_called_there():
    callers = {"_build": features_command._build, "_made": features_command._made, "sweep": window_states.Night.sweep}
    for called, caller in phases.OF_FEATURES.values():
        assert re.search(rf"\b{called}\(", inspect.getsource(callers[caller])), (called, caller)


def test_the_time_of_a_phase_is_told_by_who_calls_it_and_nested_phases_count_once():
    def made() -> None:
        time.sleep(0.02)

    def sweep() -> None:
        made()

    def features_of() -> None:
        sweep()

    def enter_context() -> None:
        made()

    def _made() -> None:
        features_of()
        enter_context()

    def unknown() -> None:
        made()

    found = seconds_by_phase(lambda: (_made(), unknown()))
    assert found["rolling"] >= 0.02
    assert found["finishing"] >= 0.02
    # What nobody has named; the call of `made` by another is no phase.
    assert found["rest"] >= 0.02
    # Planning holds rolling, and is told without it.
    assert found["planning"] < found["rolling"]
    assert found["tiles"] == found["checking"] == found["committing"] == 0
