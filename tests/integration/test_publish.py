"""Publishing from literal tables: what is in a row, when a row counts as changed, who is told about, and what stops it."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from conf import settings as conf
from expectations.contracts import core, features, mart, ops, scores
from expectations.contracts.types import Column, Table, Write
from features import catalogue
from jobs import __main__ as kequn
from jobs import publish, tables
from jobs.context import JobContext, Request, new_run_id
from jobs.errors import DataRejectedError, InputNotReadyError, UsageError
from jobs.marts import guards

D1, D2, D3, D4 = date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)
OPENED = date(2020, 1, 15)
ANNA, BO, CHEN = 1, 2, 3
EVERYBODY = range(1, 13)
ZEROES = {"bigint": 0, "int": 0, "double": 0.0, "string": None, "boolean": False}
ARROW = {
    "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "string": pa.string(), "boolean": pa.bool_(), "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"), "array<date>": pa.list_(pa.date32()), "array<timestamp>": pa.list_(pa.timestamp("us", tz="UTC")),
}  # fmt: skip


class Bank:
    """What the jobs before publishing leave behind, as literal rows: a bank of seventeen tables in a second.

    Inputs are laid down whole by delta-rs; everything that publishing writes goes through jobs.tables.
    """

    def __init__(self, spark: SparkSession, home: Path) -> None:
        self._spark = spark
        self._home = home
        self._starts = itertools.count()

    def copied(self, home: Path) -> Bank:
        """The same bank in another home, to go on from here."""
        shutil.copytree(self._home / "warehouse", home / "warehouse")
        return Bank(self._spark, home)

    def context(self, day: date = D1, job: str = "test", **options: Any) -> JobContext:
        started = datetime(2026, 2, 2, tzinfo=UTC) + timedelta(seconds=next(self._starts))
        return JobContext(
            settings=conf.load("ci", variables={"KEQUN_HOME": str(self._home)}),
            request=Request(job=job, since=day, until=day, options=options),
            spark=self._spark, run_id=new_run_id(), generation=0, started_at=started,
        )  # fmt: skip

    def lay(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Put rows into the table, beside those that are there."""
        columns = {column.name: pa.array([row.get(column.name) for row in rows], ARROW[column.type]) for column in table.all_columns}
        write_deltalake(str(self._home / "warehouse" / table.layer / table.name), pa.table(columns), mode="append")

    def people(self, *keys: int) -> None:
        person = {"birth_date": date(1980, 1, 1), "opened_on": OPENED, "is_employee": False, "status": "active", "valid_from": OPENED}
        closed = {**person, "status": "closed", "closed_on": D3, "valid_from": D3}
        stays = [{"customer_key": key, **person} for key in keys if key != CHEN]
        self.lay(core.CUSTOMER, [*stays, {"customer_key": CHEN, **person, "valid_to": D3}, {"customer_key": CHEN, **closed}])

    def accounts(self, *keys: int) -> None:
        account = {"product_code": "p", "currency": "CNY", "opened_on": OPENED, "status": "active", "valid_from": OPENED}
        self.lay(core.ACCOUNT, [{"account_key": 10 * key, **account} for key in keys])
        party = {"role": "owner", "held_from": OPENED, "valid_from": OPENED}
        self.lay(core.ACCOUNT_PARTY, [{"account_key": 10 * key, "customer_key": key, **party} for key in keys])

    def consents(self, key: int, *purposes: str, since: date = OPENED) -> None:
        given = {"is_granted": True, "valid_from": since}
        self.lay(core.CONSENT, [{"customer_key": key, "purpose": purpose, **given} for purpose in purposes])

    def features(self, rows: list[tuple[date, int]], **values: Callable[[date], Any]) -> None:
        """One row per (date, customer) in every group that is published; `values` by full name, else nothing happened."""
        wanted = {published.feature for published in mart.PUBLISHED_FEATURES}
        for group in catalogue.GROUPS:
            if wanted & set(group.table.column_names):
                empty = {column.name: None if column.nullable else ZEROES[column.type] for column in group.columns}
                known = {name: value for name, value in values.items() if name in empty}
                stored = {"revision": 0, "row_hash": 1, "known_at": datetime(2026, 2, 1, tzinfo=UTC)}
                self.lay(group.table, [self._row(day, key, **empty, **stored) | {n: v(day) for n, v in known.items()} for day, key in rows])

    def segments(self, rows: list[tuple[date, int]]) -> None:
        held = {"asset_tier": "mass", "behaviour": catalogue.SEGMENTATIONS[1].rules[0].name, "risk_value": "high_risk"}
        told = [{"scheme": scheme, "segment": segment, "because": "b", "version": 1} for scheme, segment in held.items()]
        self.lay(features.SEGMENT_DAILY, [self._row(day, key, **one) for day, key in rows for one in told])

    def membership(self, *keys: int) -> None:
        image = {"scheme": "asset_tier", "segment": "mass", "valid_from": date(2025, 6, 30)}
        risk = {**image, "scheme": "risk_value", "segment": "high_risk"}
        self.lay(features.SEGMENT_MEMBERSHIP, [{"customer_key": key, **one} for key in keys for one in (image, risk)])

    def scores(self, rows: list[tuple[date, int]], chance: float) -> None:
        """Everybody alike, but Bo, who has left already."""
        told = {"model_version": "0001", "churn_probability": chance, "churn_band": "low", "reason_1": "credit", "reason_2": "recency"}
        gone = {"model_version": "0001", "churn_band": "gone"}
        self.lay(scores.CHURN, [self._row(day, key, **(gone if key == BO else told)) for day, key in rows])

    @staticmethod
    def _row(day: date, key: int, **facts: Any) -> dict[str, Any]:
        return {"customer_key": key, "as_of_date": day, "month": day.year * 100 + day.month, **facts}

    def publish(self, day: date, **options: Any) -> None:
        publish.publish(self.context(day, "publish", **options))

    def customers(self) -> dict[int, Row]:
        return {row["customer_key"]: row for row in self.rows(mart.CUSTOMER_360)}

    def rows(self, table: Table) -> list[Row]:
        return tables.read(self.context(), table).collect()

    def log(self, day: date) -> dict[str, Row]:
        return {row["published_table"]: row for row in self.rows(ops.PUBLISH_LOG) if row["as_of_date"] == day}

    def changes(self, version: int) -> list[tuple[int, str]]:
        """(customer, kind of change) that the change feed of mart.customer_360 tells of a version."""
        feed = self._spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", version)
        found = feed.load(tables.location(self.context().settings, mart.CUSTOMER_360)).where(F.col("_commit_version") == version)
        return sorted((row["customer_key"], row["_change_type"]) for row in found.collect())


def _on(days: Iterable[date], keys: Iterable[int]) -> list[tuple[date, int]]:
    return [(day, key) for day in days for key in keys]


@pytest.fixture(scope="module")
def unasked(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Twelve customers on D1 to D3, of whom Chen has left by D3; all but two are missing on D4. Nobody was asked for consent."""
    bank = Bank(spark, tmp_path_factory.mktemp("bank"))
    bank.people(*EVERYBODY)
    bank.accounts(ANNA, BO)
    rows = [*_on((D1, D2), EVERYBODY), *_on((D3,), set(EVERYBODY) - {CHEN}), *_on((D4,), (ANNA, BO))]
    bank.features(
        rows, activity__days_since_last=lambda day: (day - date(2026, 1, 20)).days, balances__aum_eod=lambda _: 1234.567, holdings__has_demand=lambda _: 1,
    )  # fmt: skip
    bank.segments(rows)
    bank.membership(ANNA, BO)
    return bank


@pytest.fixture(scope="module")
def first(unasked: Bank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Anna has agreed and everybody is scored on D1 and D2; published as of D1."""
    bank = unasked.copied(tmp_path_factory.mktemp("first"))
    bank.consents(ANNA, "marketing", "profiling", "sms")
    bank.scores(_on((D1, D2), EVERYBODY), 0.123456)
    bank.publish(D1)
    return bank


@pytest.fixture
def bank(first: Bank, tmp_path: Path) -> Bank:
    """The bank after its first publication, to go on from there."""
    return first.copied(tmp_path)


def test_a_row_says_who_what_and_whether(first: Bank) -> None:
    anna = first.customers()[ANNA]
    assert anna["customer_since"] == date(2020, 1, 15)
    assert anna["tenure_months"] == 72  # 2020-01-15 to 2026-01-30: six years and half a month
    assert (anna["asset_tier"], anna["asset_tier_title"], anna["asset_tier_title_zh"]) == ("mass", "Mass", "大众")
    assert (anna["assets"], anna["has_current_account"]) == (Decimal("1234.57"), True)
    assert anna["last_active_on"] == date(2026, 1, 20)
    assert (anna["churn_probability"], anna["churn_band"], anna["churn_model_version"]) == (Decimal("0.1235"), "low", "0001")
    assert anna["value_12m"] is None
    assert (anna["consent_marketing"], anna["optin_sms"], anna["optin_call"]) == (True, True, False)
    assert (anna["suppress_reason"], anna["marketable_flag"]) == ([], True)


def test_who_has_left_already_is_published_without_a_chance(first: Bank) -> None:
    bo = first.customers()[BO]
    assert (bo["churn_probability"], bo["churn_band"], bo["churn_reason_1"], bo["churn_model_version"]) == (None, "gone", None, "0001")


def test_early_warnings_do_not_leave(first: Bank) -> None:
    """High risk is published as general, and not since when; a reason about repayment as other."""
    anna = first.customers()[ANNA]
    assert (anna["risk_value"], anna["churn_reason_1"], anna["churn_reason_2"]) == ("general", "other", "recency")
    since = {row["scheme"]: row["since"] for row in first.rows(mart.SEGMENT_LIST)}
    assert since == {"asset_tier": date(2025, 6, 30), "behaviour": None, "risk_value": None}


@pytest.mark.parametrize(("column", "may"), [("early_warning__flow_z", False), ("mobile", False), ("activity__in_sum_30d", True)])
def test_no_restricted_column_is_published(spark: SparkSession, column: str, may: bool) -> None:
    key, other = (Column(name=name, type="bigint", description="A column of a list") for name in ("customer_key", column))
    table = Table(
        layer="mart",
        name="list",
        title="List",
        title_zh="名单",
        grain="customer",
        key=("customer_key",),
        columns=(key, other),
        write=Write.REPLACE,
    )
    rows = spark.createDataFrame([(1, 2)], f"customer_key bigint, {column} bigint")
    verdicts = guards.judge(table, rows, previous_rows=1, limits=conf.load("ci").quality)
    assert [verdict.observed for verdict in verdicts if not verdict.passed] == ([] if may else [column])


def test_only_marketable_customers_are_listed(first: Bank) -> None:
    """Bo never agreed to anything; Chen has no account either."""
    people = first.customers()
    assert (people[BO]["suppress_reason"], people[BO]["consent_marketing"], people[BO]["marketable_flag"]) == ([], False, False)
    assert people[CHEN]["suppress_reason"] == [mart.INACTIVE]
    assert {row["customer_key"] for row in first.rows(mart.SEGMENT_LIST)} == {ANNA}


def test_another_night_without_news_touches_nothing(bank: Bank) -> None:
    """Another date, another run, one more day since the last transaction: no row changed, the log says ready."""
    before = bank.customers()
    bank.publish(D2)
    assert bank.customers() == before
    assert {table: (row["rows_total"], row["rows_changed"]) for table, row in bank.log(D1).items()} == {
        "mart.customer_360": (12, 12), "mart.segment_list": (3, 3),
    }  # fmt: skip
    assert {table: (row["rows_total"], row["rows_changed"]) for table, row in bank.log(D2).items()} == {
        "mart.customer_360": (12, 0), "mart.segment_list": (3, 0),
    }  # fmt: skip


def test_only_what_changed_is_touched_and_who_leaves_is_told(bank: Bank) -> None:
    """As of D3 Bo has agreed to marketing and Chen's relationship has ended; scores are as before."""
    bank.scores(_on((D3,), set(EVERYBODY) - {CHEN}), 0.123456)
    bank.consents(BO, "marketing", since=D3)
    before = bank.customers()
    bank.publish(D3)
    after = bank.customers()
    assert [key for key in after if after[key]["updated_at"] != before[key]["updated_at"]] == [BO]
    assert (after[BO]["consent_marketing"], after[BO]["as_of_date"], after[ANNA]["as_of_date"]) == (True, D3, D1)
    assert [tuple(row) for row in bank.rows(mart.CUSTOMER_360_TOMBSTONE)] == [(CHEN, D3, "closed")]
    entry = bank.log(D3)["mart.customer_360"]
    assert (entry["rows_total"], entry["rows_changed"], entry["rows_removed"]) == (11, 1, 1)
    assert bank.changes(entry["delta_version"]) == [(BO, "update_postimage"), (BO, "update_preimage"), (CHEN, "delete")]


def test_a_short_table_is_not_published(bank: Bank) -> None:
    """2 of 12 customers are fewer than 0.9: nothing changes, and what the guard said is kept."""
    with pytest.raises(DataRejectedError, match=r"row_count_ratio\] 2 rows, before 12"):
        bank.publish(D4, without_scores=True)
    assert set(bank.customers()) == set(EVERYBODY)
    assert [row["rule"] for row in bank.rows(ops.QUALITY_RESULT) if not row["passed"]] == ["row_count_ratio"]
    assert bank.log(D4) == {}


def test_past_dates_are_never_restated(bank: Bank) -> None:
    with pytest.raises(UsageError, match=r"published as of \[2026-01-30\]"):
        bank.publish(date(2026, 1, 29))


def test_a_backfill_of_past_dates_passes_over_them(
    first: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `kequn_marts` asks: dates that are loaded again go through the chain to its end, without a JVM for its last job."""
    settings, before = first.context().settings, first.customers()
    monkeypatch.setenv("KEQUN_HOME", str(settings.home))
    assert kequn.main(["publish", "--as-of", str(D1 - timedelta(days=1)), "--unless-past"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job": "publish", "scope": "", "partition": "2026-01-29", "state": "nothing to do", "published_as_of": "2026-01-30",
    }  # fmt: skip
    assert first.customers() == before
    # What was published last, and what comes after it, is published.
    assert [publish._later(settings, Request(job="publish", since=day, until=day)) for day in (D1, D2)] == [None, None]


def test_missing_scores_stop_the_publication(bank: Bank) -> None:
    with pytest.raises(InputNotReadyError, match="kequn score --model churn"):
        bank.publish(D3)


def test_missing_segments_or_features_stop_the_publication(bank: Bank) -> None:
    with pytest.raises(InputNotReadyError, match=r"run `kequn features`"):
        bank.publish(date(2026, 2, 9))
    bank.features([(date(2026, 2, 9), ANNA)])
    with pytest.raises(InputNotReadyError, match="kequn segments --as-of 2026-02-09"):
        bank.publish(date(2026, 2, 9))


def test_a_bank_without_consents_and_models_has_an_empty_list(unasked: Bank, tmp_path: Path) -> None:
    """Berka: nobody was ever asked, so nobody may be contacted; the marts are published all the same."""
    bank = unasked.copied(tmp_path)
    bank.publish(D1)
    assert {row["marketable_flag"] for row in bank.customers().values()} == {False}
    assert {row["churn_probability"] for row in bank.customers().values()} == {None}
    assert bank.rows(mart.SEGMENT_LIST) == []
    assert {table: row["rows_total"] for table, row in bank.log(D1).items()} == {"mart.customer_360": 12, "mart.segment_list": 0}


def test_every_published_feature_permits_its_purpose() -> None:
    permitted = {published.feature: catalogue.feature(published.feature).purposes for published in mart.PUBLISHED_FEATURES}
    assert [published.feature for published in mart.PUBLISHED_FEATURES if published.purpose not in permitted[published.feature]] == []


def test_merged_segments_exist() -> None:
    rules = {scheme.name: {rule.name for rule in scheme.rules} for scheme in catalogue.SEGMENTATIONS}
    assert all({segment, into} <= rules[scheme] for (scheme, segment), into in mart.MERGED_SEGMENTS.items())
    assert tuple(rules) == mart.SCHEMES
