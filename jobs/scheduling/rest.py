"""Airflow's REST interface, as far as we need it: the standard library only, no token (everybody is admin locally)."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.errors import InputNotReadyError, UsageError

# Requests go to this machine: a proxy meant for the outside must not get them.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
OPEN_STATES = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A DAG run. key: its business date, empty for a run without one."""

    dag_id: str
    run_id: str
    key: str
    state: str
    seconds: float | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of a run, in its latest try."""

    task_id: str
    state: str
    seconds: float
    tries: int


@dataclass(frozen=True, kw_only=True)
class Airflow:
    """An Airflow that listens on a port of this machine."""

    port: int

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The answer's JSON. Raises UsageError for what Airflow refuses, InputNotReadyError when it does not answer."""
        address = f"http://127.0.0.1:{self.port}/api/v2{path}"
        if query:
            address += "?" + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, method=method, data=data, headers={"content-type": "application/json"})  # noqa: S310
        try:
            with OPENER.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise UsageError(f"Airflow refused [{method} {path}] with [{error.code}]: {error.read().decode()[:500]}") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise InputNotReadyError(f"Airflow does not answer at [{address}]: {error}; start it with `kequn airflow up`") from error

    def is_healthy(self) -> bool:
        """The database, the scheduler and the DAG processor are well."""
        try:
            health = self.call("GET", "/monitor/health")
        except (InputNotReadyError, UsageError):
            return False
        return all((health[part] or {}).get("status") == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def warm(self) -> None:
        """Call the interface of tasks once: Airflow builds it at the first call, which the first task would wait for."""
        with OPENER.open(f"http://127.0.0.1:{self.port}/execution/health", timeout=60) as answer:
            answer.read()

    def dag_ids(self) -> list[str]:
        return sorted(dag["dag_id"] for dag in self.call("GET", "/dags", limit=100)["dags"])

    def import_errors(self) -> list[str]:
        return [f"{error['filename']}: {error['stack_trace']}" for error in self.call("GET", "/importErrors")["import_errors"]]

    def post(self, dag_id: str, *, key: str | None = None, conf: dict[str, Any] | None = None) -> Run:
        """Ask for a run, now."""
        return _run(self.call("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "partition_key": key, "conf": conf or {}}))

    def run(self, dag_id: str, run_id: str) -> Run:
        return _run(self.call("GET", f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}"))

    def runs(self, dag_id: str, *, key: str = "", since: datetime | None = None, limit: int = 100) -> list[Run]:
        """Runs of a DAG, newest first; of one business date, and asked for since then, where given."""
        query = {"partition_key_prefix_pattern": key} if key else {}
        found = self.call("GET", f"/dags/{dag_id}/dagRuns", limit=limit, order_by="-id", **query)["dag_runs"]
        return [_run(each) for each in found if since is None or datetime.fromisoformat(each["queued_at"] or each["run_after"]) >= since]

    def tasks(self, run: Run) -> list[Task]:
        path = f"/dags/{run.dag_id}/dagRuns/{urllib.parse.quote(run.run_id)}/taskInstances"
        return [_task(each) for each in self.call("GET", path, limit=100, order_by="end_date")["task_instances"]]

    def give_up(self, run: Run) -> None:
        """Mark an open run as failed: its tasks are ended."""
        self.call("PATCH", f"/dags/{run.dag_id}/dagRuns/{urllib.parse.quote(run.run_id)}", {"state": "failed"})


def _run(answer: dict[str, Any]) -> Run:
    return Run(
        dag_id=answer["dag_id"], run_id=answer["dag_run_id"], key=answer["partition_key"] or "", state=answer["state"], seconds=answer["duration"]
    )  # fmt: skip


def _task(answer: dict[str, Any]) -> Task:
    return Task(
        task_id=answer["task_id"], state=answer["state"] or "none", seconds=answer["duration"] or 0.0, tries=answer["try_number"] or 0
    )
