"""The operator runs a real command: its exit codes, its environment, and that nothing outlives a killed worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs import errors

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from dags.lib.tasks import JobOperator

RETRIED = (errors.InputNotReadyError.exit_code, errors.ConflictError.exit_code, errors.InvariantError.exit_code, 1, 99, 137)
HOPELESS = (errors.UsageError.exit_code, errors.ConfigurationError.exit_code, errors.DataRejectedError.exit_code)


@pytest.fixture
def kequn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the command beside the interpreter: the operator finds `kequn` there and nowhere else."""
    command = tmp_path / "kequn"
    command.write_text("#!/bin/sh\nexec $*\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return command


def operator(words: str) -> JobOperator:
    from dags.lib.tasks import JobOperator

    return JobOperator(task_id="job", words=words)


def test_done_is_success(kequn: Path) -> None:
    assert operator("true").execute({}) is None  # type: ignore[func-returns-value, typeddict-item]


@pytest.mark.parametrize("code", RETRIED)
def test_codes_that_are_tried_again(kequn: Path, code: int) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    kequn.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    with pytest.raises(AirflowException, match=f"exit code {code}") as raised:
        operator("").execute({})  # type: ignore[typeddict-item]
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("code", HOPELESS)
def test_codes_that_no_other_try_can_mend(kequn: Path, code: int) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    kequn.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    with pytest.raises(AirflowFailException, match=rf"\[{code}\]"):
        operator("").execute({})  # type: ignore[typeddict-item]


def test_a_model_that_misses_its_gate_is_a_warning(kequn: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kequn.write_text(f"#!/bin/sh\nexit {errors.GateError.exit_code}\n", encoding="utf-8")
    assert operator("").execute({}) is None  # type: ignore[func-returns-value, typeddict-item]


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Runs the cluster profile's operator with a stand-in for spark-submit, which ends as the given code says."""
    from dags.lib.submit import SubmittedJobOperator

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "yarn", "extra": {"deploy-mode": "client"}}')

    def run(code: int) -> None:
        command = tmp_path / "spark-submit"
        command.write_text(f"#!/bin/sh\necho $* > {tmp_path}/words\nexit {code}\n", encoding="utf-8")
        command.chmod(0o755)
        SubmittedJobOperator(task_id="job", words="features --as-of 2026-01-31").execute({})  # type: ignore[typeddict-item]
        told = (tmp_path / "words").read_text(encoding="utf-8")
        assert told.endswith(f"{ROOT}/jobs/__main__.py features --as-of 2026-01-31\n")

    return run


def test_what_spark_submit_ends_with_is_read_as_the_commands_code(submitted: Callable[[int], None]) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    submitted(0)
    submitted(errors.GateError.exit_code)
    for code in HOPELESS:
        with pytest.raises(AirflowFailException, match=rf"\[{code}\]"):
            submitted(code)
    for code in RETRIED:
        with pytest.raises(AirflowException, match=f"Error code is: {code}") as raised:
            submitted(code)
        assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Cannot execute: spark-submit --master yarn. Error code is: 20.", 20),
        ("Cannot execute: spark-submit --master k8s://x. Error code is: 1. Kubernetes spark exit code is: 20", 20),
        ("Cannot execute: spark-submit --master k8s://x. Error code is: 1. Kubernetes spark exit code is: None", 1),
        ("YARN application finished with FAILED", None),
    ],
)
def test_the_jobs_own_code_is_read_out_of_the_providers_words(said: str, code: int | None) -> None:
    from dags.lib.submit import code_of

    assert code_of(said) == code


def test_the_command_runs_in_the_project(kequn: Path, tmp_path: Path) -> None:
    kequn.write_text(f"#!/bin/sh\npwd > {tmp_path}/where\n", encoding="utf-8")
    operator("").execute({})  # type: ignore[typeddict-item]
    assert (tmp_path / "where").read_text(encoding="utf-8").strip() == str(ROOT)


def test_a_jvm_ends_with_the_killed_worker(tmp_path: Path) -> None:
    """Worker -> kequn -> JVM, as pyspark starts it; the worker gets SIGKILL, as the kernel does when memory runs out."""
    note = tmp_path / "jvm"
    command = tmp_path / "kequn"
    command.write_text(
        f"#!{sys.executable}\nimport pathlib, time\nfrom pyspark.java_gateway import launch_gateway\n"
        f"pathlib.Path('{note}').write_text(str(launch_gateway().proc.pid))\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    command.chmod(0o755)
    script = f"import sys; from dags.lib.tasks import JobOperator; sys.executable = '{tmp_path}/python'; JobOperator(task_id='t', words='').execute({{}})"
    worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: note.exists() and note.read_text(encoding="utf-8") != "")
        jvm = int(note.read_text(encoding="utf-8"))
        assert runs(jvm)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert eventually(lambda: not runs(jvm))


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(condition: object, *, seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False
