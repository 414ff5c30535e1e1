"""Work over more rows than find place at once: in passes, each checked and committed before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jobs import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from expectations.contracts.types import Table

Item = TypeVar("Item")

# Of rows that are made together. Each pass reads what its dates see anew, so that few long ones cost less; but rows that find no place in memory
# are written to disk, and read again for each table. Five billion, ten dates of 200,000 customers, were too many for a JVM of 10 GB.
BYTES_AT_ONCE = 2_000_000_000


def passes(items: Sequence[Item], rows: int, into: Iterable[Table]) -> list[Sequence[Item]]:
    """The items in their order, so many together as BYTES_AT_ONCE allows where all of them have so many rows in the tables."""
    many = max(1, BYTES_AT_ONCE * len(items) // max(1, rows * sum(map(tables.row_bytes, into))))
    return [items[first : first + many] for first in range(0, len(items), many)]
