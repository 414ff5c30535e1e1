"""JVMs that are lent to jobs: given back by those that end well, killed with those that don't, missed by nobody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import psutil
import pytest

from conf import settings as conf
from conf.settings import Settings
from jobs import warm_jvm
from jobs.scheduling import processes
from jobs.scheduling.processes import Service

PATIENCE_SECONDS = 120.0


def _variables(home: Path) -> dict[str, str]:
    return {"KEQUN_HOME": str(home), "KEQUN_ENV": "demo"}  # the profile that keeps JVMs


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warm")


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return conf.load("demo", variables={"KEQUN_HOME": str(home)})


@pytest.fixture(scope="module")
def keeper(home: Path, settings: Settings) -> Iterator[psutil.Process]:
    service = Service(name="jvms", command=(sys.executable, "-m", "jobs.scheduling.jvms"), folder=home)
    processes.start(service, {**os.environ, **_variables(home)})
    leader = processes.leader_of(service)
    assert leader
    ready = processes.wait_until(lambda: len(_jvms(leader)) == settings.spark.warm_jvms, seconds=PATIENCE_SECONDS)
    assert ready, processes.tail(service.log_file)
    yield leader
    jvms = _jvms(leader)
    processes.stop([service])
    assert processes.wait_until(lambda: not any(map(psutil.pid_exists, jvms)), seconds=PATIENCE_SECONDS)


def _jvms(above: psutil.Process) -> set[int]:
    """Direct children that are JVMs, as Spark's launcher below a starting one is not; one that just ends is none."""
    found = set()
    for process in above.children():
        try:
            if process.name() == "java" and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


@contextmanager
def _job(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A job that writes a few tables; yielded when its session is up."""
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.fixtures.every_write"), cwd=processes.ROOT, env={**os.environ, **_variables(home)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout
        assert any(line.startswith("session is up") for line in process.stdout), process.communicate()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _ends_well(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    said: dict[str, object] = json.loads(out.strip().splitlines()[-1])
    return said


def test_a_killed_job_takes_its_jvm_with_it_and_the_next_job_gets_another(home: Path, keeper: psutil.Process) -> None:
    before = _jvms(keeper)
    with _job(home) as job:
        os.kill(job.pid, signal.SIGKILL)  # Python alone: the case in which a JVM of its own could live on
        assert processes.wait_until(lambda: len(before & _jvms(keeper)) == 1, seconds=PATIENCE_SECONDS), "no JVM ended"
    assert processes.wait_until(lambda: len(_jvms(keeper)) == len(before), seconds=PATIENCE_SECONDS), "no JVM took its place"
    with _job(home) as again:
        assert _ends_well(again)["state"] == "done"


def test_jobs_that_end_well_share_a_jvm_and_start_none(home: Path, keeper: psutil.Process) -> None:
    before, peaks = _jvms(keeper), []
    with _job(home / "elsewhere") as far:  # another deployment: nobody lends to it
        assert _jvms(psutil.Process(far.pid))
    for _ in range(2):
        shutil.rmtree(home / "warehouse", ignore_errors=True)
        with _job(home) as near:
            assert not _jvms(psutil.Process(near.pid))
            peaks.append(_ends_well(near)["peak_mb"])
    assert _jvms(keeper) == before
    assert all(isinstance(peak, int) and peak > 200 for peak in peaks), f"the borrowed JVM's memory is not counted: {peaks}"


def test_only_who_can_read_the_address_gets_a_jvm(settings: Settings, keeper: psutil.Process) -> None:
    address = warm_jvm.address_file(settings)
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    with pytest.raises(AuthenticationError):
        Client(("127.0.0.1", json.loads(address.read_text())["port"]), authkey=b"guessed")
    with warm_jvm.borrowed(settings) as jvm:  # the keeper is well after it
        assert jvm in _jvms(keeper)
        assert os.environ[warm_jvm.PORT]
    assert warm_jvm.PORT not in os.environ


def test_a_job_that_finds_all_lent_starts_its_own(settings: Settings, keeper: psutil.Process) -> None:
    with warm_jvm.borrowed(settings) as first, warm_jvm.borrowed(settings) as second, warm_jvm.borrowed(settings) as third:
        assert {first, second} == _jvms(keeper)
        assert third is None


def test_a_job_gets_the_jvm_that_ran_it_before_or_one_like_it(settings: Settings, keeper: psutil.Process) -> None:
    with warm_jvm.borrowed(settings, "ingest channel") as channel, warm_jvm.borrowed(settings, "score churn") as churn:
        assert {channel, churn} == _jvms(keeper)
    for job, expected in (("score churn", churn), ("ingest channel", channel), ("score value", churn), ("ingest credit", channel)):
        time.sleep(1)  # the keeper hears of a JVM that is given back, it does not answer
        with warm_jvm.borrowed(settings, job) as jvm:
            assert jvm == expected, job


def test_jvms_that_died_idle_are_replaced(settings: Settings, keeper: psutil.Process) -> None:
    dead = _jvms(keeper)
    for jvm in dead:
        os.kill(jvm, signal.SIGKILL)
    for _ in dead:
        with warm_jvm.borrowed(settings) as jvm:
            assert jvm not in dead  # none, or one that took a dead one's place
    assert processes.wait_until(lambda: len(_jvms(keeper) - dead) == len(dead), seconds=PATIENCE_SECONDS)


def test_an_address_that_nobody_answers_any_more_is_passed_over(settings: Settings, tmp_path: Path) -> None:
    elsewhere = conf.load("demo", variables={"KEQUN_HOME": str(tmp_path)})
    with warm_jvm.borrowed(elsewhere) as jvm:
        assert jvm is None
    address = warm_jvm.address_file(elsewhere)
    address.parent.mkdir(parents=True)
    for content in (json.dumps({"port": processes.free_port(), "key": "00"}), "half a fi"):
        address.write_text(content)
        with warm_jvm.borrowed(elsewhere) as jvm:
            assert jvm is None
