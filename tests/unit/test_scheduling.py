"""The demo's plan and record, what is read out of a task's log, and programs that are started and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import psutil
import pytest

from conf.settings import Settings
from jobs.airflow import days
from jobs.errors import UsageError
from jobs.report_page import facts, summary
from jobs.scheduling import memory, plan, processes, record, rest, watch
from jobs.scheduling.processes import Service
from jobs.scheduling.services import House

ASKED = {"source": "bank", "customers": 10}


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 12, 31), 0, date(2025, 12, 31)),
        (date(2025, 12, 31), -22, date(2024, 2, 29)),
        (date(2025, 12, 1), 1, date(2026, 1, 31)),
        (date(2026, 1, 15), -1, date(2025, 12, 31)),
    ],
)
def test_month_ends(day: date, months: int, expected: date) -> None:
    assert plan.month_end(day, months=months) == expected


def test_the_banks_history_starts_on_a_first_and_features_a_year_later(tmp_path: Path) -> None:
    made = plan.for_bank(customers=4000, months=48, seed=7, end=date(2025, 12, 31), home=tmp_path)
    (history,) = made.histories
    # 48 months that end in 2025-12 begin in 2022-01; month 13 is 2023-01
    assert history.conf == {"first": "2022-01-01", "last": "2025-12-31", "features_first": "2023-01-31", "features_last": "2025-12-31"}
    assert made.nights == (date(2026, 1, 1), date(2026, 1, 2))
    assert made.simulate[:5] == ("simulate", "--faults", "rows", "--customers", "4000")


def test_a_short_history_still_has_a_month_end_with_features(tmp_path: Path) -> None:
    (history,) = plan.for_bank(customers=10, months=3, seed=7, end=date(2025, 12, 31), home=tmp_path).histories
    assert (history.features_first, history.features_last) == (date(2025, 12, 31), date(2025, 12, 31))


def _landed(settings: Settings, text: str = "1") -> None:
    manifest = settings.landing / "feed" / "business_date=2026-01-01" / record.MANIFEST
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(text, encoding="utf-8")


def _done(settings: Settings) -> record.Record:
    """A demo that went through: landing and warehouse are there, and the record of it."""
    _landed(settings)
    (settings.home / "warehouse").mkdir(exist_ok=True)
    made = record.of_now(ASKED)
    made.landing = record.landing_state(settings.landing)
    made.done = {record.SIMULATE: {"seconds": 1.0, "peak_mb": 2.0}, "night 2026-01-01": {"seconds": 1.0, "peak_mb": 2.0}}
    made.write(settings)
    return made


def test_a_second_demo_on_the_same_goes_on_where_the_first_was(settings: Settings) -> None:
    made = _done(settings)
    assert record.resume(settings, ASKED) == made


def test_a_second_demo_starts_neither_airflow_nor_a_jvm(settings: Settings) -> None:
    """As a process of its own, which tells what it imported: neither pyspark, by which alone a JVM comes, nor Airflow nor GX nor MLflow."""
    made = _done(settings)
    made.asked = {"source": "bank", "customers": 4000, "months": 48, "seed": 7, "end": "2025-12-31"}
    steps = ("history 2022-01-01..2025-12-31", "models 2025-12-31", "night 2026-01-01", "night 2026-01-02", "report")
    made.done |= {step: {"seconds": 1.0, "peak_mb": 2.0} for step in steps}
    made.write(settings)
    settings.reports.mkdir()
    told = summary.summary(facts.Facts(since=date(2022, 1, 1), until=date(2026, 1, 2)), source="bank", environment="demo")
    (settings.reports / "summary.json").write_text(json.dumps(told), encoding="utf-8")
    before = sorted(settings.home.rglob("*"))
    demo = (sys.executable, "-X", "importtime", "-m", "jobs", "demo")
    variables = {**os.environ, "KEQUN_HOME": str(settings.home), "KEQUN_ENV": "demo"}
    ran = subprocess.run(demo, cwd=processes.ROOT, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "nothing to do" in ran.stdout
    assert f"report   {settings.reports / 'report.html'}" in ran.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "jobs" in imported
    assert imported.isdisjoint({"pyspark", "airflow", "great_expectations", "mlflow"})
    assert [path for path in sorted(settings.home.rglob("*")) if path.name != ".guard"] == before


def test_other_code_keeps_the_landing_zone_only(settings: Settings) -> None:
    made = _done(settings)
    made.code = "older"
    made.write(settings)
    assert list(record.resume(settings, ASKED).done) == [record.SIMULATE]
    assert settings.landing.exists()
    assert not (settings.home / "warehouse").exists()


@pytest.mark.parametrize("change", ["arguments", "landing"])
def test_other_input_starts_afresh(settings: Settings, change: str) -> None:
    _done(settings)
    if change == "landing":
        _landed(settings, "2")
    asked = {**ASKED, "customers": 20} if change == "arguments" else ASKED
    assert record.resume(settings, asked).done == {}
    assert not settings.landing.exists()
    assert not (settings.home / "warehouse").exists()


def test_a_folder_with_data_that_no_demo_made_is_left_alone(settings: Settings) -> None:
    _landed(settings)
    with pytest.raises(UsageError, match=r"\['landing'\]"):
        record.resume(settings, ASKED)
    assert settings.landing.exists()


def test_a_landing_zone_elsewhere_is_never_removed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("bulk")
    (elsewhere / "trans.asc").write_text("1;2", encoding="utf-8")
    foreign = settings.model_copy(update={"paths": settings.paths.model_copy(update={"landing": str(elsewhere)})})
    record.of_now(ASKED).write(foreign)
    record.resume(foreign, {**ASKED, "customers": 20})
    assert (elsewhere / "trans.asc").exists()


def test_what_a_command_said_is_read_out_of_the_tasks_log() -> None:
    events = [
        "::group::Pre Execute",
        "Running command",
        "Output:",
        "kequn features: no table",
        "Command exited with return code 30",
        "failed",
    ]
    log = "\n".join(json.dumps({"event": event}) for event in events)
    assert watch.spoken(log) == ["kequn features: no table", "Command exited with return code 30"]
    assert watch.spoken("not JSON") == ["not JSON"]


def test_a_warning_tells_its_sentence(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused model: the counts are on the console, beside the task."""
    house = House(settings=settings)
    run = rest.Run(dag_id="kequn_models", run_id="r", key="1998-11-30", state="running", seconds=None)
    task = rest.Task(task_id="train_churn", state="success", seconds=7.0, tries=1)
    said = "kequn train: Too few positive outcomes of [churn]: train 12 of 3,000"
    events = ["Output:", "a warning of a library", said, "Command exited with return code 50", "exit code [50]: no model passed its gate"]
    path = house.task_log(run.dag_id, run.run_id, task.task_id, task.tries)
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(json.dumps({"event": event}) for event in events), encoding="utf-8")
    watch.Watch(house=house, airflow=rest.Airflow(port=1), deadline_seconds=1)._tell(run, task)
    told = " ".join(capsys.readouterr().out.split())
    assert told.endswith("kequn_models 1998-11-30 train_churn warning 7.0 s Too few positive outcomes of [churn]: train 12 of 3,000")


def test_days_are_inclusive() -> None:
    assert list(days(date(2025, 12, 31), date(2026, 1, 1))) == [date(2025, 12, 31), date(2026, 1, 1)]


STUBBORN = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"


@pytest.mark.parametrize("script", ["import time; time.sleep(60)", PARENT], ids=["willing", "with a stubborn child"])
def test_programs_are_found_again_and_ended_with_all_they_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(processes, "TERM_SECONDS", 1.5)
    service = Service(name="sleeper", command=(sys.executable, "-c", script), folder=tmp_path)
    assert processes.leader_of(service) is None
    processes.start(service, os.environ)
    leader = processes.leader_of(service)
    assert leader is not None
    if script == PARENT:
        assert processes.wait_until(lambda: "up" in processes.tail(service.log_file), seconds=20, every=0.05)
    family = [leader, *leader.children(recursive=True)]
    assert processes.stop([service]) == ["sleeper"]
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert processes.leader_of(service) is None
    assert processes.stop([service]) == []


def test_a_reused_process_id_is_not_taken_for_the_program(tmp_path: Path) -> None:
    service = Service(name="gone", command=("true",), folder=tmp_path)
    service.pid_file.write_text(f"{os.getpid()} 1.0\n", encoding="utf-8")
    assert processes.leader_of(service) is None


def test_a_free_port_is_the_preferred_one_if_nobody_listens_there() -> None:
    import socket

    port = processes.free_port()
    assert processes.free_port(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert processes.free_port(port) != port


def test_peaks_are_taken_step_by_step() -> None:
    peak = memory.Peak()
    for seen in (5, 9, 7):
        peak.see(seen)
    assert peak.take() == 9
    peak.see(4)
    assert (peak.take(), peak.highest_mb) == (4, 9)
    assert memory.used_mb() > 0


def test_berkas_periods_are_those_that_its_files_cover() -> None:
    made = plan.for_source("berka")
    assert [(str(each.features_first), str(each.features_last)) for each in made.histories] == [
        ("1993-12-31", "1994-03-31"),
        ("1995-05-31", "1998-11-30"),
    ]
    assert (made.models, made.nights, made.simulate) == (date(1998, 11, 30), (date(1998, 11, 30),), ())
    assert made.last == date(1998, 12, 9)  # what the report is about: the files end after the last month-end
