"""A spine: whom and when a training set is about, from wherever it comes.

Columns: customer_key, and as_of_date (a business date, seen whole) or timestamp (an instant with a zone, which sees the last
business date that was over by then); any others are carried along.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import catalogue
from jobs.build.wide import KEYS
from jobs.errors import UsageError
from jobs.serving import lake, published
from jobs.serving.published import Asked

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from conf.settings import Settings
    from conf.sources import SourceMapping
    from expectations.contracts.types import Table

CUSTOMER, DAY, INSTANT = "customer_key", "as_of_date", "timestamp"
SHOWN = 5


@dataclass(frozen=True)
class Spine:
    """rows: as given, in its order. days: per row the as-of date that it sees, as a dictionary of the dates there are."""

    rows: pa.Table
    days: pa.DictionaryArray


def taken(given: Any, mapping: SourceMapping, *, reserved: Collection[str] = ()) -> Spine:
    """The spine of an Arrow table, a pandas, Polars or Spark frame, or a file (.parquet, .csv; a folder is a Delta table).

    Raises UsageError for what can't be read, missing columns, null keys or times (which rows), a timestamp without a zone, and for
    columns that are called as features are (`reserved`) or alike: capitals make no difference.
    """
    rows = _arrow(given)
    _expect_columns(rows, reserved)
    _expect_no_nulls(rows)
    _expect_keys(rows)
    return Spine(rows, _days(rows, mapping))


def tables() -> dict[str, Table]:
    """Tables of the warehouse that may be a spine, by full name: those of labels, and of feature groups in all their versions."""
    labels = (label.table for label in catalogue.LABELS)
    return {table.full_name: table for table in (*labels, *(group.table for group in catalogue.versions()))}


def of_table(settings: Settings, name: str) -> pa.Table:
    """Of a label its rows, of a group's version whom and when it speaks of: customers and dates in this order.

    Raises InputNotReadyError when nothing is stored.
    """
    table, keys = tables()[name], ", ".join(KEYS)
    group = next((group for group in catalogue.versions() if group.table == table), None)
    names = [column.name for column in table.columns]
    rows = published.rows(settings, group, [], Asked()) if group else f"from {lake.relation(settings, table, names)}"
    with lake.connect() as connection:
        return connection.sql(f"from ({rows}) order by {keys}").to_arrow_table()


def last_whole_days(instants: pa.Array, mapping: SourceMapping) -> pa.Array:
    """Per instant the last business date that was over by then, by the bank's zone and cut-off."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hours, minutes = (int(part) for part in mapping.cut_off.split(":"))
    local = pc.local_timestamp(instants.cast(pa.timestamp("us", tz=mapping.time_zone), safe=False))
    # The next date begins at the cut-off, and of that the one before is over.
    since_cut_off = pc.subtract(local, pa.scalar(timedelta(hours=hours, minutes=minutes), pa.duration("us")))
    return pc.floor_temporal(since_cut_off, unit="day").cast(pa.date32())


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
    from deltalake.exceptions import DeltaError

    if not path.exists():
        near = difflib.get_close_matches(str(path), tables(), n=3, cutoff=0.4)
        raise UsageError(
            f"There is no spine [{path}]; name a file, the folder of a Delta table, or a table of labels or features, such as {near}"
        )
    try:
        if path.is_dir():
            return DeltaTable(path).to_pyarrow_table()
        return pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    except (DeltaError, pyarrow.ArrowException, OSError) as error:
        kind = "Delta table" if path.is_dir() else "CSV file" if path.suffix == ".csv" else "Parquet file"
        raise UsageError(
            f"The spine [{path}] can't be read as a {kind}: {_first_line(error)}; give a .parquet or .csv file, or the folder of a Delta table"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _expect_columns(rows: pa.Table, reserved: Collection[str]) -> None:
    names = rows.column_names
    if CUSTOMER not in names or (DAY in names) == (INSTANT in names):
        raise UsageError(
            f"A spine needs the column [{CUSTOMER}] and either [{DAY}] or [{INSTANT}]; this one has {names}; rename or add them"
        )
    added = {name.casefold() for name in reserved}
    taken_twice = sorted(name for name in names if name.casefold() in added)
    if taken_twice:
        raise UsageError(f"The spine has columns {taken_twice}, which the training set adds (capitals make no difference); rename them")
    alike = sorted(name for name, times in Counter(name.casefold() for name in names).items() if times > 1)
    if alike:
        raise UsageError(f"The spine has columns that are called alike: {alike} (capitals make no difference); rename or drop them")


def _expect_no_nulls(rows: pa.Table) -> None:
    for name in (CUSTOMER, DAY if DAY in rows.column_names else INSTANT):
        if rows.column(name).null_count:
            empty = [position for position, value in enumerate(rows.column(name).is_null().to_pylist()) if value]
            raise UsageError(
                f"The spine has no [{name}] in [{len(empty)}] of [{rows.num_rows}] rows, such as {empty[:SHOWN]} (counted from 0); "
                "drop these rows, or say whom and when they are about"
            )


def _expect_keys(rows: pa.Table) -> None:
    """Looked at after the nulls: whole numbers of which one is missing are floating ones to pandas."""
    import pyarrow as pa

    kind = rows.schema.field(CUSTOMER).type
    if not pa.types.is_integer(kind):
        raise UsageError(f"The spine's [{CUSTOMER}] is [{kind}]; it has to be the integer of core.customer, so cast it, such as to int64")


def _days(rows: pa.Table, mapping: SourceMapping) -> pa.DictionaryArray:
    import pyarrow as pa

    if DAY in rows.column_names:
        kind = rows.schema.field(DAY).type
        if not pa.types.is_date(kind):
            raise UsageError(
                f"The spine's [{DAY}] is [{kind}]; a business date is a date: cast it, or call a column of instants [{INSTANT}]"
            )
        return _encoded(rows.column(DAY).cast(pa.date32()))
    kind = rows.schema.field(INSTANT).type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise UsageError(
            f"The spine's [{INSTANT}] is [{kind}], without a zone, so that it could be any of twenty-four hours; give instants, such as by "
            f".dt.tz_localize('{mapping.time_zone}') in pandas"
        )
    return _encoded(last_whole_days(_whole(rows.column(INSTANT)), mapping))


def _encoded(values: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    return _whole(values).dictionary_encode()


def _whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    import pyarrow as pa

    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
