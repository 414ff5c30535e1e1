"""Features of dates that are not stored, on a small bank: DuckDB, from tiles and core tables, gives what a rebuild in Spark gives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import Schema, write_deltalake
from pyspark.sql import SparkSession

from conf import settings as conf
from conf.settings import Settings
from expectations.contracts import core
from expectations.contracts.types import Table
from features import engine
from jobs import ledger, tables
from jobs.build import features_command
from jobs.build.facts import Facts
from jobs.context import now
from jobs.errors import DataRejectedError, InputNotReadyError
from jobs.serving import computed
from jobs.store import FeatureStore
from jobs.writes_commit import _schema
from tests.fixtures.bank import CONTRACTS, Bank
from tests.fixtures.context import context_of
from tests.oracle.test_in_duckdb import NAMES, RandomBank, expect_equal

# Stored are two month-ends, the second one a leap day.
EARLY, LATE = date(2024, 1, 31), date(2024, 2, 29)
DAY_AFTER, MID_MONTH, EVE = date(2024, 2, 1), date(2024, 2, 15), date(2024, 2, 28)
FEATURES = ["activity", "credit", "tenure", "balances"]
# Keys that were taken back on the day that they were told for: images without length and content, of which no reader may make anything.
DELETED: dict[str, list[dict[str, Any]]] = {
    "rates": [{"kind": "transfer", "code": "CNY", "valid_from": EARLY, "valid_to": EARLY}],
    "products": [{"product_code": "X99", "valid_from": EARLY, "valid_to": EARLY}],
    "customers": [{"customer_key": 999, "valid_from": EARLY, "valid_to": EARLY}],
    "account_parties": [{"account_key": 1, "customer_key": 999, "valid_from": EARLY, "valid_to": EARLY}],
}


def put(settings: Settings, bank: Bank) -> None:
    """The bank's facts into core tables, as ingest leaves them."""
    for name, contract in CONTRACTS.items():
        schema = pa.schema(Schema.from_json(_schema(contract).to_json()).to_arrow())
        told = [*bank.rows.get(name, []), *DELETED.get(name, [])]
        rows = [dict.fromkeys(contract.column_names) | technical(contract, row) | row for row in told]
        write_deltalake(tables.location(settings, contract), pa.Table.from_pylist(rows, schema), partition_by=list(contract.partition_by))


def technical(contract: Table, row: dict[str, Any]) -> dict[str, Any]:
    known = {tables.interval_of(contract).start: now()} if tables.interval_of(contract).start not in row else {}
    day = row[contract.date] if "month" in contract.partition_by else EARLY
    return known | {"row_hash": 0, "run_id": "test", "month": day.year * 100 + day.month}


@pytest.fixture(scope="module")
def bank(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A bank of a year and a half, with features of two dates."""
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("bank"))})
    put(settings, RandomBank(spark, Random(23), people=40))
    context = context_of(spark, settings, "features", EARLY, LATE, scope="month-ends")
    context = replace(context, request=replace(context.request, options={"month_ends": True}))
    ledger.record(context, features_command.build(context), inputs="", seconds=0.0, peak_mb=0, finished_at=now())
    return settings


def test_every_feature_of_everybody_equals_sparks(spark: SparkSession, bank: Settings) -> None:
    dates = [DAY_AFTER, MID_MONTH, EVE, LATE]
    context = context_of(spark, bank, "features", EARLY, LATE)
    rebuilt = sorted(engine.features_of(Facts(context, DAY_AFTER, LATE).core(), dates).collect())
    expected = [row.asDict() for row in rebuilt]
    assert len(expected) > 50
    found = [row for day in dates for row in computed.everybody(bank, NAMES, day).to_pylist()]
    expect_equal(sorted(found, key=lambda row: (row["customer_key"], row["as_of_date"])), expected)
    few = expected[::7]
    asked = {name: [row[name] for row in few] for name in ("customer_key", "as_of_date")}
    expect_equal(computed.each(bank, NAMES, pa.table(asked)).to_pylist(), few)


def test_a_stored_date_computed_again_is_what_is_stored(bank: Settings) -> None:
    stored = FeatureStore(bank).read(LATE, purpose="risk").arrow
    again = computed.everybody(bank, stored.column_names[2:], LATE)
    expect_equal(again.to_pylist(), stored.to_pylist())


def test_a_date_that_is_not_stored_is_read_all_the_same(bank: Settings) -> None:
    store = FeatureStore(bank)
    assert store.read(EVE, purpose="risk", features=FEATURES).arrow.num_rows > 10
    for how in ({"revision": "first"}, {"as_known_at": now()}):
        with pytest.raises(InputNotReadyError, match=r"No features of \[2024-02-28\]: .* as corrected and as known now only"):
            store.read(EVE, purpose="risk", features=FEATURES, **how)
    with pytest.raises(
        InputNotReadyError, match=r"No features of \[2024-01-30\]: .*; day tiles answer for dates from \[2024-01-31\] to \[2024-02-29\]"
    ):
        store.read(EARLY - timedelta(days=1), purpose="risk", features=FEATURES)


def spine_of(bank: Settings, days: list[date]) -> pa.Table:
    """Customers who are there on the first date and one who never is, each on the days in turn; some rows twice."""
    keys = [*FeatureStore(bank).read(EARLY, purpose="risk", features=["tenure"]).arrow.column("customer_key").to_pylist()[:40], -1]
    rows = [(key, days[nth % len(days)]) for nth, key in enumerate(reversed(keys))]
    rows += rows[:5]
    return pa.table({"customer_key": [key for key, _ in rows], "as_of_date": [day for _, day in rows], "outcome": list(range(len(rows)))})


def test_stored_and_other_dates_in_one_training_set(bank: Settings) -> None:
    store, spine = FeatureStore(bank), spine_of(bank, [EVE, EARLY, MID_MONTH, LATE])
    drawn = store.training_set(spine, purpose="credit", features=FEATURES)
    assert drawn.arrow.select(spine.column_names).equals(spine)
    assert drawn.arrow.column("features_of").to_pylist() == spine.column("as_of_date").to_pylist()
    assert drawn.receipt.computed == sum(day in {EVE, MID_MONTH} for day in spine.column("as_of_date").to_pylist())
    names = drawn.arrow.column_names[4:]
    by_key = {
        (row["customer_key"], row["as_of_date"]): row
        for day in (EVE, EARLY, MID_MONTH, LATE) for row in store.read(day, purpose="credit", features=names).arrow.to_pylist()
    }  # fmt: skip
    for row in drawn.arrow.to_pylist():
        expected = by_key.get((row["customer_key"], row["as_of_date"]), {})
        assert {name: row[name] for name in names} == {name: expected.get(name) for name in names}
    # An older date may do where one is stored; then nothing is computed.
    older = store.training_set(spine, purpose="credit", features=FEATURES, max_age_days=60)
    assert older.receipt.computed == 0
    assert set(older.arrow.column("features_of").to_pylist()) == {EARLY, LATE}


def test_rows_that_can_not_be_had_are_named(bank: Settings) -> None:
    store = FeatureStore(bank)
    beyond = pa.table({"customer_key": [1, 1, 1], "as_of_date": [EVE, EARLY - timedelta(days=1), LATE + timedelta(days=1)]})
    with pytest.raises(
        InputNotReadyError,
        match=r"\[2\] of \[3\] rows .* rows \[1, 2\] for \['2024-01-30', '2024-03-01'\]; stored are \[2\] dates .*; day tiles answer for dates from \[2024-01-31\] to \[2024-02-29\]",
    ):
        store.training_set(beyond, purpose="risk", features=FEATURES)
    asked = pa.table({"customer_key": [1, 1], "as_of_date": [EVE, EARLY]})
    with pytest.raises(InputNotReadyError, match=r"\[1\] of \[2\] rows .*'2024-02-28'.*; as known at a time only stored dates can be told"):
        store.training_set(asked, purpose="risk", features=FEATURES, as_known_at=now())


def kept(settings: Settings) -> set[str]:
    return {path.name for path in (settings.home / "training_sets").glob("*")}


def test_a_sum_that_overflows_is_rejected(bank: Settings, tmp_path: Path) -> None:
    """As the night is that builds the date, with the same words."""
    shutil.copytree(bank.home, tmp_path / "bank")
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path / "bank")})
    spine = pa.table(
        {
            "customer_key": FeatureStore(bank).read(EVE, purpose="risk", features=["tenure"]).arrow.column("customer_key")[:1],
            "as_of_date": [EVE],
        }
    )
    (plan,) = tables.log(bank, core.DEPOSIT_PLAN).to_pyarrow_table().slice(0, 1).to_pylist()  # type: ignore[union-attr]
    owner = {
        "customer_key": spine.column("customer_key")[0].as_py(),
        "started_on": EARLY,
        "closed_on": None,
        "known_to": None,
        "instalment_minor": 2**62,
    }
    schema = pa.schema(Schema.from_json(_schema(core.DEPOSIT_PLAN).to_json()).to_arrow())
    huge = pa.Table.from_pylist([plan | owner | {"plan_id": f"huge {nth}"} for nth in range(2)], schema)
    write_deltalake(tables.location(settings, core.DEPOSIT_PLAN), huge, mode="append")
    with pytest.raises(DataRejectedError, match=r"A sum does not fit 64 bits: .*; look for such amounts in the core tables") as error:
        FeatureStore(settings).training_set(spine, purpose="risk", features=["deposits_recurring"])
    assert error.value.exit_code == 20
    assert kept(settings) == kept(bank)


def test_what_was_computed_is_drawn_again_and_tiles_that_are_not_true_are_refused(spark: SparkSession, bank: Settings) -> None:
    """The last test: it touches the bank."""
    store, spine = FeatureStore(bank), spine_of(bank, [EVE, EARLY, MID_MONTH, LATE])
    first = store.training_set(spine, purpose="credit", features=FEATURES)
    # Of a date of which nobody is there nothing is kept.
    nobody = store.training_set(pa.table({"customer_key": [-1, -1], "as_of_date": [DAY_AFTER, EARLY]}), purpose="credit", features=FEATURES)
    context = context_of(spark, bank, "late", LATE)
    late = tables.current(tables.read(context, core.TRANSACTION), core.TRANSACTION).where(f"business_date = date '{MID_MONTH}'").limit(1)
    fields = [
        *(column.name for column in core.TRANSACTION.columns if column.name != "amount_base_minor"),
        "amount_base_minor + 1 as amount_base_minor",
    ]
    tables.merge_intervals(context, core.TRANSACTION, late.selectExpr(*fields, f"timestamp '{LATE}' as known_from"))
    for one in (first, nobody):
        assert store.draw_again(one.receipt.receipt).arrow.equals(one.arrow)
    with pytest.raises(InputNotReadyError, match=r"day tiles answer for dates from \[2024-01-31\] to \[2024-02-14\]"):
        store.training_set(spine, purpose="credit", features=FEATURES)
