"""Where a table lives and what its Delta log tells, without a JVM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable as DeltaLog
from deltalake.exceptions import DeltaError, TableNotFoundError

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conf.settings import Settings
    from expectations.contracts.types import Table

# Most questions are answered by the newest commits: the whole history of a table of years is read only when they don't.
PAGES = (20, 400, None)


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


def version(settings: Settings, table: Table) -> int:
    """Current Delta version, -1 for a table that does not exist."""
    opened = log(settings, table)
    return -1 if opened is None else opened.version()


def size(settings: Settings, table: Table) -> int:
    """Bytes of the table's current files, 0 for a table that does not exist."""
    opened = log(settings, table)
    return 0 if opened is None else sum(opened.get_add_actions().column("size_bytes").to_pylist())


def applied_generation(settings: Settings, table: Table, app: str) -> int:
    """Newest generation of a transaction app that the table has committed, -1 for none."""
    opened = log(settings, table)
    found = opened.transaction_version(app) if opened else None
    return -1 if found is None else found


def commits(settings: Settings, table: Table) -> Iterator[dict[str, Any]]:
    """Notes of the table's commits that carry one, newest first; each with its `version`."""
    opened = log(settings, table)
    if opened is None:
        return
    seen = 0
    for page in PAGES:
        history = opened.history(page)
        for entry in history[seen:]:
            if entry.get("userMetadata"):
                yield {"version": entry["version"], **json.loads(entry["userMetadata"])}
        if page is None or len(history) < page:
            return
        seen = len(history)
