"""Work over more rows than find place at once: in passes, each checked and committed before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jobs import tables
from jobs.staging import BYTES_IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from expectations.contracts.types import Table

Item = TypeVar("Item")

# Of rows that are made together and kept in memory.
BYTES_AT_ONCE = BYTES_IN_MEMORY
# Of rows that are staged on disk (jobs/staging.py), where files of columns took a thirteenth of it: each pass reads what its dates see anew.
BYTES_STAGED = 60_000_000_000


def bytes_of(rows: int, into: Iterable[Table]) -> int:
    """Of so many rows of each of the tables."""
    return rows * sum(map(tables.row_bytes, into))


def passes(items: Sequence[Item], rows: int, into: Iterable[Table], *, at_once: int | None = None) -> list[Sequence[Item]]:
    """The items in their order, so many together as `at_once` bytes (BYTES_AT_ONCE) allow where all of them have so many rows in the tables."""
    many = max(1, (at_once or BYTES_AT_ONCE) * len(items) // max(1, bytes_of(rows, into)))
    return [items[first : first + many] for first in range(0, len(items), many)]
