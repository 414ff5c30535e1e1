"""What every DAG keeps: it is known, described, owned, limited, short, and parsed without anything heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conf import settings as conf
from expectations.contracts import core
from jobs.scheduling import chain

from .conftest import DAGS, parse

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

FILES = sorted(path for path in DAGS.glob("*.py") if path.name != "__init__.py")
MAY_IMPORT = ("__future__", "airflow.sdk", "airflow.providers.standard", "conf", "dags.lib", "expectations.contracts")
HEAVY = ("pyspark", "great_expectations", "mlflow", "pandas", "numpy", "jobs", "features.catalogue", "deltalake")
MAX_LINES = 80


def test_bag_is_clean_and_holds_what_the_registry_says(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert len(FILES) == len(bag.dags)
    assert set(bag.dags) == set(chain.DAGS)


@pytest.mark.parametrize("name", chain.DAGS)
def test_every_dag_is_owned_tagged_described_and_limited(bag: DagBag, name: str) -> None:
    dag = bag.dags[name]
    settings = conf.load("ci").schedule
    assert "kequn" in dag.tags
    assert len(dag.tags) > 1
    assert len(str(dag.doc_md)) > len("a sentence that says what it publishes and when")
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert dag.is_paused_upon_creation is False
    assert dag.start_date == datetime.fromisoformat(settings.start_date).replace(tzinfo=UTC)
    assert [alert.interval.total_seconds() / 60 for alert in dag.deadline] == [settings.deadline_minutes]
    for task in dag.tasks:
        assert task.owner == core.CUSTOMER.owner
        assert task.retries == settings.retries
        assert task.execution_timeout.total_seconds() / 60 == settings.task_timeout_minutes


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_dag_file_is_short_and_imports_little(path: object) -> None:
    text = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    tree = ast.parse(text)
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert len(text.splitlines()) <= MAX_LINES
    assert [name for name in imported if not str(name).startswith(MAY_IMPORT)] == []
    assert ast.get_docstring(tree)


def test_parsing_imports_nothing_heavy() -> None:
    """In a fresh process, since this one has Spark loaded. The time is printed, not asserted."""
    script = f"""
import sys, time
from airflow.dag_processing.dagbag import DagBag
begun = time.perf_counter()
bag = DagBag(dag_folder={str(DAGS)!r}, bundle_path={str(DAGS)!r}, bundle_name="dags-folder")
seconds = time.perf_counter() - begun
assert bag.dags and not bag.import_errors, bag.import_errors
print("parsed", len(bag.dags), "DAGs in", round(seconds, 2), "s")
print("heavy", sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    print(next(line for line in ran.stdout.splitlines() if line.startswith("parsed")))
    assert "heavy []" in ran.stdout


def test_producers_make_no_run_where_the_schedule_is_not_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEQUN_ENV", "demo")
    posted = parse().dags
    monkeypatch.setenv("KEQUN_ENV", "server")
    scheduled = parse().dags
    for name in ("kequn_ingest", "kequn_models", "kequn_maintenance"):
        assert posted[name].end_date == posted[name].start_date
        assert scheduled[name].end_date is None


def test_producers_start_apart_and_the_night_has_its_time_first() -> None:
    schedule = conf.load("server").schedule
    nightly, monthly, weekly = (int(cron.split()[1]) * 60 for cron in (schedule.nightly, schedule.monthly, schedule.weekly))
    assert nightly + schedule.deadline_minutes < monthly
    assert monthly + schedule.deadline_minutes < weekly


def test_the_cluster_profile_submits_the_same_tasks(monkeypatch: pytest.MonkeyPatch, bag: DagBag) -> None:
    monkeypatch.setenv("KEQUN_ENV", "cluster")
    submitted = parse()
    assert submitted.import_errors == {}
    for name, dag in submitted.dags.items():
        assert set(dag.task_ids) == set(bag.dags[name].task_ids)
        words = {task.task_id: " ".join(task.application_args) for task in dag.tasks if hasattr(task, "application_args")}
        commands = {task.task_id: task.bash_command for task in bag.dags[name].tasks if hasattr(task, "bash_command")}
        assert {task_id: f"exec setpriv --pdeathsig TERM kequn {text}" for task_id, text in words.items()} == commands


def test_a_late_run_leaves_a_line_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dags.lib import policy

    monkeypatch.setenv("KEQUN_HOME", str(tmp_path))
    run = {"dag_id": "kequn_ingest", "dag_run_id": "manual__1", "partition_key": "2026-01-31"}
    policy.report_late(context={"dag_run": run}, minutes=180)
    line = (conf.load().reports / policy.LATE_FILE).read_text(encoding="utf-8")
    assert json.loads(line) == {"dag": "kequn_ingest", "run": "manual__1", "key": "2026-01-31", "minutes": 180}
