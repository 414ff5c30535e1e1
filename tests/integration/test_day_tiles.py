"""Day tiles of a long history: made in parts, the same as at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from pyspark.sql import DataFrame

from conf.settings import Settings
from features import catalogue
from features.spec import Source
from jobs import ledger, tables
from jobs.build import passes, tile_store
from jobs.build.dates import within
from jobs.build.facts import Facts
from jobs.context import JobContext, JobReport, now
from tests.fixtures.bank import deliver

JAN_31 = date(2026, 1, 31)
DAYS = [source for source in catalogue.TILED if not source.days]
# Nothing is told of account 2 from November 2024 to January 2026, which is longer than balances are read back; what it holds is another's by then.
# The term of 3 is rolled over in the last month; of its balance month-ends tell, as feeds promise.
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": """
        account_key | product_code | matures_on | valid_from
        1           |              | -          |
        2           |              | -          |
        3           | T12          | 2026-01-15 | 2024-01-01
        3           | T12          | 2027-01-15 | 2026-01-15
    """,
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 1\n3 | 2",
    "products": "product_code | family | is_asset\nD01 | demand | true\nT12 | term | true",
    "rates": "kind | code | value_ppm\ntransfer | CNY | 20000\nclient | D01 | 2000\nunit_cost | app | 10000",
    "transactions": """
        transaction_id | customer_key | business_date | amount
        a              | 1            | 2025-01-31    | 10
        b              | 1            | 2025-01-31    | 20
        c              | 2            | 2025-02-01    | 30
        d              | 1            | 2025-12-31    | 40
        e              | 2            | 2026-01-31    | 50
    """,
    "balances": """
        account_key | customer_key | business_date | balance
        1           | 1            | 2024-09-10    | 100
        1           | 1            | 2025-02-28    | 150
        1           | 1            | 2025-03-01    | 160
        1           | 1            | 2026-01-31    | 170
        2           | 1            | 2024-11-01    | 200
        2           | 2            | 2026-01-20    | 250
        3           | 2            | 2024-12-31    | 300
        3           | 2            | 2025-09-30    | 300
        3           | 2            | 2025-12-31    | 300
    """,
    "channel_events": "event_id | customer_key | business_date\nw | 1 | 2025-03-31\nx | 1 | 2025-05-15\ny | 2 | 2026-01-16\nz | 2 | 2026-01-31",
}  # fmt: skip


def tiles_of(frame: DataFrame, source: Source) -> list[tuple]:
    return sorted(map(tuple, frame.select(*(name for name in source.table.column_names if name != "month")).collect()))


def made_at_once(context: JobContext, source: Source) -> DataFrame:
    facts = Facts(context, JAN_31, JAN_31)
    return facts.tiles(source).where(within("business_date", facts.opening(source), JAN_31))


def store(context: JobContext) -> None:
    """What `kequn features` does first, and its row in the ledger."""
    _, _, stored = tile_store.brought_up_to_date(Facts(context, JAN_31, JAN_31))
    report = JobReport(rows={}, outputs={}, figures={"tiles": stored.figures})
    ledger.record(context, report, inputs="", seconds=0, peak_mb=0, finished_at=now())


def test_the_days_of_a_long_history_are_made_in_parts(context_for, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def versions() -> dict[str, int]:
        return {source.name: tables.version(settings, source.table) for source in DAYS}

    monkeypatch.setattr(passes, "BYTES_AT_ONCE", 1)  # no two months together
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    night = context_for("features", JAN_31)
    store(night)
    for source in DAYS:
        stored = tiles_of(tables.read(night, source.table), source)
        assert stored == tiles_of(made_at_once(night, source), source) != [], source.name
    # Their tables were created, and each month with tiles was committed.
    of_parts = versions()
    assert of_parts == {"transaction": 4, "channel": 3, "balance": 6}
    # Made again, of whatever months together, they are the same.
    monkeypatch.undo()
    again = context_for("features", JAN_31, generation=1)
    store(replace(again, request=replace(again.request, force=True)))
    assert versions() == of_parts
