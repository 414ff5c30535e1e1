"""A mapping held against the contracts: for every target column its Spark SQL, and the order to compute them in."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conf import sources
from conf.settings import SettingsError
from expectations.contracts import core
from expectations.contracts.types import IS_DELETED
from jobs.errors import ConfigurationError
from jobs.ingest import expressions
from jobs.ingest.functions import SIGNATURES, Functions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conf.sources import Feed, SourceMapping
    from expectations.contracts.types import Column, Table
    from jobs.ingest.expressions import Expanded, Lookup

TABLES: Mapping[str, Table] = {table.full_name: table for table in core.TABLES}
# Besides delivered and target columns an expression or a rule may name these.
GIVEN = ("delivered_for", "produced_at")
KNOWN_CUSTOMER = "customer_is_known"


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """How a feed's rows become rows of one table: levels of columns, each standing on the ones before."""

    mapping: str
    feed_name: str
    feed: Feed
    table: Table
    functions: Functions
    written: Mapping[str, str]
    columns: Mapping[str, Expanded]
    levels: tuple[tuple[str, ...], ...]

    @property
    def told(self) -> tuple[Column, ...]:
        """What is computed of a delivered row: the table's columns, and where the mapping tells it whether the key `is_deleted`."""
        return (*self.table.columns, IS_DELETED) if self.tells_deleted else self.table.columns

    @property
    def tells_deleted(self) -> bool:
        return IS_DELETED.name in self.columns

    @property
    def place(self) -> str:
        return f"conf/sources/{self.mapping}.yml: {self.feed_name} -> {self.table.full_name}"

    @property
    def lookups(self) -> frozenset[Lookup]:
        return frozenset(lookup for column in self.columns.values() for lookup in column.lookups)

    @property
    def asks_for_customer(self) -> bool:
        """Whether a rule of the table needs to know if the customer is there."""
        return any(KNOWN_CUSTOMER in expressions.names_in(rule.offends) for rule in self.table.rules)

    @property
    def stands_on_reference(self) -> bool:
        return bool(self.lookups) or self.asks_for_customer


def read_mapping(name: str) -> SourceMapping:
    """The mapping of a source. Raises ConfigurationError."""
    try:
        return sources.load(name)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error


def targets(mapping: SourceMapping, group: str) -> tuple[TargetPlan, ...]:
    """Every feed × target of a task group. Raises ConfigurationError naming what there is."""
    return tuple(_planned(mapping, name, feed, table) for name, feed in mapping.of_group(group).items() for table in feed.targets)


def _planned(mapping: SourceMapping, feed_name: str, feed: Feed, table_name: str) -> TargetPlan:
    place = f"conf/sources/{mapping.source}.yml: {feed_name} -> {table_name}"
    table = _table(table_name, place)
    written = feed.targets[table_name].columns
    _same_columns(written, table, place)
    functions = Functions.of(mapping, feed)
    expanded = {}
    for column, text in written.items():
        try:
            expanded[column] = expressions.expand(text, raw=feed.columns, functions=functions)
        except ConfigurationError as error:
            raise ConfigurationError(f"[{place}]: column [{column}]: {error}; functions are {described_functions()}") from error
    return TargetPlan(
        mapping=mapping.source, feed_name=feed_name, feed=feed, table=table, functions=functions, written=written, columns=expanded,
        levels=_levels(expanded, place),
    )  # fmt: skip


def described_functions() -> list[str]:
    return [f"{name}({', '.join(arguments)})" for name, arguments in SIGNATURES.items()]


def _table(name: str, place: str) -> Table:
    if name not in TABLES:
        near = difflib.get_close_matches(name, TABLES, n=1)
        raise ConfigurationError(f"[{place}]: no table [{name}]; {f'did you mean {near}? ' if near else ''}there are {sorted(TABLES)}")
    return TABLES[name]


def _same_columns(written: Mapping[str, str], table: Table, place: str) -> None:
    declared = [column.name for column in table.columns]
    unknown, missing = sorted(set(written) - {*declared, IS_DELETED.name}), sorted(set(declared) - set(written))
    if unknown or missing:
        raise ConfigurationError(
            f"[{place}]: unknown columns {unknown}, columns without expression {missing}; the table has {declared}, "
            f"and [{IS_DELETED.name}] may be told beside them"
        )


def _levels(columns: Mapping[str, Expanded], place: str) -> tuple[tuple[str, ...], ...]:
    """Columns in the order of what they stand on. Raises ConfigurationError for a circle."""
    needs = {name: set(expanded.names & set(columns)) - {name} for name, expanded in columns.items()}
    levels: list[tuple[str, ...]] = []
    done: set[str] = set()
    while len(done) < len(columns):
        ready = tuple(name for name in columns if name not in done and needs[name] <= done)
        if not ready:
            raise ConfigurationError(f"[{place}]: columns {sorted(set(columns) - done)} stand on each other in a circle")
        levels.append(ready)
        done |= set(ready)
    return tuple(levels)
