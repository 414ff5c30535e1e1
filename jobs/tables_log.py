"""Where a table lives and what its Delta log tells, without a JVM."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable as DeltaLog
from deltalake.exceptions import DeltaError, TableNotFoundError

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conf.settings import Settings
    from expectations.contracts.types import Table

# Most questions are answered by the newest commits: the whole history of a table of years is read only when they don't.
PAGES = (20, 400, None)
# Delta's operations after which a table holds the same rows.
KEEPS_ROWS = ("CREATE TABLE", "ADD COLUMN", "OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES")

# Metadata of a column that the table gained when it had rows, with when the run began that gave it: older files are without it.
ADDED = "kequn.added"


def location(settings: Settings, table: Table) -> str:
    return f"{settings.warehouse}/{table.layer}/{table.name}"


def log(settings: Settings, table: Table) -> DeltaLog | None:
    """The table's Delta log; None when the table does not exist. Raises ConfigurationError when it can't be read."""
    place = location(settings, table)
    try:
        return DeltaLog(place)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise ConfigurationError(f"[{place}] can't be read as table [{table.full_name}]: {error}; check paths.warehouse") from error


def lacking(opened: DeltaLog, names: Iterable[str]) -> list[str]:
    """Those of the columns that the table does not have."""
    known = {field.name for field in opened.schema().fields}
    return [name for name in names if name not in known]


def added(opened: DeltaLog, names: Iterable[str]) -> dict[str, str]:
    """Those of the columns that the table gained when it had rows, with Delta's name of their type."""
    wanted = set(names)
    return {field.name: str(field.type.type) for field in opened.schema().fields if field.name in wanted and ADDED in field.metadata}


def added_at(settings: Settings, table: Table) -> dict[str, datetime]:
    """The columns that the table gained when it had rows: of which instant on what is known of them may be told."""
    opened = log(settings, table)
    told = {field.name: str(field.metadata.get(ADDED, "")) for field in opened.schema().fields} if opened else {}
    # Columns of tables that were widened before the instant was noted say "true" only.
    return {name: datetime.fromisoformat(at) for name, at in told.items() if at not in {"", "true"}}


def version(settings: Settings, table: Table) -> int:
    """Current Delta version, -1 for a table that does not exist."""
    opened = log(settings, table)
    return -1 if opened is None else opened.version()


def size(settings: Settings, table: Table) -> int:
    """Bytes of the table's current files, 0 for a table that does not exist."""
    opened = log(settings, table)
    return 0 if opened is None else sum(opened.get_add_actions().column("size_bytes").to_pylist())


def rows(settings: Settings, table: Table, first: date = date.min, last: date = date.max) -> int:
    """Rows of the table's current files that may hold a date from first to last, by the log's statistics, without a scan; 0 for a
    table that does not exist.
    """
    return sum(filter(None, _of_files(settings, table, "num_records", first, last)))


def tells_changes(settings: Settings, table: Table, *, after: int, kept_since: datetime) -> bool:
    """Whether the change feed can be read from a version on: the table was created with one, and what it needs lies no further
    back than maintenance keeps files.
    """
    opened = log(settings, table)
    if opened is None or opened.metadata().configuration.get("delta.enableChangeDataFeed") != "true":
        return False
    first = next((entry for entry in _history(settings, table) if entry["version"] == after + 1), None)
    return first is not None and datetime.fromtimestamp(first["timestamp"] / 1000, UTC) >= kept_since


def may_hold(settings: Settings, table: Table, first: date, last: date) -> bool:
    """Whether a file of the table may hold rows of a date from first to last: the log's statistics tell, without a scan."""
    return bool(_of_files(settings, table, f"max.{table.date}", first, last))


def not_held(settings: Settings, table: Table, dates: Iterable[date]) -> set[date]:
    """Those of the dates of which no file of the table can hold rows, by the log's statistics."""
    opened = log(settings, table)
    files = opened.get_add_actions(flatten=True) if opened else None
    bounds = (f"min.{table.date}", f"max.{table.date}")
    if files is None or not set(bounds) <= set(files.column_names):
        return set(dates) if files is None or not files.num_rows else set()
    ranges = list(zip(*(files.column(name).to_pylist() for name in bounds), strict=True))
    return {day for day in dates if not any(low is None or high is None or low <= day <= high for low, high in ranges)}


def may_be_revised(settings: Settings, table: Table, first: date, last: date) -> bool:
    """Whether a row of a date from first to last may have been published more than once."""
    return any(highest != 0 for highest in _of_files(settings, table, "max.revision", first, last))


def _of_files(settings: Settings, table: Table, what: str, first: date, last: date) -> list[Any]:
    """What the log tells of each file that may hold rows of the dates, such as its num_records; None where it does not tell."""
    opened = log(settings, table)
    if opened is None:
        return []
    files = opened.get_add_actions(flatten=True)
    names = (f"min.{table.date}", f"max.{table.date}", what)
    lows, highs, told = (files.column(name).to_pylist() if name in files.column_names else [None] * files.num_rows for name in names)
    return [
        value for low, high, value in zip(lows, highs, told, strict=True)
        if low is None or high is None or (low <= last and high >= first)
    ]  # fmt: skip


def applied_generation(settings: Settings, table: Table, app: str) -> int:
    """Newest generation of a transaction app that the table has committed, -1 for none."""
    opened = log(settings, table)
    found = opened.transaction_version(app) if opened else None
    return -1 if found is None else found


def commits(settings: Settings, table: Table) -> Iterator[dict[str, Any]]:
    """Notes of the table's commits that carry one, newest first; each with its `version`."""
    for entry in _history(settings, table):
        if entry.get("userMetadata"):
            yield {"version": entry["version"], **json.loads(entry["userMetadata"])}


def first_touched(settings: Settings, table: Table, *, after: int) -> str:
    """First business date that commits after a version touched, as text.

    "" when there are none; the first of all dates when the log can't tell: it does not reach back to that version any
    more, the table was made anew, or somebody else wrote it (a RESTORE).
    """
    touched: list[str] = []
    oldest = version(settings, table) + 1
    if oldest <= after:
        return str(date.min)
    for entry in _history(settings, table):
        if entry["version"] <= after:
            break
        oldest = entry["version"]
        if note := entry.get("userMetadata"):
            touched.append(json.loads(note).get("first_date", ""))
        elif entry.get("operation") not in KEEPS_ROWS:
            return str(date.min)
    if oldest > after + 1:
        return str(date.min)
    return min((day for day in touched if day), default="")


def _history(settings: Settings, table: Table) -> Iterator[dict[str, Any]]:
    """The table's commits, newest first."""
    opened = log(settings, table)
    if opened is None:
        return
    seen = 0
    for page in PAGES:
        history = opened.history(page)
        yield from history[seen:]
        if page is None or len(history) < page:
            return
        seen = len(history)
