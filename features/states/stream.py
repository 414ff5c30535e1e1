"""A stream of states and of the day tiles that pass their borders → measures as of a later day, and the states of that day.

Rows are those of features.stream; a customer's packed state is one of them, of `source` number of sources + its source's. Who has none
is given all rows. Memory is bounded by CUSTOMERS, whatever the length of windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.kernel import Rows, one_per_day
from features.states import answers, packed, rolling
from features.stream import in_order, measure_array, parts, tile_columns, whole_customers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from features.arithmetic import Integers
    from features.states.layout import Layout

CUSTOMERS = 4_000


def state_column(name: str) -> str:
    # Not `state_`: those were arrays, which tables that are older still have.
    return f"packed_{name}"


def rolled(batches: Iterable[pa.RecordBatch], layouts: Sequence[Layout], since: int | None, as_of: int) -> Iterator[pa.RecordBatch]:
    """Grain: customer_key with a row; one column per wanted measure, one packed state per layout.

    batches: rows of features.stream.ROW_DDL with a packed `state`, sorted by customer, of the as-of day's owner; states are as of `since`. Days since
    1970-01-01.
    """
    for rows in whole_customers(batches):
        for part in parts(rows, customers=CUSTOMERS):
            yield from _rolled(part, layouts, since, as_of)


def _rolled(rows: pa.RecordBatch, layouts: Sequence[Layout], since: int | None, as_of: int) -> Iterator[pa.RecordBatch]:
    customers, who = np.unique(rows.column("customer_key").to_numpy(), return_inverse=True)
    has_state = np.zeros(len(customers), dtype=bool)
    has_state[who[rows.column("source").to_numpy() >= len(layouts)]] = True
    for is_known in (True, False):
        mine = np.flatnonzero(has_state == is_known)
        if len(mine):
            of_mine = rows.filter(pa.array(has_state[who] == is_known))
            yield _of_one_day(of_mine, customers[mine], layouts, since if is_known else None, as_of)


def _of_one_day(rows: pa.RecordBatch, customers: Integers, layouts: Sequence[Layout], since: int | None, as_of: int) -> pa.RecordBatch:
    """Customers whose states are all as of `since`, or who all have none."""
    who = np.searchsorted(customers, rows.column("customer_key").to_numpy())
    source, day = (rows.column(name).to_numpy().astype(np.int64) for name in ("source", "day"))
    order = in_order(who, source, day)
    found: dict[str, pa.Array] = {"customer_key": pa.array(customers)}
    states: dict[str, pa.Array] = {}
    for position, layout in enumerate(layouts):
        mine = order[source[order] == position]
        tiles = Rows(who[mine], day[mine], tile_columns(rows.column("tile"), mine, layout.columns))
        tiles = one_per_day(tiles, {column.name: column.merge for column in layout.source.columns})
        before = rolling.nothing(layout, len(customers))
        if since is not None:
            before = packed.unpack(layout, _by_customer(rows, source == len(layouts) + position, who, len(customers)), since)
        state = rolling.rolled(layout, before, tiles, len(customers), as_of)
        told = answers.Told(layout, state, len(customers))
        found |= {item.column: measure_array(answers.answer(told, item), item) for item in layout.wanted}
        states[state_column(layout.source.name)] = packed.pack(layout, state, len(customers))
    return pa.RecordBatch.from_pydict(found | states)


def _by_customer(rows: pa.RecordBatch, is_state: np.ndarray, who: Integers, customers: int) -> pa.BinaryArray:
    """The packed states in the order of customers; empty for who has none of this source."""
    offsets, values = packed.as_integers(rows.column("state").filter(pa.array(is_state)))
    lengths = np.zeros(customers, dtype=np.int64)
    lengths[who[is_state]] = np.diff(offsets)
    # Rows are sorted by customer: so are the states.
    return packed.as_bytes(np.append(0, np.cumsum(lengths)), values[offsets[0] : offsets[-1]])
