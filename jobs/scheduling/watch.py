"""Waiting for runs, with a line for every task that ended; a run that failed, never came or came late is an error."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.context import now
from jobs.errors import ChainBrokenError
from jobs.scheduling import chain

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.scheduling.rest import Airflow, Run, Task
    from jobs.scheduling.services import House

POLL_SECONDS = 2.0
TOLD = ("success", "failed", "skipped", "up_for_retry")
GATE_NOTE = "exit code [50]"
LAST_LINES = 25


@dataclass(kw_only=True)
class Watch:
    """Looks at one Airflow until what is waited for has ended. deadline_seconds: for each thing waited for."""

    house: House
    airflow: Airflow
    deadline_seconds: float
    told: set[tuple[str, str, int]] = field(default_factory=set)

    def wait_for_run(self, run: Run) -> None:
        """Wait for one run. Raises ChainBrokenError."""
        until = time.monotonic() + self.deadline_seconds
        while (seen := self._look(run)).is_open:
            self._expect_in_time(until, f"[{run.dag_id}] {run.key or run.run_id} is still [{seen.state}]")
            time.sleep(POLL_SECONDS)

    def wait_for_date(self, key: str, since: datetime) -> None:
        """Wait until every DAG of the chain has a run for the date, asked for since then. Raises ChainBrokenError."""
        until = time.monotonic() + self.deadline_seconds
        for dag_id in chain.CHAIN:
            while not (runs := self.airflow.runs(dag_id, key=key, since=since)):
                self._expect_in_time(until, f"no run of [{dag_id}] came for [{key}]")
                time.sleep(POLL_SECONDS)
            while (seen := self._look(runs[0])).is_open:
                self._expect_in_time(until, f"[{dag_id}] of [{key}] is still [{seen.state}]")
                time.sleep(POLL_SECONDS)

    def _expect_in_time(self, until: float, what: str) -> None:
        if time.monotonic() > until:
            raise ChainBrokenError(f"late: {what} after [{self.deadline_seconds / 60:.0f}] minutes; see {self.house.folder}/logs")

    def _look(self, run: Run) -> Run:
        """Tell of the tasks that ended. Raises ChainBrokenError for a run that failed."""
        # The run before its tasks: when it has ended, so have they all.
        seen = self.airflow.run(run.dag_id, run.run_id)
        tasks = self.airflow.tasks(run)
        for task in tasks:
            if task.state in TOLD and (run.run_id, task.task_id, task.tries) not in self.told:
                self.told.add((run.run_id, task.task_id, task.tries))
                self._tell(run, task)
        if seen.state == "failed":
            raise ChainBrokenError(self._story(run, tasks))
        return seen

    def _tell(self, run: Run, task: Task) -> None:
        log = self._log_text(run, task) if task.state == "success" else ""
        state, why = ("warning", f"  {sentence(log)}") if GATE_NOTE in log else (task.state, "")
        say(f"  {run.dag_id:<16} {run.key:<10} {task.task_id:<20} {state:<12} {task.seconds:6.1f} s{why}")

    def _story(self, run: Run, tasks: list[Task]) -> str:
        failed = [task for task in tasks if task.state == "failed"]
        stories = [
            f"the task [{task.task_id}] of [{run.dag_id}] {run.key} failed; the last lines of its log:\n{self._last_lines(run, task)}"
            for task in failed
        ]
        return "\n".join(stories) or f"[{run.dag_id}] {run.key} failed without a failed task: somebody ended it"

    def _log(self, run: Run, task: Task) -> Path:
        return self.house.task_log(run.dag_id, run.run_id, task.task_id, task.tries)

    def _log_text(self, run: Run, task: Task) -> str:
        try:
            return self._log(run, task).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _last_lines(self, run: Run, task: Task) -> str:
        lines = spoken(self._log_text(run, task))
        return "\n".join(f"    {line}" for line in lines[-LAST_LINES:]) or f"    (nothing in {self._log(run, task)})"


def spoken(log: str) -> list[str]:
    """What the command of a task said, out of the task's log: Airflow's own lines around it are left out."""
    said = [message(entry) for entry in log.splitlines()]
    first = next((nth + 1 for nth, text in enumerate(said) if text == "Output:"), 0)
    last = next((nth + 1 for nth, text in enumerate(said) if text.startswith("Command exited")), len(said))
    return said[first:last]


def sentence(log: str) -> str:
    """The last sentence that the `kequn` command of a task said of itself, without its name; empty where it said none."""
    said = [text.partition(": ")[2] for text in spoken(log) if text.startswith("kequn ")]
    return said[-1] if said else ""


def message(entry: str) -> str:
    """The message of a log entry, which Airflow writes as JSON."""
    try:
        return str(json.loads(entry)["event"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return entry


def say(text: str) -> None:
    """A line of progress, at once."""
    print(f"{now():%H:%M:%S} {text}", flush=True)
