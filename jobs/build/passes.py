"""Work over more rows than find place at once: in passes, each checked and committed before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")

# Rows that are made together, of features three hundred to a row, some 3 KB. Each pass over a range reads what its dates see anew, so that few
# long ones cost less; but rows that find no place in memory are written to disk and read again for each table.
ROWS_AT_ONCE = 2_000_000


def passes(items: Sequence[Item], rows: int) -> list[Sequence[Item]]:
    """The items in their order, so many together as ROWS_AT_ONCE allows where all of them have so many rows."""
    many = max(1, ROWS_AT_ONCE * len(items) // max(1, rows))
    return [items[first : first + many] for first in range(0, len(items), many)]
