"""Commands carried out by a fork of the warm Python: as if by the process that was started, and gone when that is gone."""

from __future__ import annotations

import json
import os
import signal
import socket as net
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs import warm_python
from jobs.scheduling import processes
from jobs.scheduling.processes import Service

PATIENCE_SECONDS = 120.0
KEQUN = (sys.executable, "-m", "jobs")


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kequn-") as folder:  # pytest's folders may be too deep for a socket's path
        yield Path(folder) / "python.sock"


@pytest.fixture(scope="module")
def server(socket: Path) -> Iterator[psutil.Process]:
    service = Service(name="pythons", command=(sys.executable, "-m", "jobs.scheduling.pythons", str(socket)), folder=socket.parent)
    processes.start(service, os.environ)
    leader = processes.leader_of(service)
    assert leader
    assert processes.wait_until(socket.exists, seconds=PATIENCE_SECONDS), processes.tail(service.log_file)
    yield leader
    processes.stop([service])


def _start(words: str, socket: Path, home: Path, *python: str) -> subprocess.Popen[str]:
    variables = {**os.environ, warm_python.VARIABLE: str(socket), "KEQUN_HOME": str(home), "KEQUN_ENV": "ci"}
    return subprocess.Popen(
        (KEQUN[0], *python, *KEQUN[1:], *words.split()), cwd=processes.ROOT, env=variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_command_is_carried_out_with_the_streams_and_the_exit_code_of_who_asked(
    socket: Path, server: psutil.Process, tmp_path: Path
) -> None:
    asked = _start("features --as-of 2026-13-01", socket, tmp_path, "-X", "importtime")
    _, err = asked.communicate(timeout=PATIENCE_SECONDS)
    assert asked.returncode == 2
    assert "[2026-13-01] is not a business date" in err
    assert "jobs.build" not in err, "it was carried out by the process that was started"
    wrong = _start("features --as-off 2026-01-31", socket, tmp_path)
    assert "unrecognized arguments: --as-off" in wrong.communicate(timeout=PATIENCE_SECONDS)[1]
    assert wrong.returncode == 2
    shown = _start("features --help", socket, tmp_path)
    assert "--month-ends" in shown.communicate(timeout=PATIENCE_SECONDS)[0]
    assert shown.returncode == 0


def _with_jvm(server: psutil.Process) -> list[psutil.Process]:
    """The processes below the server, once a JVM is among them; a shell in between may end while it is looked at."""
    below = server.children(recursive=True)
    return below if any("SparkSubmit" in _words(process) for process in below) else []


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_who_ends_the_process_that_was_started_ends_the_fork_and_its_jvm(socket: Path, server: psutil.Process, tmp_path: Path) -> None:
    asked = _start("features --as-of 2026-01-31", socket, tmp_path)
    family: list[psutil.Process] = []

    def is_up() -> bool:
        family[:] = _with_jvm(server)
        return bool(family)

    assert processes.wait_until(is_up, seconds=PATIENCE_SECONDS, every=0.1)
    asked.kill()
    asked.communicate(timeout=PATIENCE_SECONDS)
    gone, left = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert gone
    assert not left


def test_a_fork_that_was_killed_is_an_error_of_its_command(socket: Path, server: psutil.Process, tmp_path: Path) -> None:
    asked = _start("features --as-of 2026-01-31", socket, tmp_path)
    assert processes.wait_until(lambda: bool(server.children()), seconds=PATIENCE_SECONDS, every=0.05)
    for fork in server.children():
        os.kill(fork.pid, signal.SIGKILL)
    _, err = asked.communicate(timeout=PATIENCE_SECONDS)
    assert asked.returncode == warm_python.LOST
    assert "kequn features: the process that carried it out was killed" in err


def test_what_cannot_even_begin_says_why(socket: Path, server: psutil.Process, tmp_path: Path) -> None:
    said, told = tmp_path / "said", json.dumps({"words": [], "folder": str(tmp_path / "gone"), "variables": {}}).encode()
    with said.open("wb") as stream, net.socket(net.AF_UNIX) as connection:
        connection.connect(str(socket))
        net.send_fds(connection, [warm_python.LENGTH.pack(len(told))], [stream.fileno()] * len(warm_python.STREAMS))
        connection.sendall(told)
        assert connection.recv(warm_python.LENGTH.size) == warm_python.LENGTH.pack(1)
    assert f"No such file or directory: '{tmp_path / 'gone'}'" in said.read_text(encoding="utf-8")


def test_only_its_owner_may_ask(socket: Path, server: psutil.Process) -> None:
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_where_nobody_answers_the_command_is_carried_out_by_its_own_process(tmp_path: Path) -> None:
    asked = _start("features --as-of 2026-13-01", tmp_path / "nobody.sock", tmp_path, "-X", "importtime")
    _, err = asked.communicate(timeout=PATIENCE_SECONDS)
    assert asked.returncode == 2
    assert "jobs.build" in err
