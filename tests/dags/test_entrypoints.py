"""Two sides of a process boundary, one fixture: what tasks render is what the jobs' parsers accept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jinja2 import UndefinedError

from jobs import __main__ as kequn
from jobs.scheduling import chain

from .conftest import ROOT

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

COMMANDS: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "tests/fixtures/entrypoints_args.yaml").read_text(encoding="utf-8"))
PREFIX = "exec setpriv --pdeathsig TERM kequn "
HISTORY = {"first": "2022-01-01", "last": "2025-12-31", "features_first": "2023-01-31", "features_last": "2025-12-31"}


def rendered(bag: DagBag, dag_id: str, *, key: str | None) -> dict[str, str]:
    """Task id -> command of every task that runs one."""
    from airflow.sdk.execution_time import macros

    dag = bag.dags[dag_id]
    context: dict[str, Any] = {"dag_run": SimpleNamespace(partition_key=key), "params": HISTORY, "macros": macros}
    commands = [task for task in dag.tasks if hasattr(task, "bash_command")]
    return {task.task_id: task.render_template(task.bash_command, context, dag.get_template_env()) for task in commands}


@pytest.mark.parametrize("dag_id", chain.DAGS)
def test_tasks_render_the_command_lines_of_the_fixture(bag: DagBag, dag_id: str) -> None:
    assert rendered(bag, dag_id, key="2026-01-31") == {task: PREFIX + words for task, words in COMMANDS[dag_id].items()}


@pytest.mark.parametrize(("key", "month_end"), [("2026-02-01", "2026-01-31"), ("2024-03-15", "2024-02-29"), ("2025-12-31", "2025-12-31")])
def test_models_are_trained_as_of_the_last_month_end(bag: DagBag, key: str, month_end: str) -> None:
    assert rendered(bag, "kequn_models", key=key) == rendered(bag, "kequn_models", key=month_end)
    assert rendered(bag, "kequn_models", key=key)["train_churn"].endswith(f"--as-of {month_end}")


@pytest.mark.parametrize("dag_id", [name for name in chain.DAGS if name != "kequn_history"])
def test_a_run_without_business_date_fails_before_its_command(bag: DagBag, dag_id: str) -> None:
    with pytest.raises(UndefinedError):
        rendered(bag, dag_id, key=None)


@pytest.mark.parametrize("words", sorted({words for tasks in COMMANDS.values() for words in tasks.values()}))
def test_the_jobs_parse_the_command_lines_of_the_fixture(words: str) -> None:
    command, *_ = words.split()
    assert kequn.parser(command).parse_args(words.split()).command == command
