"""The chain's jobs in one session on a bank small enough to work out by hand: landing zone to published tables.

C1 owns the yuan account A1 and, since 2025-12-01, the dollar account A2; C2 owned A2 before, and shares A1 without being its
first owner. One dollar is 7.10 yuan. What the bank delivered for 2025-12-31:

    T1  A1  2025-12-30  out     12.34 CNY =    12.34  purchase, by the customer
    T2  A1  2025-12-31  in   5,000.00 CNY = 5,000.00  salary, by the employer
    T3  A2  2025-12-31  out     10.00 USD =    71.00  purchase, by the customer
    T4  A9  2025-12-31  out      1.00 CNY             an account that nobody owns: set aside
    balances on 2025-12-31: A1 10,000.00 CNY, A2 1,000.00 USD = 7,100.00
    C1 opens the app on both days, and has agreed to marketing, profiling and short messages
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf import settings as conf
from conf.settings import Settings
from expectations.contracts import core, mart, ops
from expectations.contracts.features import SEGMENT_DAILY
from expectations.contracts.quarantine import quarantine_table
from features import catalogue
from features.sources.balance import BALANCE
from jobs import ledger, publish, tables
from jobs.build import features_command, segments_command, tile_store
from jobs.build.facts import Facts
from jobs.build.wide import wide_features
from jobs.context import JobContext, JobReport, now
from jobs.ingest import keys, seal
from jobs.ingest.job import ingest
from jobs.store import FeatureStore
from tests.fixtures.context import context_of
from tests.fixtures.landing import REFERENCE, balance, deliver_group, txn

DAY, NEXT_DAY = date(2025, 12, 31), date(2026, 1, 1)


def customer(number: str) -> int:
    return keys.entity_key(keys.DEVELOPMENT_KEY, source="bank", kind="customer", identifier=number)


C1, C2 = customer("C1"), customer("C2")


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a bank whose night was taken from landing to features, job after job, each entered in the ledger."""
    home = tmp_path_factory.mktemp("night")
    settings = conf.load("ci", variables={"KEQUN_HOME": str(home)})
    granted = [{"cust_no": "C1", "purpose": purpose, "granted": "true"} for purpose in ("marketing", "profiling", "sms")]
    visits = [
        {"event_id": event, "cust_no": "C1", "occurred_at": f"{day} 08:00:00", "channel": "app", "event_type": "login"}
        for event, day in (("E1", "2025-12-30"), ("E2", "2025-12-31"))
    ]
    delivered = {
        "reference": {**REFERENCE, "consents": granted},
        "channel": {"channel_events": visits},
        "transactions": {
            "transactions": [
                txn("T1"),
                txn("T2", posted_at="2025-12-31 09:00:00", direction="C", amount="5000.00", txn_type="salary", initiated_by="B"),
                txn("T3", posted_at="2025-12-31 10:00:00", acct_no="A2", amount="10.00", currency="USD"),
                txn("T4", posted_at="2025-12-31 11:00:00", acct_no="A9", amount="1.00"),
            ],
            "balances": [balance("A1", "10000.00", "2025-12-31"), balance("A2", "1000.00", "2025-12-31", "USD")],
        },
        "credit": {},
    }  # fmt: skip
    for group, feeds in delivered.items():
        deliver_group(settings.landing, group, DAY, feeds)
        run(context_of(spark, settings, "ingest", DAY, scope=group), ingest)
    run(context_of(spark, settings, "features", DAY), features_command.build)
    return home


@pytest.fixture
def built(night: Path, tmp_path: Path, context_for: Callable[..., JobContext]) -> JobContext:
    """That night, in a home of the test's own."""
    shutil.copytree(night, tmp_path, dirs_exist_ok=True)
    return context_for("chain", DAY)


@pytest.fixture
def chain(built: JobContext, context_for: Callable[..., JobContext]) -> JobContext:
    """The same night taken on to marts."""
    assert seal.seal(built.settings, built.request) == 0
    run(context_for("segments", DAY), segments_command.build)
    run(context_for("publish", DAY), publish.publish)
    return built


def run(context: JobContext, work: Callable[[JobContext], JobReport]) -> JobReport:
    report = work(context)
    ledger.record(context, report, inputs="", seconds=0.0, peak_mb=0, finished_at=now())
    return report


def by_customer(frame: DataFrame, *columns: str) -> dict[int, tuple[Any, ...]]:
    return {row[0]: tuple(row)[1:] for row in frame.select("customer_key", *columns).collect()}


def test_a_night_from_landing_to_marts(chain: JobContext, settings: Settings) -> None:
    # Three of four transactions landed, in fen: 12.34; 5,000.00; 10 dollars = 71.00.
    landed = tables.read(chain, core.TRANSACTION).select("transaction_id", "customer_key", "amount_base_minor").collect()
    assert sorted(map(tuple, landed)) == [("T1", C1, 1_234), ("T2", C1, 500_000), ("T3", C1, 7_100)]
    aside = tables.read(chain, quarantine_table("transactions")).collect()
    assert [("no_owner" in row["rules"], '"txn_id":"T4"' in row["record"]) for row in aside] == [(True, True)]
    # Every delivered row is something: 4 transactions, 2 balances, 2 events; of the reference 1 + 2 + 2 + 2 + 2 + 4 + 3
    # (products, rates, customers twice: person and identity, accounts, parties, consents).
    known = ("inserted", "updated", "unchanged", "duplicates", "quarantined")
    delivered = tables.read(chain, ops.DELIVERY).collect()
    assert all(row["rows_in"] == sum(row[name] for name in known) for row in delivered)
    assert sum(row["rows_in"] for row in delivered) == 4 + 2 + 2 + 16

    names = (
        "activity__txn_count_30d", "activity__out_sum_30d", "activity__in_sum_30d", "activity__active_days_30d", "activity__days_since_last",
        "balances__aum_eod", "balances__aum_mad_30d", "channels__login_count_7d", "holdings__account_count",
    )  # fmt: skip
    features = by_customer(wide_features(chain, [DAY], names=names), *names)
    # C1: the customer moved money twice (T1, T3) on two days, the last one today; 12.34 + 71.00 = 83.34 out, 5,000 in;
    # 10,000 + 7,100 = 17,100 at the end of the day, which over 30 days is 570 a day; two logins; two accounts.
    assert features[C1] == pytest.approx((2, 83.34, 5_000.0, 2, 0, 17_100.0, 570.0, 2, 2))
    # C2 has nothing of it, and is there all the same: the owner of a joint account is the first one.
    assert features[C2] == pytest.approx((0, 0.0, 0.0, 0, None, 0.0, 0.0, 0, 0))
    # A data scientist reads the same, all of it, without Spark.
    by_spark = wide_features(chain, [DAY], purpose="risk").orderBy("customer_key").toArrow()
    assert FeatureStore(settings).read(DAY, purpose="risk").arrow.to_pylist() == by_spark.to_pylist()

    tiers = by_customer(tables.read(chain, SEGMENT_DAILY).where("scheme = 'asset_tier'"), "segment")
    # 570 is between 500 and 20,000; 0 is below 500.
    assert tiers == {C1: ("inclusive",), C2: ("prospect",)}

    published = by_customer(
        tables.read(chain, mart.CUSTOMER_360), "assets", "transactions_30d", "asset_tier", "last_active_on", "consent_marketing"
    )
    assert published == {
        C1: (Decimal("17100.00"), 2, "inclusive", DAY, True),
        C2: (Decimal("0.00"), 0, "prospect", None, False),
    }
    listed = {(row["customer_key"], row["scheme"]) for row in tables.read(chain, mart.SEGMENT_LIST).collect()}
    # C1 agreed to marketing, to profiling and to one channel; C2 to nothing, and is on no list.
    assert listed == {(C1, scheme) for scheme in mart.SCHEMES}
    assert (settings.reports / "data_docs" / "index.html").exists()


def test_a_late_row_makes_the_tiles_it_touched_again_and_no_others(
    built: JobContext, context_for: Callable[..., JobContext], settings: Settings
) -> None:
    late = txn("T5", posted_at="2025-12-20 12:00:00", amount="100.00")
    moved = {
        "transactions": [late, txn("T6", posted_at="2026-01-01 12:00:00", amount="1.00")],
        "balances": [balance("A1", "9000.00", "2026-01-01")],
    }
    deliver_group(settings.landing, "transactions", NEXT_DAY, moved)
    deliver_group(settings.landing, "reference", NEXT_DAY, REFERENCE)
    for group in ("reference", "transactions"):
        run(context_for("ingest", NEXT_DAY, scope=group), ingest)

    stored = tile_store.recorded(settings)
    assert stored is not None
    true_until = {source.name: stored.true_until(settings, source) for source in catalogue.TILED}
    assert true_until == {"transaction": date(2025, 12, 19), "channel": DAY, "balance": DAY, "transaction_month": date(2025, 12, 19)}

    night = context_for("features", NEXT_DAY)
    report = run(night, features_command.build)
    assert report.rows["features.tile_transaction inserted"] == 4  # 20, 30, 31 December, 1 January
    assert report.rows["features.tile_balance inserted"] == 1  # 1 January
    # 12.34 + 71.00 + 1.00 and the late 100.00; the assets are 9,000.00 and 1,000.00 dollars.
    names = ("activity__out_sum_30d", "balances__aum_eod")
    assert by_customer(wide_features(night, [NEXT_DAY], names=names), *names)[C1] == pytest.approx((184.34, 16_100.0))

    facts = Facts(night, NEXT_DAY, NEXT_DAY)
    trusted = tile_store.trusted(facts)
    assert set(trusted) == {source.name for source in catalogue.TILED}
    for source in catalogue.TILED:
        columns = [column for column in source.table.column_names if column != "month"]
        assert sorted(map(tuple, trusted[source.name].select(*columns).collect())) == sorted(
            map(tuple, facts.tiles(source).select(*columns).collect())
        )

    # What somebody else did to a core table is in no note: nothing of it is trusted.
    built.spark.sql(f"delete from delta.`{tables.location(settings, core.TRANSACTION)}` where transaction_id = 'T1'")
    assert set(tile_store.trusted(facts)) == {"channel", "balance"}


def test_an_account_that_was_silent_for_longer_than_balances_are_read_back_is_not_counted_twice(
    built: JobContext, context_for: Callable[..., JobContext], settings: Settings
) -> None:
    # Nothing is told of A2 since 2025-12-31, not even month-ends; on 2026-05-15 it holds 900.00 dollars.
    first, second = date(2026, 5, 14), date(2026, 5, 15)
    run(context_for("features", first), made_tiles)
    moved = {"transactions": [txn("T5", posted_at="2026-05-15 12:00:00")], "balances": [balance("A2", "900.00", "2026-05-15", "USD")]}
    for group, rows in (("reference", REFERENCE), ("transactions", moved)):
        deliver_group(settings.landing, group, second, rows)
        run(context_for("ingest", second, scope=group), ingest)

    night = context_for("features", second)
    report = run(night, made_tiles)
    assert report.rows["features.tile_balance"] == 1  # 15 May; all before it is kept
    levels = tables.read(night, BALANCE.table).groupBy("customer_key").agg({"aum": "sum"})
    # 10,000.00 yuan, and 900.00 dollars instead of 1,000.00.
    assert by_customer(levels, "sum(aum)") == {C1: (1_639_000,)}


def made_tiles(context: JobContext) -> JobReport:
    """What `kequn features` does first."""
    _, written, stored = tile_store.brought_up_to_date(Facts(context, context.request.since, context.request.until))
    return JobReport(rows={one.table: one.inserted for one in written}, outputs={}, figures={"tiles": stored.figures})
