"""Independent work of one job, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AT_ONCE = 2
T = TypeVar("T")


def side_by_side(works: Iterable[Callable[[], T]]) -> list[T]:
    """Results in the order of the works. Two at a time: while one is planned, the other's tasks run.

    Raises what the first of them raised, once those that had begun have ended; the rest are not begun.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(work) for work in works]
        try:
            return [one.result() for one in begun]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
