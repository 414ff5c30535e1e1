"""Upkeep of Delta tables that changes no answer: small files packed, old rows dropped, unneeded files removed.

Its commits carry no note: a rerun of an earlier date must not take them for new data.
"""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from jobs.tables_log import location, log, version
from jobs.writes_commit import explained_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from delta.tables import DeltaTable

    from conf.settings import Settings
    from expectations.contracts.types import Table
    from jobs.context import JobContext

LISTING_TASKS = "spark.sql.sources.parallelPartitionDiscovery.parallelism"


def crowded(settings: Settings, table: Table, *, files: int) -> dict[str, int]:
    """Partitions (`month=202601`, empty for a table without) that hold more data files than that, with their number."""
    opened = log(settings, table)
    if opened is None:
        return {}
    root = location(settings, table).rstrip("/").rpartition("/")[2]
    folders = Counter(PurePosixPath(uri).parent.name for uri in opened.file_uris())
    return {"" if folder == root else folder: count for folder, count in sorted(folders.items()) if count > files}


def pack(context: JobContext, table: Table, partitions: dict[str, int]) -> int:
    """Rewrite each partition's small files as few big ones. How many files went."""
    before = _files(context.settings, table)
    for partition in partitions:
        _upkeep(context, table, lambda opened, where=partition: _packed(opened, where))  # type: ignore[misc]
    return before - _files(context.settings, table)


def _packed(opened: DeltaTable, partition: str) -> None:
    packing = opened.optimize()
    (packing.where(partition) if partition else packing).executeCompaction()


def drop(context: JobContext, table: Table, where: str) -> int:
    """Delete the rows of a predicate. How many there were; none: no commit."""
    if version(context.settings, table) < 0:
        return 0
    rows = context.spark.read.format("delta").load(location(context.settings, table)).where(where).count()
    if rows:
        _upkeep(context, table, lambda opened: opened.delete(where))
    return rows


def unneeded(settings: Settings, table: Table, *, hours: int) -> int:
    """How many files no version younger than that needs."""
    opened = log(settings, table)
    return len(opened.vacuum(retention_hours=hours, dry_run=True, full=True)) if opened else 0


def vacuum(context: JobContext, table: Table, *, hours: int) -> None:
    """Remove the files that no version younger than that needs."""
    # Folders are listed by that many tasks, 10,000 by default: minutes where a table has a few dozen folders.
    context.spark.conf.set(LISTING_TASKS, str(context.settings.spark.shuffle_partitions))
    try:
        _upkeep(context, table, lambda opened: opened.vacuum(hours))
    finally:
        context.spark.conf.unset(LISTING_TASKS)


def _files(settings: Settings, table: Table) -> int:
    opened = log(settings, table)
    return len(opened.file_uris()) if opened else 0


def _upkeep(context: JobContext, table: Table, work: Callable[[DeltaTable], object]) -> None:
    from delta.tables import DeltaTable

    try:
        work(DeltaTable.forPath(context.spark, location(context.settings, table)))
    except Exception as error:
        raise explained_failure(error, context, table) from error
