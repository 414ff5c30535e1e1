"""A spine: whom and when a training set is about, from wherever it comes.

Columns: customer_key, and as_of_date (a business date, seen whole) or timestamp (an instant with a zone, which sees the last
business date that was over by then); any others are carried along.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jobs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from conf.sources import SourceMapping

CUSTOMER, DAY, INSTANT = "customer_key", "as_of_date", "timestamp"
SHOWN = 5


@dataclass(frozen=True)
class Spine:
    """rows: as given, in its order. days: per row the as-of date that it sees, as a dictionary of the dates there are."""

    rows: pa.Table
    days: pa.DictionaryArray


def taken(given: Any, mapping: SourceMapping, *, reserved: Collection[str] = ()) -> Spine:
    """The spine of an Arrow table, a pandas, Polars or Spark frame, or a file (.parquet, .csv; a folder is a Delta table).

    Raises UsageError for missing columns, null keys or times (which rows), a timestamp without a zone, and for columns that are
    called as features are (`reserved`).
    """
    rows = _arrow(given)
    _expect_columns(rows, reserved)
    _expect_no_nulls(rows)
    return Spine(rows, _days(rows, mapping))


def last_whole_day(at: datetime, mapping: SourceMapping) -> date:
    """The last business date that was over at an instant, by the bank's zone and cut-off."""
    hours, minutes = (int(part) for part in mapping.cut_off.split(":"))
    shift = timedelta(hours=24) - timedelta(hours=hours, minutes=minutes)
    local = at.astimezone(ZoneInfo(mapping.time_zone)).replace(tzinfo=None)
    return (local + shift).date() - timedelta(days=1)


def _arrow(given: Any) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if isinstance(given, str | Path):
        return _of_file(Path(given))
    if isinstance(given, pd.DataFrame):
        return pa.Table.from_pandas(given, preserve_index=False)
    for door in ("toArrow", "to_arrow"):  # Spark's, Polars'
        if hasattr(given, door):
            found: pa.Table = getattr(given, door)()
            return found
    if isinstance(given, pa.Table):
        return given
    raise UsageError(f"A spine can't be a [{type(given).__name__}]; give a pandas, Polars, Arrow or Spark frame, or a file")


def _of_file(path: Path) -> pa.Table:
    import pyarrow.csv
    import pyarrow.parquet as pq
    from deltalake import DeltaTable

    if not path.exists():
        raise UsageError(f"There is no spine [{path}]")
    if path.is_dir():
        return DeltaTable(path).to_pyarrow_table()
    return pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


def _expect_columns(rows: pa.Table, reserved: Collection[str]) -> None:
    import pyarrow as pa

    names = rows.column_names
    if CUSTOMER not in names or (DAY in names) == (INSTANT in names):
        raise UsageError(f"A spine needs the column [{CUSTOMER}] and either [{DAY}] or [{INSTANT}]; this one has {names}")
    if not pa.types.is_integer(rows.schema.field(CUSTOMER).type):
        raise UsageError(f"The spine's [{CUSTOMER}] is [{rows.schema.field(CUSTOMER).type}]; it has to be the integer of core.customer")
    taken_twice = sorted(set(names) & set(reserved))
    if taken_twice:
        raise UsageError(f"The spine has columns {taken_twice}, which the training set adds; rename them")


def _expect_no_nulls(rows: pa.Table) -> None:
    for name in (CUSTOMER, DAY if DAY in rows.column_names else INSTANT):
        empty = [position for position, value in enumerate(rows.column(name).is_null().to_pylist()) if value]
        if empty:
            raise UsageError(
                f"The spine has no [{name}] in [{len(empty)}] of [{rows.num_rows}] rows, such as {empty[:SHOWN]} (counted from 0)"
            )


def _days(rows: pa.Table, mapping: SourceMapping) -> pa.DictionaryArray:
    import pyarrow as pa

    if DAY in rows.column_names:
        kind = rows.schema.field(DAY).type
        if not pa.types.is_date(kind):
            raise UsageError(f"The spine's [{DAY}] is [{kind}]; a business date is a date, an instant belongs in a column [{INSTANT}]")
        return _encoded(rows.column(DAY).cast(pa.date32()))
    kind = rows.schema.field(INSTANT).type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise UsageError(
            f"The spine's [{INSTANT}] is [{kind}], without a zone; give instants, such as .dt.tz_localize('{mapping.time_zone}')"
        )
    # Microseconds, so that pandas' nanoseconds become datetimes too.
    instants = _encoded(rows.column(INSTANT).cast(pa.timestamp("us", tz="UTC"), safe=False))
    days = [last_whole_day(at.replace(tzinfo=UTC), mapping) for at in instants.dictionary.to_pylist()]
    return _encoded(pa.array(days, pa.date32()).take(instants.indices))


def _encoded(values: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    import pyarrow as pa

    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.dictionary_encode()
