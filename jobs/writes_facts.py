"""Recording what a job itself knows: rows made in Python, by the log's own writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.contracts.types import Write
from jobs.tables_log import log
from jobs.writes_commit import Written, append_arrow, commit, once, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expectations.contracts.types import Table
    from jobs.context import RunContext


def record(context: RunContext, table: Table, rows: Sequence[tuple[Any, ...]], *, part: str = "") -> Written:
    """Append rows (values in the contract's order), exactly once per generation.

    Without Spark, which takes two seconds for a handful of rows: every job ends with some.
    """
    return once(context, table, Write.APPEND, part=part, work=lambda app: _record(context, table, rows, app))


def _record(context: RunContext, table: Table, rows: Sequence[tuple[Any, ...]], app: str) -> Written:
    import pyarrow as pa

    if not rows:
        return unchanged(context, table, 0)
    opened = log(context.settings, table)
    assert opened is not None  # `once` has created it
    schema = pa.schema(opened.schema().to_arrow())
    frame = pa.Table.from_pylist([dict(zip(table.column_names, row, strict=True)) for row in rows], schema=schema)
    first = min((str(row[table.column_names.index(table.date)]) for row in rows), default="") if table.date else ""
    figures = {"rows_in": len(rows), "inserted": len(rows), "first_date": first}
    return commit(context, table, app, figures, lambda signed: append_arrow(context, table, frame, signed))
