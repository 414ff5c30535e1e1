"""Row rules on conformed rows: each rule is one boolean column, computed once, which both Great Expectations and the
quarantine split read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from expectations.contracts.types import IS_DELETED, RowRule
from jobs import frames, tables
from jobs.ingest.expressions import RAW
from jobs.ingest.reading import AT, BLOCK, CORRUPT, FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from decimal import Decimal

    from pyspark.sql import DataFrame

    from conf.waivers import Waiver
    from jobs.ingest.plan import TargetPlan

FLAG = "rule__"
REPLACEMENT = "\ufffd"  # what a decoder puts where bytes mean nothing
CONVERSIONS = frozenset({"to_day", "to_instant", "to_minor", "try_cast", "cast", "entity_key"})
DIFFERING = "copies_differ__"
BROKEN = "broken__"
IS_COPY = "is_copy__"
IS_QUARANTINED, IS_DUPLICATE, RECORD = "is_quarantined", "is_duplicate", "record__"

REPEATED = RowRule(
    id="key_repeated_differently", offends=DIFFERING, because="a key that comes twice in one delivery must say the same both times"
)


def rules_of(plan: TargetPlan, waivers: Sequence[Waiver] = ()) -> tuple[RowRule, ...]:
    """Every row rule of a feed × target: readability first, then the contract's, then the key's; waived ones left out."""
    texts = ", ".join(f"`{RAW}{name}`" for name in plan.feed.columns)
    readable = RowRule(
        id="unreadable_row", offends=f"{CORRUPT} is not null or instr(concat_ws('', {texts}), '{REPLACEMENT}') > 0",
        because="a row must have the declared columns and be written in the declared encoding",
    )  # fmt: skip
    rules = (readable, *_promised(plan), REPEATED)
    waived = {waiver.check for waiver in waivers if waiver.type == "does_not_apply" and waiver.feed in {"*", plan.feed_name}}
    return tuple(rule for rule in rules if rule.id not in waived)


def _promised(plan: TargetPlan) -> list[RowRule]:
    """The columns' rules, then the table's; of a row whose key is deleted only those of the key itself hold."""
    always = {rule for column in plan.told if column.name in {*plan.table.key, IS_DELETED.name} for rule in column.row_rules()}
    rules = [*(rule for column in plan.told for rule in column.row_rules()), *plan.table.rules, *_unreadable_values(plan)]
    if not plan.tells_deleted:
        return rules
    return [rule if rule in always else replace(rule, offends=f"{IS_DELETED.name} is not true and ({rule.offends})") for rule in rules]


def _unreadable_values(plan: TargetPlan) -> Iterable[RowRule]:
    """An optional value whose text is there but can't be read: without a rule it would quietly become null."""
    for column in plan.table.columns:
        expanded = plan.columns[column.name]
        if not column.nullable or column.type == "string" or not expanded.raw or not expanded.calls & CONVERSIONS or expanded.lookups:
            continue
        given = " and ".join(f"`{RAW}{name}` is not null" for name in sorted(expanded.raw))
        yield RowRule(
            id=f"{column.name}_unreadable", offends=f"{column.name} is null and {given}",
            because=f"{column.name} must be readable as {column.type} where it is given",
        )  # fmt: skip


def flagged(conformed: DataFrame, plan: TargetPlan, rules: Sequence[RowRule]) -> tuple[DataFrame, DataFrame]:
    """Grain: delivered row. Target columns, place, one boolean per rule, is_quarantined, is_duplicate, record__.
    And the frame that these stand on, which is made: to be released.

    Copies of a key within a delivery: with different content all break key_repeated_differently; of equal ones the first
    sound one is kept. The record (JSON, personal columns as hashes) is there for quarantined rows only: delivered text and
    the secret are never among the rows that are made, which Spark may put on disk. Only keys that do come twice are sorted.
    """
    from pyspark.sql import functions as F

    columns = [column.name for column in plan.told]
    alone = [rule for rule in rules if rule is not REPEATED]
    flags = {f"{FLAG}{rule.id}": F.coalesce(F.expr(rule.offends), F.lit(False)) for rule in alone}
    rows = conformed.withColumns({**flags, "amount__": F.expr(_amount(plan))})
    rows = rows.withColumn(BROKEN, F.expr(" or ".join(f"{FLAG}{rule.id}" for rule in alone)))
    kept = [*columns, FILE, BLOCK, AT, "delivered_for", "produced_at", *flags, "amount__", BROKEN]
    record = F.expr(_record(plan))
    told, made = _copies_told(
        frames.made(rows.select(*kept, F.when(F.col(BROKEN), record).alias(RECORD))), lambda: rows.select(*kept, record.alias(RECORD)), plan
    )
    quarantined = F.col(BROKEN) | F.col(DIFFERING) if REPEATED in rules else F.col(BROKEN)
    judged = (
        told.withColumns({f"{FLAG}{REPEATED.id}": F.col(DIFFERING)} if REPEATED in rules else {})
        .withColumn(IS_QUARANTINED, quarantined)
        .withColumn(IS_DUPLICATE, ~F.col(IS_QUARANTINED) & F.col(IS_COPY))
        .withColumn(RECORD, F.when(F.col(IS_QUARANTINED), F.col(RECORD)))
        .select(
            *columns, FILE, BLOCK, AT, "delivered_for", "produced_at", *(f"{FLAG}{rule.id}" for rule in rules),
            IS_QUARANTINED, IS_DUPLICATE, "amount__", RECORD,
        )
    )  # fmt: skip
    return judged, made


def _copies_told(rows: DataFrame, recorded: Callable[[], DataFrame], plan: TargetPlan) -> tuple[DataFrame, DataFrame]:
    """Made rows with is_copy__ (not the first of its key and delivery, sound ones before others) and copies_differ__ (in
    content); and the made frame these stand on, another one where a key does come twice.

    recorded: the same rows, all of them with their record; they are read again for the keys that come twice.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    key = [*plan.table.key, "delivered_for"]
    alone = {IS_COPY: F.lit(False), DIFFERING: F.lit(False)}
    twice = rows.groupBy(*key).count().where("count > 1").select(*key).dropna()
    if twice.isEmpty():
        return rows.withColumns(alone), rows
    copies = Window.partitionBy(*key).orderBy(BROKEN, FILE, AT)
    whole = copies.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    content = tables.observed_hash(rows, [column.name for column in plan.table.columns])
    compared = recorded().join(twice, on=key, how="left_semi").withColumns(
        {IS_COPY: F.row_number().over(copies) > 1, DIFFERING: F.min(content).over(whole) != F.max(content).over(whole)}
    )  # fmt: skip
    told = frames.made(rows.join(twice, on=key, how="left_anti").withColumns(alone).unionByName(compared))
    frames.release(rows)
    return told, told


def _amount(plan: TargetPlan) -> str:
    if not plan.feed.control_sum:
        return "cast(null as decimal(20,2))"
    control = f"`{RAW}{plan.feed.control_sum}`"
    amount = plan.functions.amount(control)
    # Of a deleted key only the key need be told.
    return f"case when {IS_DELETED.name} and {control} is null then 0 else {amount} end" if plan.tells_deleted else amount


def _record(plan: TargetPlan) -> str:
    """JSON of the delivered text. Personal columns become hashes; a line that could not be taken apart keeps its shape only."""
    hidden = "substr(sha2(concat(secret__, '|text|', {column}), 256), 1, 15)"
    parts = []
    for name in plan.feed.columns:
        column = f"`{RAW}{name}`"
        parts.append(f"{hidden.format(column=column) if name in plan.feed.personal else column} as `{name}`")
    shape = rf"regexp_replace(regexp_replace({CORRUPT}, '\\p{{L}}', 'x'), '[0-9]', '9')"
    parts.append(f"{shape if plan.feed.personal else CORRUPT} as `_line`")
    return f"to_json(struct({', '.join(parts)}))"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What one file gave for one delivery × target. deleted: sound rows that say that their key is deleted. newest: latest business date of a sound row."""

    business_date: date
    file: str
    rows_in: int
    quarantined: int
    duplicates: int
    deleted: int
    amount: Decimal | None
    unread_amounts: int
    newest: date | None


def count(rows: DataFrame, plan: TargetPlan) -> list[Counted]:
    """One pass over flagged rows. Grain: business date × file that has rows."""
    from pyspark.sql import functions as F

    newest = F.max(F.when(~F.col(IS_QUARANTINED), F.col(plan.table.date))) if plan.table.date else F.lit(None).cast("date")
    deleted = F.col(IS_DELETED.name) & ~F.col(IS_QUARANTINED) & ~F.col(IS_DUPLICATE) if plan.tells_deleted else F.lit(False)
    counted: list[Any] = (
        rows.groupBy("delivered_for", FILE).agg(
            F.count(F.lit(1)).alias("rows_in"), F.count_if(IS_QUARANTINED).alias("quarantined"), F.count_if(IS_DUPLICATE).alias("duplicates"),
            F.count_if(deleted).alias("deleted"),
            F.sum("amount__").alias("amount"), F.count_if(F.col("amount__").isNull()).alias("unread_amounts"), newest.alias("newest"),
        ).collect()
    )  # fmt: skip
    return [
        Counted(
            business_date=row["delivered_for"], file=row[FILE], rows_in=row["rows_in"], quarantined=row["quarantined"],
            duplicates=row["duplicates"], deleted=row["deleted"], amount=row["amount"], unread_amounts=row["unread_amounts"], newest=row["newest"],
        )
        for row in counted
    ]  # fmt: skip
