"""The local Airflow of a deployment (scheduler, DAG processor, API server on SQLite) and MLflow's pages beside it.

Not `airflow standalone`: ended by a signal, it leaves its children behind. A server or a cluster brings its own Airflow;
the DAG folder is the same.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import tracking, warm_python
from jobs.errors import ConfigurationError, InputNotReadyError
from jobs.scheduling import chain, processes
from jobs.scheduling.processes import ROOT, Service
from jobs.scheduling.rest import Airflow

if TYPE_CHECKING:
    from conf.settings import Settings

COMPONENTS = ("scheduler", "dag-processor", "api-server")
MLFLOW = "mlflow"
# Every task is a JVM: how many run at once is the memory limit of a laptop.
PARALLELISM = 2
AIRFLOW_PORT, MLFLOW_PORT = 8080, 5000
READY_SECONDS = 180.0
SOCKET_PATH_BYTES = 107
BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class House:
    """Where a deployment's Airflow lives."""

    settings: Settings

    @property
    def folder(self) -> Path:
        return self.settings.home / "airflow"

    @property
    def components(self) -> list[Service]:
        airflow = [Service(name=name, command=(str(BIN / "airflow"), name), folder=self.folder) for name in COMPONENTS]
        return [*airflow, *self.warm]

    @property
    def warm(self) -> list[Service]:
        """What spares jobs their start, where the profile wants it: warm JVMs, and a Python with its libraries loaded."""
        if not self.settings.spark.warm_jvms:
            return []
        jvms = Service(name="jvms", command=(sys.executable, "-m", "jobs.scheduling.jvms"), folder=self.folder)
        if not (socket := self.warm_python):
            return [jvms]
        return [jvms, Service(name="pythons", command=(sys.executable, "-m", "jobs.scheduling.pythons", str(socket)), folder=self.folder)]

    @property
    def warm_python(self) -> Path | None:
        """The socket of the warm Python. None where the profile wants none, and where its path is longer than a socket's may be."""
        socket = self.folder / "python.sock"
        return socket if self.settings.spark.warm_jvms and len(os.fsencode(socket)) <= SOCKET_PATH_BYTES else None

    def mlflow(self, port: int = 0) -> Service:
        store = tracking.address(self.settings)
        listen = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        return Service(name=MLFLOW, command=(str(BIN / "mlflow"), "server", "--backend-store-uri", store, *listen), folder=self.folder)

    @property
    def services(self) -> list[Service]:
        return [*self.components, self.mlflow()]

    def port(self, service: str) -> int:
        """The port that a running service was given. Raises InputNotReadyError when it was never started."""
        try:
            return int((self.folder / f"{service}.port").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputNotReadyError(f"No Airflow was started for [{self.settings.home}]; start it with `kequn airflow up`") from None

    def take_port(self, service: str, preferred: int) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        port = processes.free_port(preferred)
        (self.folder / f"{service}.port").write_text(f"{port}\n", encoding="utf-8")
        return port

    @property
    def airflow(self) -> Airflow:
        return Airflow(port=self.port("api-server"))

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> Path:
        return self.folder / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}" / f"attempt={attempt}.log"


def environment(house: House, port: int) -> dict[str, str]:
    """Everything that Airflow's programs, and the commands that tasks start, are told: nothing is left to a config file."""
    settings = house.settings
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW") and name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        **({warm_python.VARIABLE: str(house.warm_python)} if house.warm_python else {}),
        "PATH": processes.search_path(BIN),
        # An arena per thread keeps hundreds of megabytes that nobody uses: a JVM has a hundred threads.
        "MALLOC_ARENA_MAX": "2",
        "NO_PROXY": "127.0.0.1,localhost",
        "KEQUN_ENV": settings.environment,
        "KEQUN_HOME": str(settings.home),
        "KEQUN_SOURCE": settings.source.mapping,
        "KEQUN_LANDING": str(settings.landing),
        "AIRFLOW_HOME": str(house.folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SPARK_DEFAULT": '{"conn_type": "spark", "host": "local[*]"}',
    }


def start(house: House, *, preferred: int = 0) -> None:
    """Start Airflow's programs; they are not ready yet, see `wait`. Raises ConfigurationError when they run already."""
    running = [service.name for service in house.services if processes.leader_of(service)]
    if running:
        raise ConfigurationError(f"{running} of [{house.settings.home}] run already; end them with `kequn airflow down`")
    told = environment(house, house.take_port("api-server", preferred))
    _migrate(house, told)
    for service in house.components:
        processes.start(service, told)


def start_mlflow(house: House) -> int:
    """Start MLflow's pages on the deployment's store. Returns their port."""
    tracking.prepare(house.settings)
    port = house.take_port(MLFLOW, MLFLOW_PORT)
    processes.start(house.mlflow(port), environment(house, port))
    return port


def _migrate(house: House, told: dict[str, str]) -> None:
    """Make the metadata database, once for each version of Airflow."""
    mark, version = house.folder / "migrated", importlib.metadata.version("apache-airflow")
    if mark.exists() and mark.read_text(encoding="utf-8") == version:
        return
    ran = subprocess.run((str(BIN / "airflow"), "db", "migrate"), env=told, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ConfigurationError(f"Airflow's database in [{house.folder}] can't be made:\n{ran.stderr[-2000:]}")
    mark.write_text(version, encoding="utf-8")


def call(house: House, *words: str) -> int:
    """Airflow's own command on the deployment, told what its programs are told. Returns its exit code."""
    told = environment(house, house.port("api-server"))
    return subprocess.run((str(BIN / "airflow"), *words), env=told, cwd=ROOT, check=False).returncode


def wait(house: House) -> Airflow:
    """Wait until Airflow is well and knows every DAG. Raises ConfigurationError with what went wrong otherwise."""
    airflow = house.airflow

    def is_ready() -> bool:
        _expect_alive(house)
        return airflow.is_healthy() and set(chain.DAGS) <= set(airflow.dag_ids())

    if not processes.wait_until(is_ready, seconds=READY_SECONDS):
        raise ConfigurationError(f"Airflow was not ready after [{READY_SECONDS:.0f}] s; see the logs in [{house.folder}]{_wrong(airflow)}")
    errors = airflow.import_errors()
    if errors:
        raise ConfigurationError("DAG files can't be read:\n" + "\n".join(errors))
    airflow.warm()
    return airflow


def wait_for_mlflow(house: House) -> None:
    """Wait until MLflow's pages are served. Raises ConfigurationError with the end of its log."""
    service = house.mlflow()
    port = house.port(MLFLOW)

    def is_over() -> bool:
        return processes.answers(port) or not processes.leader_of(service)

    if not processes.wait_until(is_over, seconds=READY_SECONDS) or not processes.answers(port):
        raise ConfigurationError(f"MLflow's pages are not served; the last lines of its log:\n{processes.tail(service.log_file)}")


def _wrong(airflow: Airflow) -> str:
    return "\n".join(["", *airflow.import_errors()]) if airflow.is_healthy() else ""


def _expect_alive(house: House) -> None:
    for service in house.components:
        if not processes.leader_of(service):
            raise ConfigurationError(
                f"Airflow's [{service.name}] ended by itself; the last lines of its log:\n{processes.tail(service.log_file)}"
            )


def stop(house: House) -> list[str]:
    """End everything that `start` started. Names of what ran."""
    return processes.stop(house.services)
