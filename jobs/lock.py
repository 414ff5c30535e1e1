"""One writer per (job, scope, partition): a lock file with owner and heartbeat, taken before Spark starts.

Delta's own conflict check stands behind it. A dead owner's lock is taken over: on the same host when its process is
gone, from elsewhere when its heartbeat is older than STALE_SECONDS.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import ConfigurationError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator

STALE_SECONDS = 60.0
BEAT_SECONDS = 5.0


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return owner


def _holder(path: Path) -> str | None:
    """Who holds a lock, as text; None when nobody alive does."""
    owner = _owner(path)
    if owner is None:
        return None
    if owner["host"] == socket.gethostname():
        return f"process {owner['pid']}" if _started(owner["pid"]) == owner["started"] else None
    age = time.time() - path.stat().st_mtime
    return f"process {owner['pid']} on {owner['host']}" if age < STALE_SECONDS else None


def _started(pid: int) -> str:
    """Start time of a running process: with it, a reused process id is not taken for the owner. Gone: no text.

    Where there is no /proc, a running process is told by its id alone.
    """
    if not Path("/proc/self/stat").exists():
        return _signalled(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _signalled(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    return "running"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time looks at the folder's locks and takes one: two that see the same dead owner would else both win."""
    with (folder / ".guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _take(path: Path, me: dict[str, Any]) -> None:
    """Write the lock file with our name in it; ConflictError when somebody alive holds it."""
    with _alone(path.parent):
        holder = _holder(path)
        if holder:
            raise ConflictError(f"[{path.stem}] is being worked on by {holder}; try again when it is done")
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(me), encoding="utf-8")
        draft.replace(path)


def _release(path: Path, me: dict[str, Any]) -> None:
    """Remove our lock; one that was taken over from us, because we were silent for too long, is left to its owner."""
    with _alone(path.parent):
        if _owner(path) == me:
            path.unlink()


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        with suppress(FileNotFoundError):
            os.utime(path)


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock `name` while the block runs.

    Raises ConflictError (exit 40) when it is held, ConfigurationError when the folder can't be written.
    """
    path = folder / f"{name.replace('/', '_')}.lock"
    me = {"pid": os.getpid(), "started": _started(os.getpid()), "host": socket.gethostname(), "token": uuid.uuid4().hex}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(path, me)
    except OSError as error:
        raise ConfigurationError(
            f"The lock folder [{folder}] can't be written: {error.strerror}; check paths.home and its rights"
        ) from error
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(path, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _release(path, me)
