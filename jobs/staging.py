"""Rows of one run on disk, beside the tables: for more than find place in memory."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobs import frames
from jobs.errors import ConfigurationError
from jobs.writes_commit import UNWRITABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pyspark.sql import DataFrame, SparkSession

    from conf.settings import Settings

# Of rows that are kept in memory. Those that find no place there Spark writes to disk as they are, and reads as a whole whatever is asked of them.
# In files of columns 45 dates of 200,000 customers, 34 GB as rows are counted, took 2.6.
BYTES_IN_MEMORY = 2_000_000_000
# A run is over by then, or was killed.
HOURS_KEPT = 48


def folder(settings: Settings) -> str:
    """Where all runs stage rows. Spark passes over what begins with an underscore."""
    return f"{settings.warehouse}/_staging"


def kept(frame: DataFrame, settings: Settings, *, size: int) -> AbstractContextManager[DataFrame]:
    """The frame's rows, made once for the block: in memory, or staged where they are more than BYTES_IN_MEMORY. size: their bytes, about."""
    return frames.kept(frame) if size <= BYTES_IN_MEMORY else staged(frame, settings)


@contextmanager
def staged(frame: DataFrame, settings: Settings) -> Iterator[DataFrame]:
    """The frame's rows, computed once into files of columns and removed after the block: each reader reads the columns that it wants.

    Raises ConfigurationError where they can't be written.
    """
    place = f"{folder(settings)}/{uuid.uuid4().hex}"
    try:
        try:
            frame.write.option("compression", "snappy").parquet(place)
        except Exception as error:
            if UNWRITABLE.search(f"{type(error).__name__} {error}"):
                raise ConfigurationError(f"[{place}] can't be written; check paths.warehouse, its rights and the free space") from error
            raise
        yield frame.sparkSession.read.schema(frame.schema).parquet(place)
    finally:
        _delete(frame.sparkSession, place)


def forget(spark: SparkSession, settings: Settings, *, hours: int = HOURS_KEPT) -> list[str]:
    """Remove what runs that were killed left behind so long ago; their folders."""
    root = folder(settings)
    system, path = _opened(spark, root)
    if not system.exists(path):
        return []
    oldest = 1000 * (time.time() - 3600 * hours)
    left = [str(one.getPath()) for one in system.listStatus(path) if one.getModificationTime() <= oldest]
    for place in left:
        _delete(spark, place)
    return left


def _delete(spark: SparkSession, place: str) -> None:
    system, path = _opened(spark, place)
    system.delete(path, True)


def _opened(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of the place, and the place in it."""
    context = spark.sparkContext
    jvm, conf = context._jvm, context._jsc.hadoopConfiguration()  # noqa: SLF001 the only way to them
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(conf), path
