"""Writing what was judged, in this order: quarantine → data → the facts about both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from expectations.contracts import core, ops
from expectations.contracts.quarantine import quarantine_table
from expectations.contracts.types import VALID
from jobs import tables
from jobs.context import now
from jobs.errors import InvariantError
from jobs.ingest.checks import FLAG, IS_DUPLICATE, IS_QUARANTINED, RECORD
from jobs.ingest.reading import AT, BLOCK, FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from pyspark.sql import Column, DataFrame

    from jobs.context import JobContext
    from jobs.ingest.landing import Delivery
    from jobs.ingest.verdict import Verdict
    from jobs.tables import Written


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """One feed × business date × table: rows_in = inserted + updated + unchanged + duplicates + quarantined."""

    feed: str
    business_date: date
    target: str
    rows_in: int
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    quarantined: int

    def __post_init__(self) -> None:
        known = self.inserted + self.updated + self.unchanged + self.duplicates + self.quarantined
        if self.rows_in != known or min(self.inserted, self.updated, self.unchanged) < 0:
            raise InvariantError(f"[{self.feed}] of [{self.business_date}] does not reconcile with [{self.target}]: {self}")


# --- quarantine ---------------------------------------------------------------------------------------------------


def set_aside(context: JobContext, verdicts: Sequence[Verdict]) -> dict[str, Written]:
    """Append the rejected rows, one table per feed. Feeds without any write nothing."""
    by_feed: dict[str, list[DataFrame]] = {}
    for verdict in verdicts:
        if verdict.total("quarantined"):
            by_feed.setdefault(verdict.plan.feed_name, []).append(_rejected(context, verdict))
    return {
        feed: tables.append(context, quarantine_table(feed), reduce(lambda left, right: left.unionByName(right), frames))
        for feed, frames in by_feed.items()
    }


def _rejected(context: JobContext, verdict: Verdict) -> DataFrame:
    from pyspark.sql import functions as F

    rows, plan = verdict.flagged, verdict.plan
    flags = [name for name in rows.columns if name.startswith(FLAG)]
    broken = F.array_compact(F.array(*(F.when(F.col(flag), F.lit(flag.removeprefix(FLAG))) for flag in flags)))
    first = rows.where(F.col(BLOCK) == 0).groupBy(F.col(FILE).alias("in__")).agg(F.min(AT).alias("first__"))
    return (
        rows.where(IS_QUARANTINED).join(F.broadcast(first), on=F.col(FILE) == F.col("in__"), how="left")
        .select(
            F.lit(context.run_id).alias("run_id"), F.lit(plan.feed_name).alias("feed"), F.lit(plan.table.full_name).alias("target"),
            F.col("delivered_for").alias("business_date"), _place().alias("file"), _line(plan.feed.format).alias("line"), broken.alias("rules"),
            F.col(RECORD).alias("record"),
        )
    )  # fmt: skip


def _place() -> Column:
    """The file within the landing zone, as jobs.ingest.verdict.file_place."""
    from pyspark.sql import functions as F

    dated = F.regexp_extract(FILE, r"([^/]+/business_date=[^/]+/[^/]+)$", 1)
    return F.when(dated != "", dated).otherwise(F.substring_index(FILE, "/", -1))


def _line(format_: str) -> Column:
    """1 for the first line; of a file that is read in parts only the first part's rows know theirs."""
    from pyspark.sql import functions as F

    if format_ == "parquet":
        return F.col(AT) + 1
    before = {"csv": 2, "json": 1}[format_]
    return F.when(F.col(BLOCK) == 0, F.col(AT) - F.col("first__") + before)


# --- data ---------------------------------------------------------------------------------------------------------


def merge(context: JobContext, verdict: Verdict) -> Written:
    """Take the sound rows into the core table. Valid tables begin on the business date, known ones when it was produced."""
    from pyspark.sql import functions as F

    table = verdict.plan.table
    if verdict.total("rows_in") == verdict.total("quarantined"):
        tables.create(context, table)
        return tables.Written(table=table.full_name, version=tables.version(context.settings, table))
    sound = verdict.flagged.where(f"not {IS_QUARANTINED} and not {IS_DUPLICATE}")
    start = "delivered_for" if table.interval == VALID else "produced_at"
    assert table.interval is not None
    incoming = sound.select(*(column.name for column in verdict.plan.told), F.col(start).alias(table.interval.start))
    if table is core.CUSTOMER_IDENTITY:
        check_collisions(context, incoming)
    return tables.merge_intervals(context, table, incoming, part=verdict.plan.feed_name)


def check_collisions(context: JobContext, incoming: DataFrame) -> None:
    """Two source ids behind one key would make one person of two. Raises InvariantError."""
    from pyspark.sql import functions as F

    ids = incoming.select("customer_key", "source_system", "source_id")
    if tables.version(context.settings, core.CUSTOMER_IDENTITY) > 0:
        stored = (
            tables.read(context, core.CUSTOMER_IDENTITY)
            .where("source_id is not null")
            .join(ids.select("customer_key").distinct(), on="customer_key", how="left_semi")
        )
        ids = ids.unionByName(stored.select("customer_key", "source_system", "source_id"))
    one = F.concat_ws("|", "source_system", "source_id")
    collided = ids.groupBy("customer_key").agg(F.min(one).alias("low"), F.max(one).alias("high")).where("low <> high").limit(5).collect()
    if collided:
        raise InvariantError(
            f"Customer keys {[row['customer_key'] for row in collided]} stand for more than one source id; another key_secret avoids the collision"
        )


# --- facts --------------------------------------------------------------------------------------------------------


def reconciled(verdict: Verdict, written: Written) -> list[Reconciled]:
    """Per business date what became of every row. Raises InvariantError when a row is unaccounted for."""
    by_day: dict[date, list[int]] = {delivery.business_date: [0, 0, 0] for delivery in verdict.deliveries}
    for one in verdict.counted:
        rows = by_day.setdefault(one.business_date, [0, 0, 0])
        rows[0] += one.rows_in
        rows[1] += one.duplicates
        rows[2] += one.quarantined
    produced = {delivery.business_date: delivery for delivery in verdict.deliveries}
    return [
        _reconciled(verdict, day, counts, _classes(verdict, produced[day], written.by_start, counts))
        for day, counts in sorted(by_day.items())
    ]


def _classes(verdict: Verdict, delivery: Delivery, by_start: Mapping[str, Sequence[int]], counts: Sequence[int]) -> tuple[int, int, int]:
    """rows_in, inserted, unchanged of the sound rows; where nothing changed all of them are unchanged."""
    sound = counts[0] - counts[1] - counts[2]
    if not by_start:
        return sound, 0, sound
    start = str(delivery.business_date) if verdict.plan.table.interval == VALID else instant_text(delivery.produced_at)
    rows_in, inserted, unchanged = by_start.get(start, (0, 0, 0))
    return rows_in, inserted, unchanged


def instant_text(instant: datetime) -> str:
    """As Spark writes a timestamp in UTC."""
    from datetime import UTC

    text = f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return text.rstrip("0").rstrip(".")


def _reconciled(verdict: Verdict, day: date, counts: Sequence[int], classes: tuple[int, int, int]) -> Reconciled:
    rows_in, inserted, unchanged = classes
    return Reconciled(
        feed=verdict.plan.feed_name, business_date=day, target=verdict.plan.table.full_name, rows_in=counts[0], inserted=inserted,
        updated=rows_in - inserted - unchanged, unchanged=unchanged, duplicates=counts[1], quarantined=counts[2],
    )  # fmt: skip


def record_deliveries(context: JobContext, facts: Sequence[Reconciled]) -> Written:
    """Append to ops.delivery."""
    finished_at = now()
    rows = [
        (
            context.run_id, one.feed, one.business_date, one.target, one.rows_in, one.inserted, one.updated, one.unchanged, one.duplicates,
            one.quarantined, finished_at,
        )
        for one in facts
    ]  # fmt: skip
    return tables.record(context, ops.DELIVERY, rows)
