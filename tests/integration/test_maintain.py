"""Housekeeping: small files packed, past daily rows dropped, unneeded files removed; answers stay, a rerun finds nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from conf.settings import Settings
from expectations.contracts.types import Column, Table, Write
from features import catalogue
from jobs import maintain, tables, upkeep
from jobs.context import JobContext
from jobs.errors import ConfigurationError
from jobs.store import FeatureStore
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build

Contexts = Callable[..., JobContext]

FACTS = Table(
    layer="core", name="facts", title="t", title_zh="t", grain="id", key=("id",), write=Write.APPEND, date="as_of_date", partition_by=("month",),
    columns=(Column(name="id", type="int", description="id"), Column(name="as_of_date", type="date", description="day")),
)  # fmt: skip
PUBLISHED = Table(
    layer="mart", name="published", title="t", title_zh="t", grain="id", key=("id",), write=Write.APPEND, change_feed=True, history_days=35,
    columns=(Column(name="id", type="int", description="id"),),
)  # fmt: skip
FEW = tuple(
    replace(group, declared=tuple(feature for feature in group.declared if feature.name in {"out_sum", "aum_eod", "tenure_days"}))
    for group in catalogue.GROUPS if group.name in {"activity", "balances", "tenure"}
)  # fmt: skip
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": "account_key\n1\n2",
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | customer_key | business_date | amount | direction
        z              | 2            | 2025-12-20    | 5      | in
        a              | 1            | 2025-12-26    | 10     | out
        b              | 1            | 2025-12-27    | 20     | out
        c              | 2            | 2026-01-31    | 30     | out
    """,
    "balances": "account_key | customer_key | business_date | balance\n1 | 1 | 2025-11-30 | 900\n1 | 1 | 2025-12-26 | 1000.5",
}  # fmt: skip
NOVEMBER, DECEMBER = (
    [(1, date(2025, 11, 30)), (2, date(2025, 12, 26))],
    [(3, date(2025, 12, 27)), (4, date(2025, 12, 31)), (5, date(2026, 1, 5))],
)


def _filled(context_for: Contexts) -> JobContext:
    """Two writes, a file for each month of each: November holds one, December two, January one."""
    for nth, rows in enumerate((NOVEMBER, DECEMBER)):
        context = context_for(scope=str(nth))
        tables.append(context, FACTS, context.spark.createDataFrame(rows, "id int, as_of_date date"))
    return context_for("maintain")


def _aged(file: Path, *, days: int) -> None:
    then = time.time() - timedelta(days=days).total_seconds()
    os.utime(file, (then, then))


def _ids(context: JobContext) -> list[int]:
    return sorted(row.id for row in tables.read(context, FACTS).collect())


def test_files_are_packed_and_removed_without_a_change_of_answers(context_for: Contexts) -> None:
    context = _filled(context_for)
    news = [note["version"] for note in tables.commits(context.settings, FACTS)]

    crowded = upkeep.crowded(context.settings, FACTS, files=1)
    assert crowded == {"month=202512": 2}
    assert upkeep.pack(context, FACTS, crowded) == 2 - 1
    assert upkeep.crowded(context.settings, FACTS, files=1) == {}

    stray = Path(tables.location(context.settings, FACTS)) / "month=202512" / "part-of-a-killed-write.parquet"
    stray.write_bytes(b"half a file")
    assert upkeep.unneeded(context.settings, FACTS, hours=168) == 0
    _aged(stray, days=10)
    assert upkeep.unneeded(context.settings, FACTS, hours=168) == 1
    upkeep.vacuum(context, FACTS, hours=168)
    assert not stray.exists()

    assert _ids(context) == [1, 2, 3, 4, 5]
    # A rerun of an earlier date reads the notes of commits: it must not take housekeeping for new data.
    assert [note["version"] for note in tables.commits(context.settings, FACTS)] == news


def test_past_daily_rows_go_month_ends_stay_and_a_rerun_finds_nothing(context_for: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    context = _filled(context_for)
    monkeypatch.setattr(maintain, "every_table", lambda settings: (FACTS,))
    monkeypatch.setattr(maintain, "feature_tables", lambda: (FACTS,))
    # 2026-01-31 - 35 days = 2025-12-27: rows 2 and 3 are of that day or before it, row 1 is a month-end, 4 and 5 are younger
    assert dict(maintain.JOB.run(context).rows) == {"rows_dropped": 2, "files_packed": 0, "files_removed": 0}
    assert _ids(context) == [1, 4, 5]
    version = tables.version(context.settings, FACTS)
    assert dict(maintain.JOB.run(context).rows) == {"rows_dropped": 0, "files_packed": 0, "files_removed": 0}
    assert tables.version(context.settings, FACTS) == version


def test_daily_rows_that_went_are_computed_on_demand_as_they_were(
    context_for: Contexts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, FEW)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    for since, until in ((date(2025, 12, 25), date(2025, 12, 31)), (date(2026, 1, 31), date(2026, 1, 31))):
        build(context_for("features", since, until))
    store, names = FeatureStore(settings), [group.name for group in FEW]
    days = [date(2025, 12, day) for day in range(25, 32)]
    before = {day: store.read(day, purpose="risk", features=names).arrow for day in days}
    # Spent until then: 10 of the 26th, 20 more from the 27th on.
    assert [before[day].column("activity__out_sum_7d").to_pylist() for day in days[:3]] == [[0, 0], [10, 0], [30, 0]]

    # 2026-01-31 - 35 days = 2025-12-27: three days of two customers in each of three tables.
    report = maintain.JOB.run(context_for("maintain"))
    assert report.figures["dropped"] == {group.table.full_name: 3 * 2 for group in FEW}
    assert store.dates(names, purpose="risk") == [*days[3:], date(2026, 1, 31)]
    for day in days:
        assert store.read(day, purpose="risk", features=names).arrow.equals(before[day]), day

    # Two customers: what each table keeps, states among them.
    kept = [*(source.table for source in catalogue.TILED), catalogue.WINDOW_STATE, *(group.table for group in FEW)]
    sizes = {table.full_name: tables.size(settings, table) for table in kept}
    assert report.figures["bytes_per_customer"] == {name: round(size / 2) for name, size in sizes.items() if size}
    assert {"features.window_state", "features.tile_transaction", "features.activity_v1"} <= report.figures["bytes_per_customer"].keys()


def test_files_of_a_published_table_stay_as_long_as_its_contract_promises(context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintain, "every_table", lambda settings: (PUBLISHED,))
    monkeypatch.setattr(maintain, "feature_tables", lambda: ())
    tables.create(context, PUBLISHED)
    unneeded = Path(tables.location(context.settings, PUBLISHED)) / "part-of-an-earlier-version.parquet"
    unneeded.write_bytes(b"rows")
    for days, removed in ((10, 0), (34, 0), (36, 1)):
        _aged(unneeded, days=days)
        assert maintain.JOB.run(context).rows["files_removed"] == removed
    assert not unneeded.exists()


def test_a_vacuum_that_would_hurt_readers_is_refused(context: JobContext) -> None:
    hasty = context.settings.model_copy(update={"retention": context.settings.retention.model_copy(update={"vacuum_hours": 1})})
    with pytest.raises(ConfigurationError, match=r"\[1\]"):
        maintain.JOB.run(_with(context, hasty))


def test_every_table_of_the_house_is_kept(context: JobContext) -> None:
    names = [table.full_name for table in maintain.every_table(context.settings)]
    assert len(names) == len(set(names))
    assert {"core.transaction", "quarantine.transactions", "features.segment_daily", "scores.churn", "mart.customer_360", "ops.run"} <= set(
        names
    )
    assert all(table.partition_by == ("month",) and table.date == "as_of_date" for table in maintain.feature_tables())


def _with(context: JobContext, settings: object) -> JobContext:
    from dataclasses import replace

    return replace(context, settings=settings)  # type: ignore[type-var]
