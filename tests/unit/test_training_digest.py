"""The digest of a training set: of its values, not of how they lie in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from jobs.serving.receipts import digest

ROWS = {
    "customer_key": pa.array([1, 2, 3]), "as_of_date": pa.array([date(2026, 1, day) for day in (1, 2, 3)]),
    "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")), "sum": pa.array([0.1, None, -2.5]),
    "is_new": pa.array([True, None, False]), "name": pa.array(["甲", None, ""]), "owed": pa.array([Decimal("1.10"), None, Decimal("2.00")]),
    "seen": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
}  # fmt: skip


def test_chunks_and_what_lies_under_a_null_do_not_count():
    rows = pa.table(ROWS)
    cut = pa.concat_tables([rows.slice(0, 1), rows.slice(1, 0), rows.slice(1)])
    under = pa.Array.from_buffers(pa.float64(), 3, [rows["sum"].chunk(0).buffers()[0], pa.py_buffer(np.array([0.1, 99.0, -2.5]))])
    assert digest(rows) == digest(cut) == digest(rows.set_column(3, "sum", under))
    assert digest(rows) == digest(pa.concat_tables([rows, rows]).slice(3))


@pytest.mark.parametrize("name", ROWS)
def test_every_value_counts_and_a_null_is_no_zero(name):
    rows = pa.table(ROWS)
    position = rows.column_names.index(name)
    found = {digest(rows)}
    for nth in range(3):
        values = rows[name].to_pylist()
        values[nth] = None if values[nth] is not None else values[0]
        found.add(digest(rows.set_column(position, name, pa.array(values, rows.schema.field(name).type))))
    assert len(found) == 4


def test_order_names_and_emptiness_count():
    rows = pa.table(ROWS)
    others = [rows.take([1, 0, 2]), rows.rename_columns([f"{name}_" for name in rows.column_names]), rows.slice(0, 0), rows.slice(0, 2)]
    assert len({digest(one) for one in [rows, *others]}) == 5
    assert digest(rows.slice(0, 0)) == digest(pa.Table.from_batches([], rows.schema))
