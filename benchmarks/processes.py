"""What processes take while they run: their peak memory, and the bytes that they read. Of Linux (/proc)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

EVERY_S = 0.1


def tree(root: int) -> list[int]:
    """The process and all that it started."""
    return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]


def forget_peaks(processes: Collection[int]) -> None:
    """Peak memory counts from here on."""
    for process in processes:
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5", encoding="utf-8")


def peak_mb(processes: Collection[int]) -> int:
    """Peak resident memory in MiB, each process's own peak added up."""
    return sum(_told(process, "status", "VmHWM:") for process in processes) // 1024


def bytes_read(processes: Collection[int]) -> int:
    """What their system calls read so far, from disk or the page cache: files, and what one of them passes to another. Rows kept in memory are not read."""
    return sum(_told(process, "io", "rchar:") for process in processes)


@contextmanager
def watched(root: int) -> Iterator[Callable[[], tuple[int, int]]]:
    """Of a process that will end, and all that it starts: gives a function that tells peak memory in MiB and bytes read, as last seen."""
    seen, over = (0, 0), threading.Event()

    def watch() -> None:
        nonlocal seen
        while True:
            with suppress(psutil.Error):
                processes = tree(root)
                seen = max(seen[0], peak_mb(processes)), max(seen[1], bytes_read(processes))
            if over.wait(EVERY_S):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: seen
    finally:
        over.set()
        thread.join()


def _told(process: int, file: str, name: str) -> int:
    """A line's number; 0 of a process that has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
    return 0
