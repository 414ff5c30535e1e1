"""One writer per (job, scope, partition): a lock file with owner and heartbeat, taken before Spark starts.

Delta's own conflict check stands behind it. A dead owner's lock is taken over: on the same host when its process is
gone, from elsewhere when its heartbeat is older than STALE_SECONDS.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STALE_SECONDS = 60.0
BEAT_SECONDS = 5.0


def _alive(path: Path) -> str | None:
    """The owner of a lock that is still held, as text; None when nobody holds it."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        age = time.time() - path.stat().st_mtime
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if owner["host"] == socket.gethostname():
        return f"process {owner['pid']}" if _runs(owner["pid"], owner["started"]) else None
    return f"process {owner['pid']} on {owner['host']}" if age < STALE_SECONDS else None


def _started(pid: int) -> str:
    """Start time of a process in clock ticks: with it, a reused process id is not taken for the owner."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _runs(pid: int, started: str) -> bool:
    return _started(pid) == started != ""


def _take(path: Path) -> None:
    """Create the lock file with our name in it; ConflictError when somebody alive holds it."""
    mine = json.dumps({"pid": os.getpid(), "started": _started(os.getpid()), "host": socket.gethostname()})
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(mine, encoding="utf-8")
    try:
        for _ in range(2):
            try:
                os.link(draft, path)  # atomic: fails if it exists
            except FileExistsError:
                owner = _alive(path)
                if owner:
                    raise ConflictError(f"[{path.stem}] is being worked on by {owner}; try again when it is done") from None
                path.unlink(missing_ok=True)
            else:
                return
        raise ConflictError(f"[{path.stem}] was taken by somebody else just now; try again")
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock `name` while the block runs.

    Raises ConflictError (exit 40) when it is held, ConfigurationError when the folder can't be written.
    """
    path = folder / f"{name.replace('/', '_')}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(path)
    except OSError as error:
        raise ConfigurationError(f"The lock folder [{folder}] can't be written: {error.strerror}; check paths.home and its rights") from error
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_SECONDS):
            os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        path.unlink(missing_ok=True)
