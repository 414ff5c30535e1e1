"""Month tiles after nights: in step with core tables, made of no more than has to be, and what a life to date is told from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import pytest

from conf.settings import Settings
from expectations.contracts import core
from features import catalogue, engine
from features.operations import Span
from features.spec import Empty, Feature
from jobs import tables
from jobs.build import tile_store
from jobs.build.facts import Facts
from jobs.build.wide import wide_features
from jobs.context import JobContext
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build

Contexts = Callable[..., JobContext]

TRANSACTION = catalogue.TILED[0]
MONTHS = next(source for source in catalogue.OF_MONTHS if source.days is TRANSACTION)
RHYTHM = next(group for group in catalogue.GROUPS if group.name == "rhythm")
SPENT = Feature(
    name="spent", title="Spent", title_zh="支出", description="Debits", unit="minor units", type="bigint", sql="transaction_out_{w}",
    windows=(30, Span.MTD, Span.LTD), empty_means=Empty.ZERO,
)  # fmt: skip
DAYS = replace(SPENT, name="days", sql="transaction_active_days_{w}")
LARGEST = replace(SPENT, name="largest", sql="transaction_largest_out_{w}", empty_means=Empty.UNKNOWN)
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": "account_key\n1\n2",
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | customer_key | business_date | amount
        a              | 1            | 2024-02-29    | 1000
        b              | 1            | 2025-12-31    | 100
        c              | 1            | 2026-01-31    | 10
        d              | 2            | 2026-01-05    | 7
    """,
}  # fmt: skip
HEAD = "transaction_id | customer_key | business_date | amount\n"
JAN_31, FEB_01, FEB_02, MAR_02 = date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), date(2026, 3, 2)


def months_in_core(context: JobContext) -> list[tuple]:
    """Customer, first day after the month, debits, largest of them, days, transactions: of months that are over."""
    facts = tables.current(tables.read(context, core.TRANSACTION), core.TRANSACTION)
    facts.createOrReplaceTempView("facts_of_months")
    return sorted(
        map(tuple, context.spark.sql("""
            select customer_key, trunc(add_months(business_date, 1), 'month') as after, sum(amount_base_minor), max(amount_base_minor),
                   count(distinct business_date), count(*)
            from facts_of_months group by customer_key, after
        """).collect())
    )  # fmt: skip


def months_stored(context: JobContext) -> list[tuple]:
    told = ("customer_key", "business_date", "`out`", "largest_out", "bit_count(active_days)", "initiated_count")
    return sorted(map(tuple, tables.read(context, MONTHS.table).selectExpr(*told).collect()))


def spent(context: JobContext, day: date) -> list[tuple[int, ...]]:
    """Per customer the month and the life in units, days and the largest of the life."""
    names = ("spent_mtd", "spent_ltd", "days_ltd", "largest_ltd")
    rows = wide_features(context, [day], names=[f"rhythm__{name}" for name in names]).orderBy("customer_key").collect()
    return [(row[2] // 100, row[3] // 100, row[4], row[5] // 100) for row in rows]


def test_month_tiles_follow_core_tables_and_lives_are_told_of_them(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, [replace(RHYTHM, declared=(SPENT, DAYS, LARGEST))])
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    night = context_for("features", JAN_31)
    build(night)
    assert months_stored(night) == months_in_core(night) == [
        (1, date(2024, 3, 1), 100000, 100000, 1, 1), (1, date(2026, 1, 1), 10000, 10000, 1, 1), (1, FEB_01, 1000, 1000, 1, 1),
        (2, FEB_01, 700, 700, 1, 1),
    ]  # fmt: skip
    assert spent(night, JAN_31) == [(10, 1110, 3, 1000), (7, 7, 1, 7)]

    # The month turns: its first day is no other month's, and no month is over since.
    version = tables.version(settings, MONTHS.table)
    deliver(context_for("ingest", FEB_01), {"transactions": f"{HEAD}e | 1 | 2026-02-01 | 20"}, datetime(2026, 2, 1))
    night = context_for("features", FEB_01)
    build(night)
    assert tables.version(settings, MONTHS.table) == version
    assert spent(night, FEB_01) == [(20, 1130, 4, 1000), (0, 7, 1, 7)]

    # Late: of a month whose days are not stored any more, on a day that had one; and another amount of one that was told.
    late = f"{HEAD}f | 1 | 2024-02-29 | 2000\nd | 2 | 2026-01-05 | 9"
    deliver(context_for("ingest", FEB_02), {"transactions": late}, datetime(2026, 2, 2))
    night = context_for("features", FEB_02)
    build(night)
    in_february = [row for row in months_in_core(night) if row[1] > FEB_02]
    assert months_stored(night) == [row for row in months_in_core(night) if row not in in_february]
    assert spent(night, FEB_02) == [(20, 3130, 4, 2000), (0, 9, 1, 9)]
    assert spent(night, JAN_31) == [(10, 3110, 3, 2000), (9, 9, 1, 9)]

    # Nobody ran for a month: February is made of its days, and the others are left alone.
    deliver(context_for("ingest", MAR_02), {"transactions": f"{HEAD}g | 2 | 2026-03-02 | 1"}, datetime(2026, 3, 2))
    night = context_for("features", MAR_02)
    build(night)
    assert [row for row in months_stored(night) if row[1] == date(2026, 3, 1)] == in_february
    assert spent(night, MAR_02) == [(0, 3130, 4, 2000), (1, 10, 2, 9)]
    days = [JAN_31, FEB_01, FEB_02, MAR_02]
    rebuilt = engine.features_of(Facts(night, JAN_31, MAR_02).core(), days, catalogue.GROUPS)
    assert sorted(wide_features(night, days).collect()) == sorted(rebuilt.collect())

    # Trimmed day tiles take nothing away from a life.
    tables.log(settings, TRANSACTION.table).delete("business_date < '2026-02-01'")  # type: ignore[union-attr]
    stored = tile_store.recorded(settings)
    assert stored is not None
    assert (stored.true_until(settings, TRANSACTION), stored.true_until(settings, MONTHS)) == (date.min, MAR_02)
    kept = {source.name: tables.read(night, source.table) for source in (TRANSACTION, MONTHS)}
    found = engine.features_of(Facts(night, MAR_02, MAR_02).core(kept), [MAR_02], catalogue.GROUPS).collect()
    assert sorted(row["rhythm__spent_ltd"] // 100 for row in found) == [10, 3130]
