"""How benchmarks are held: turns, medians, answers compared, results kept."""

from __future__ import annotations

import json
import time
from itertools import count
from pathlib import Path

import pytest

from benchmarks import bank, contest, contests
from benchmarks.contest import Answer, Contest, Ran, Side
from benchmarks.phases import seconds_by_phase

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
}


def contest_of(log: list[str], *, theirs: str = "same", times: float = 1) -> Contest:
    seconds = {"ours": iter([9, 1, 2, 30]), "theirs": iter([9, 10, 40, 20])}

    def side(name: str, said: str, times: float = 1) -> Side:
        def run(state: str) -> Ran:
            log.append(f"{name} {state}")
            return Ran(seconds=next(seconds[name]), peak_mb=7)

        numbers = count()
        return Side(name=name, prepare=lambda: next(numbers), run=run, answer=lambda _: Answer(rows=3, checksum=said), times=times)

    return Contest(name="C", question="?", target=0.15, ours=side("ours", "same"), other=side("theirs", theirs, times))


def test_sides_take_turns_and_medians_are_compared():
    log: list[str] = []
    entry = contest.held(contest_of(log), None, runs=3)
    # The first round warms up; then each begins in turn, each run on something prepared for it alone.
    assert log == ["theirs 0", "ours 0", "ours 1", "theirs 1", "theirs 2", "ours 2", "ours 3", "theirs 3"]
    assert (entry["ours_s"], entry["other_s"], entry["ratio"], entry["met"]) == (2, 20, 0.1, True)
    assert (entry["equal"], entry["differing"], entry["rows"], entry["peak_mb"]) == (True, {}, 3, 7)
    assert set(entry) >= FIELDS


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
    entries = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem in bank.SCALES
    for entry in entries:
        assert set(entry) >= FIELDS, entry["name"]
        assert entry["equal"], entry["name"]
        assert entry["met"] == (entry["ratio"] <= entry["target"]) or abs(entry["ratio"] - entry["target"]) < 0.001, entry["name"]
        assert entry["met"] or entry["why"], f"[{entry['name']}] misses its target; say why, from the plan or a profile"


def test_every_date_of_a_year_is_asked_and_some_are_tried():
    assert len(contests.YEAR) == 365
    assert set(contests.TRIED) < set(contests.YEAR)
    assert len(contests.TRIED) == 10


def test_the_time_of_a_phase_is_told_by_who_calls_it_and_nested_phases_count_once():
    def made() -> None:
        time.sleep(0.02)

    def sweep() -> None:
        made()

    def features_of() -> None:
        sweep()

    def _made() -> None:
        features_of()
        made()

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
