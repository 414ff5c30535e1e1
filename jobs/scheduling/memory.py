"""How much memory a family of processes really uses: the sum of proportional shares, so that shared pages count once."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_SECONDS = 3.0
MEBIBYTE = 1024 * 1024


class Peak:
    """The highest sum seen since the last `take`, and the highest of all, in MiB."""

    def __init__(self) -> None:
        self._since_taken = 0
        self.highest_mb = 0

    def see(self, megabytes: int) -> None:
        self._since_taken = max(self._since_taken, megabytes)
        self.highest_mb = max(self.highest_mb, megabytes)

    def take(self) -> int:
        """The peak since it was taken last; starts anew."""
        taken, self._since_taken = self._since_taken, 0
        return taken


def used_mb() -> int:
    """Memory of this process and all below it now, in MiB; resident size where the system tells no shares."""
    mine = psutil.Process()
    return sum(_share(process) for process in [mine, *mine.children(recursive=True)]) // MEBIBYTE


def _share(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error, FileNotFoundError):
        told = process.memory_full_info()
        return int(getattr(told, "pss", told.rss))
    return 0


@contextlib.contextmanager
def sampled() -> Iterator[Peak]:
    """Look every few seconds while the block runs: a look at a big JVM costs its kernel 30 ms."""
    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.wait(SAMPLE_SECONDS):
            peak.see(used_mb())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
