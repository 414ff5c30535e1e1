"""Long-running programs of one deployment: started in groups of their own, found again by pid file, ended for good."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TERM_SECONDS = 15.0
ROOT = Path(__file__).parents[2]
# Kept because a program that is started and forgotten would be warned of; it is ended by `stop`, perhaps by another command.
_STARTED: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, kw_only=True)
class Service:
    """A program that runs until it is stopped: its pid file and its log are named after it."""

    name: str
    command: tuple[str, ...]
    folder: Path

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"


def start(service: Service, environment: Mapping[str, str]) -> None:
    """Start the program as the leader of its own session, so that a Ctrl-C meant for us does not reach it."""
    with service.log_file.open("ab") as log:
        leader = subprocess.Popen(
            service.command, env=dict(environment), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _STARTED.append(leader)
    created = psutil.Process(leader.pid).create_time()
    service.pid_file.write_text(f"{leader.pid} {created}\n", encoding="utf-8")


def leader_of(service: Service) -> psutil.Process | None:
    """The program's first process; None when it does not run. A reused process id is not taken for it."""
    try:
        pid, created = service.pid_file.read_text(encoding="utf-8").split()
        found = psutil.Process(int(pid))
        alive = str(found.create_time()) == created and found.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return found if alive else None


def stop(services: Sequence[Service]) -> list[str]:
    """End the programs and everything that they started; names of those that ran. Returns when nothing is left."""
    leaders = {service.name: leader for service in services if (leader := leader_of(service))}
    family = [*leaders.values(), *(child for leader in leaders.values() for child in _below(leader))]
    # The leaders first and alone: they end their own, and a scheduler notes what it leaves behind.
    _signal(list(leaders.values()), kill=False)
    left = psutil.wait_procs(list(leaders.values()), timeout=TERM_SECONDS)[1]
    family += [child for leader in left for child in _below(leader)]
    _signal([process for process in family if process.is_running()], kill=False)
    left = psutil.wait_procs(family, timeout=TERM_SECONDS / 3)[1]
    _signal(left, kill=True)
    psutil.wait_procs(left, timeout=TERM_SECONDS)
    for service in services:
        service.pid_file.unlink(missing_ok=True)
    for started in _STARTED:
        started.poll()  # psutil has waited for it; else it would be taken for running and warned of at exit
    return sorted(leaders)


def _below(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


def _signal(processes: Sequence[psutil.Process], *, kill: bool) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill() if kill else process.terminate()


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody listens there, else any free port of this machine."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("this machine has no free port")


def answers(port: int) -> bool:
    """Whether somebody listens on the port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(no log [{path}])"


def wait_until(condition: object, *, seconds: float, every: float = 0.5) -> bool:
    """Ask `condition` until it holds; False when it did not in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(every)
    return False


def search_path(first: Path) -> str:
    """PATH with one folder before all others."""
    return os.pathsep.join((str(first), os.environ.get("PATH", os.defpath)))
