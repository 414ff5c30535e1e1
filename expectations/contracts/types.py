"""What a table promises: plain frozen data, readable by DAGs and generators without importing Spark.

One declaration, many uses: the reader's schema, the Great Expectations suite, the quarantine split, the
published ODCS contract and the data dictionary are all derived from these values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """What follows when a rule is broken."""

    QUARANTINE = "quarantine"  # the row is set aside with its reason, the rest goes on
    STOP = "stop"  # nothing of this delivery is written, exit 20
    WARN = "warn"  # written, and reported


class Write(StrEnum):
    """How a table may be written; jobs.tables has one engine for each."""

    INTERVALS = "intervals"  # key × [from, to): SCD2 by business date, or known intervals by known_at
    REPLACE = "replace"  # a slice (dates, versions) is compared and replaced
    REVISIONS = "revisions"  # key × as_of_date × revision, appended when different from the last one
    CHANGED = "changed"  # one row per key, touched only where its content hash differs
    APPEND = "append"  # facts, exactly once per (job, partition, generation)


class Sensitivity(StrEnum):
    """Classes of JR/T 0171-2020."""

    C1 = "C1"  # internal
    C2 = "C2"  # identity, balances, transactions
    C3 = "C3"  # credentials, biometrics: never stored here


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """A promise about one row. `offends` is Spark SQL, true for a row that breaks it; null counts as kept."""

    id: str
    offends: str
    because: str
    severity: Severity = Severity.QUARANTINE


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: Spark DDL type, meaning, and the constraints that a row must keep."""

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = True
    one_of: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    sensitivity: Sensitivity = Sensitivity.C1
    is_content: bool = True  # false: carried along (dates, versions), a change of it alone is no change of the row

    def row_rules(self) -> tuple[RowRule, ...]:
        """The row rules that this column's constraints stand for; ids are `<column>_<constraint>`."""
        rules = []
        if not self.nullable:
            rules.append(
                RowRule(
                    id=f"{self.name}_missing",
                    offends=f"{self.name} is null",
                    because=f"{self.name} must have a value that can be read as {self.type}",
                )
            )
        if self.one_of:
            values = ", ".join(f"'{value}'" for value in self.one_of)
            rules.append(
                RowRule(
                    id=f"{self.name}_unknown",
                    offends=f"{self.name} not in ({values})",
                    because=f"{self.name} must be one of {list(self.one_of)}",
                )
            )
        if self.minimum is not None:
            rules.append(
                RowRule(
                    id=f"{self.name}_too_small",
                    offends=f"{self.name} < {self.minimum}",
                    because=f"{self.name} must be at least {self.minimum}",
                )
            )
        if self.maximum is not None:
            rules.append(
                RowRule(
                    id=f"{self.name}_too_large",
                    offends=f"{self.name} > {self.maximum}",
                    because=f"{self.name} must be at most {self.maximum}",
                )
            )
        return tuple(rules)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The two columns that bound an image's life: valid_* for business time (DATE), known_* for system time."""

    start: str
    end: str
    type: str


# What a delivery may say of a row beside the columns of a table with intervals. Such an image holds its key and nothing else, ends where it
# begins, so that no reader finds it in force, and has this row_hash.
IS_DELETED = Column(
    name="is_deleted", type="boolean", description="The key is not (any more): nothing else of the row counts", nullable=False
)
DELETED_HASH = 0
VALID = Interval(start="valid_from", end="valid_to", type="date")
KNOWN = Interval(start="known_from", end="known_to", type="timestamp")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One Delta table.

    key: columns that identify a row (within the interval, date or revision that `write` adds).
    date: the business or as-of date that `month` partitions and range reads prune on.
    counts_from: SQL of the first business date that a row says something of; None: its `date`.
    closing: columns that only say how what the row tells has ended, and nothing of the days before the first of them.
    history_days: how long earlier versions and the change feed are promised; None: as long as conf keeps files.
    """

    layer: str
    name: str
    title: str
    title_zh: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    write: Write
    interval: Interval | None = None
    date: str | None = None
    counts_from: str | None = None
    closing: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    owner: str = "customer-intelligence"
    restricted: bool = False
    change_feed: bool = False
    history_days: int | None = None
    technical: tuple[Column, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [column.name for column in self.all_columns]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"[{self.full_name}] declares {repeated} more than once")
        unknown = sorted({*self.key, *self.partition_by, *self.closing, *([self.date] if self.date else [])} - set(names))
        if unknown:
            raise ValueError(f"[{self.full_name}] has no column {unknown}; it has {names}")

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Declared columns, then those that the way of writing adds, in stored order."""
        return (*self.columns, *self.added_columns)

    @property
    def added_columns(self) -> tuple[Column, ...]:
        added: list[Column] = []
        if "month" in self.partition_by and not any(c.name == "month" for c in self.columns):
            added.append(Column(name="month", type="int", description=f"yyyymm of {self.date}", unit="yyyymm"))
        if self.interval:
            kind = "business validity" if self.interval == VALID else "the bank's knowledge"
            added += [
                Column(name=self.interval.start, type=self.interval.type, description=f"Start of {kind}, inclusive"),
                Column(
                    name=self.interval.end,
                    type=self.interval.type,
                    description=f"End of {kind}, exclusive; null: current; its start: the key is deleted",
                ),
                Column(
                    name="confirmed",
                    type=f"array<{self.interval.type}>",
                    description="Later starts of deliveries that said the same; null: none",
                ),
            ]
        if self.write is Write.REVISIONS:
            added += [
                Column(name="revision", type="int", description="0 as first published, then one more for every correction", nullable=False),
                Column(name="known_at", type="timestamp", description="When this revision could be known, UTC", nullable=False),
            ]
        if self.write is Write.CHANGED:
            added.append(Column(name="updated_at", type="timestamp", description="Last change of the content, UTC", nullable=False))
        if self.interval or self.write in {Write.CHANGED, Write.REVISIONS}:
            withdrawn = "; null: the row is withdrawn, without content" if self.write is Write.REVISIONS else ""
            deleted = f"; {DELETED_HASH}: the key is deleted, without content" if self.interval else ""
            added.append(Column(name="row_hash", type="bigint", description=f"xxhash64 of the content columns{withdrawn}{deleted}"))
        return (*added, *self.technical)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.all_columns)

    @property
    def content(self) -> tuple[str, ...]:
        """Columns whose change is a change of the row: neither key, nor interval, nor technical, nor carried along."""
        return tuple(c.name for c in self.columns if c.is_content and c.name not in self.key)

    @property
    def ddl(self) -> str:
        return ", ".join(f"{column.name} {column.type}" for column in self.all_columns)

    @property
    def row_rules(self) -> tuple[RowRule, ...]:
        """Every promise about one row: from the columns first, then the table's business rules."""
        return (*(rule for column in self.columns for rule in column.row_rules()), *self.rules)
