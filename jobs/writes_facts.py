"""Recording what a job itself knows: rows made in Python, by the log's own writer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, Transaction, write_deltalake

from expectations.contracts.types import Write
from jobs.tables_log import location, log
from jobs.writes_commit import Written, committed, explained, note_of, once, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expectations.contracts.types import Table
    from jobs.context import JobContext


def record(context: JobContext, table: Table, rows: Sequence[tuple[Any, ...]], *, part: str = "") -> Written:
    """Append rows (values in the contract's order), exactly once per generation.

    Without Spark, which takes two seconds for a handful of rows: every job ends with some.
    """
    return once(context, table, Write.APPEND, part=part, work=lambda app: _record(context, table, rows, app))


def _record(context: JobContext, table: Table, rows: Sequence[tuple[Any, ...]], app: str) -> Written:
    import pyarrow as pa

    if not rows:
        return unchanged(context, table, 0)
    opened = log(context.settings, table)
    assert opened is not None  # `once` has created it
    schema = pa.schema(opened.schema().to_arrow())
    frame = pa.Table.from_pylist([dict(zip(table.column_names, row, strict=True)) for row in rows], schema=schema)
    first = min((str(row[table.column_names.index(table.date)]) for row in rows), default="") if table.date else ""
    note = note_of(context, app, {"rows_in": len(rows), "inserted": len(rows), "first_date": first})
    properties = CommitProperties(
        custom_metadata={"userMetadata": json.dumps(note)}, app_transactions=[Transaction(app, context.generation)]
    )
    with explained(context, table):
        write_deltalake(location(context.settings, table), frame, mode="append", commit_properties=properties)
    return committed(context, table, app)
