"""The one door to Delta tables: reading them, and one engine for each way of writing (contracts' Write).

Every write is exactly once (jobs/writes_commit.py): a run that was killed after a commit and is started again skips it.
A commit's note names the run, what it counted and the first date it touched: the ledger is repaired from it, and
readers of a date learn what concerns them.
"""

from __future__ import annotations

from jobs.tables_log import commits, first_touched, location, log, may_be_revised, may_hold, not_held, rows, size, tells_changes, version
from jobs.tables_read import changes, current, interval_of, read, read_or_empty, valid_on
from jobs.writes_commit import Written, as_counts, content_hash, create, observed_hash, row_bytes, widen
from jobs.writes_facts import record
from jobs.writes_intervals import merge_intervals
from jobs.writes_rows import Scope, Span, append_revisions, merge_changed
from jobs.writes_slices import append, replace

__all__ = [
    "Scope", "Span", "Written", "append", "append_revisions", "as_counts", "changes", "commits", "content_hash", "create", "current",
    "first_touched", "interval_of", "location", "log", "may_be_revised", "may_hold", "merge_changed", "merge_intervals", "not_held", "observed_hash",
    "read", "read_or_empty", "record", "replace", "row_bytes", "rows", "size", "tells_changes", "valid_on", "version", "widen",
]  # fmt: skip
