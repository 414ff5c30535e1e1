"""Delta tables in DuckDB: the Parquet files that a table's log names, read without a JVM."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

import duckdb

from jobs.errors import ConfigurationError, DataRejectedError, InputNotReadyError, InvariantError
from jobs.tables_log import added, lacking, location, log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from conf.settings import Settings
    from expectations.contracts.types import Table

LENGTH = 300
# DuckDB's way to say it, and the kernel's.
OVERFLOW = re.compile(r"[Oo]verflow|is out of range|may not fit 64 bits")
DUCKDB = {"long": "bigint", "string": "varchar"}


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own, in memory, that says nothing: a progress bar would be among a command's output.

    Raises as jobs.build.declarations does of Spark's failures: DataRejectedError for a sum beyond 64 bits, ConfigurationError for another
    expression that fails, InvariantError for files that a table's log names and that are not there.
    """
    try:
        with duckdb.connect() as connection:
            connection.execute("set enable_progress_bar = false")
            yield connection
    except duckdb.IOException as error:
        raise InvariantError(
            f"A table lacks files that its log names, or they can't be read: {_said(error)}; ask again, and if it stays so restore them, or "
            "build their dates again with `kequn features --from DATE --to DATE --force`"
        ) from error
    except (OverflowError, duckdb.DataError) as error:
        if not OVERFLOW.search(str(error)):
            raise ConfigurationError(
                f"An expression of features/ fails on these facts: {_said(error)}; guard it, as features.finish.ratio does"
            ) from error
        raise DataRejectedError(
            f"A sum does not fit 64 bits: {_said(error)}; look for such amounts in the core tables and quarantine them"
        ) from error


def _said(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")[:LENGTH]


def relation(settings: Settings, table: Table, columns: Iterable[str], *, first: date | None = None, last: date | None = None) -> str:
    """SQL of the table's rows in files that may hold dates from first to last: to be read from, not yet filtered.

    Raises InputNotReadyError when the table or a column does not exist, or it holds nothing of these dates.
    """
    opened = log(settings, table)
    if opened is None:
        raise InputNotReadyError(f"Table [{table.full_name}] does not exist under [{settings.warehouse}]; run the job that writes it first")
    columns = list(columns)
    if missing := lacking(opened, columns):
        raise InputNotReadyError(f"Table [{table.full_name}] has no columns {missing} yet; run the job that writes it first")
    files = opened.get_add_actions(flatten=True)
    lows, highs = (_bounds(files, f"{edge}.{table.date}") for edge in ("min", "max"))
    paths = [
        f"{location(settings, table)}/{unquote(path)}" for path, low, high in zip(files.column("path").to_pylist(), lows, highs, strict=True)
        if (last is None or low is None or low <= last) and (first is None or high is None or high >= first)
    ]  # fmt: skip
    if not paths:
        between = f" of [{first}] to [{last}]" if first or last else ""
        raise InputNotReadyError(f"Table [{table.full_name}] holds nothing{between}; run the job that writes it first")
    named = ", ".join(f'"{name}"' for name in columns)
    if later := added(opened, columns):
        # Older files are without these columns, and it may be that all of them are.
        nulls = ", ".join(f'cast(null as {DUCKDB.get(type_, type_)}) as "{name}"' for name, type_ in later.items())
        rows = f"(select {nulls} limit 0) union all by name from read_parquet({[*map(str, paths)]}, hive_partitioning = false, union_by_name = true)"
        return f"(select {named} from (from {rows}))"
    return f"(select {named} from read_parquet({[*map(str, paths)]}, hive_partitioning = false))"


def relation_or_empty(
    settings: Settings, table: Table, columns: Iterable[str], *, first: date | None = None, last: date | None = None
) -> str:
    """Like `relation`, with no rows where the table does not exist yet or holds nothing of these dates."""
    try:
        return relation(settings, table, columns, first=first, last=last)
    except InputNotReadyError:
        types = {column.name: column.type for column in table.all_columns}
        return "(select " + ", ".join(f'cast(null as {types[name]}) as "{name}"' for name in columns) + " where false)"


def _bounds(files: object, name: str) -> list[date | None]:
    """A statistic per file; None where the log does not tell."""
    return files.column(name).to_pylist() if name in files.column_names else [None] * files.num_rows  # type: ignore[attr-defined]
