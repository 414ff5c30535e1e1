"""Frames that are used more than once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame


def made(frame: DataFrame) -> DataFrame:
    """The frame's rows computed now and kept, and the plan that made them forgotten; `release` it.

    Not persist: whatever is asked of a persisted frame, all that made it is analysed, compared and planned again, and its
    columnar batches cost more to build than rows. Most of a small night was spent on that.
    """
    return frame.localCheckpoint(eager=True)


def release(frame: DataFrame) -> None:
    """Let go of the rows of a frame that was `made`."""
    frame._jdf.queryExecution().analyzed().rdd().unpersist(False)  # noqa: SLF001 no other door


@contextmanager
def kept(frame: DataFrame) -> Iterator[DataFrame]:
    """The frame, made once for the block."""
    rows = made(frame)
    try:
        yield rows
    finally:
        release(rows)
