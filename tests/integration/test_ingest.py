"""Ingest on a landing zone written by hand: what lands, what is set aside, what is refused, and that every row is accounted for."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf import settings as conf
from expectations.contracts import core, ops
from expectations.contracts.quarantine import quarantine_table
from expectations.suites.deliveries import suite_of_files
from jobs import ledger, quality, tables
from jobs.context import JobContext, JobReport, Request, new_run_id, now
from jobs.errors import DataRejectedError, InputNotReadyError, InvariantError
from jobs.ingest import keys, outputs, quarantine, seal
from jobs.ingest.job import ingest
from tests.fixtures.home import Home
from tests.fixtures.landing import REFERENCE, balance, deliver, deliver_group, txn

DAY, NEXT = date(2025, 12, 30), date(2025, 12, 31)
Run = Callable[..., JobReport]


def key(kind: str, identifier: str) -> int:
    return keys.entity_key(keys.DEVELOPMENT_KEY, source="bank", kind=kind, identifier=identifier)


@pytest.fixture
def landing(settings: conf.Settings) -> Path:
    return settings.landing


@pytest.fixture
def run(context_for: Callable[..., JobContext]) -> Run:
    """Ingest a group and enter it in the ledger, as the runner does."""
    done: dict[tuple[str, date, date], int] = {}

    def one(group: str, since: date = DAY, until: date | None = None) -> JobReport:
        request = (group, since, until or since)
        # The prepared home holds the first run of its reference.
        done[request] = done.get(request, 0) + 1
        context = context_for("ingest", since, until, scope=group, generation=done[request])
        report = ingest(context)
        ledger.record(context, report, inputs="", seconds=0.0, peak_mb=0, finished_at=now())
        return report

    return one


@pytest.fixture(scope="module")
def prepared(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose reference is in for DAY, made once and copied for each test."""
    home = tmp_path_factory.mktemp("prepared")
    settings = conf.load("ci", variables={"KEQUN_HOME": str(home)})
    deliver_group(settings.landing, "reference", DAY, REFERENCE)
    request = Request(job="ingest", since=DAY, until=DAY, scope="reference")
    context = JobContext(settings=settings, request=request, spark=spark, run_id=new_run_id(), generation=0, started_at=now())
    ledger.record(context, ingest(context), inputs="", seconds=0.0, peak_mb=0, finished_at=now())
    return home


@pytest.fixture
def reference(prepared: Path, settings: conf.Settings, run: Run) -> Run:
    """The bank's reference is in for DAY."""
    shutil.copytree(prepared, settings.home, dirs_exist_ok=True)
    return run


def rows(context: JobContext, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in tables.read(context, table).select(*columns).collect())


def test_a_night_of_all_four_groups(landing: Path, reference: Run, context: JobContext, settings: conf.Settings) -> None:
    night = {
        "transactions": [
            txn("T1"),
            # 23:30 in Shanghai is after the cut-off of the 29th: it belongs to the 30th. 15:30 UTC.
            txn("T2", posted_at="2025-12-29 23:30:00"),
            # 10.00 USD at 7.1 = 71.00 CNY; the account belongs to C1 since 2025-12-01
            txn("T3", acct_no="A2", currency="USD", amount="10.00"),
            # JPY has no minor unit: 1000 at 0.05 = 50.00 CNY
            txn("T4", acct_no="A2", currency="JPY", amount="1000", posted_at="2025-12-30 09:00:00"),
        ],
        "balances": [balance("A1", "-5.50", "2025-12-30"), balance("A2", "100.00", "2025-12-30", "USD")],
    }
    deliver_group(landing, "transactions", DAY, night)
    visit = {"event_id": "E1", "cust_no": "C1", "occurred_at": "2025-12-30 08:00:00", "channel": "app", "event_type": "login"}
    deliver_group(landing, "channel", DAY, {"channel_events": [visit]})
    loan = {"loan_no": "L1", "acct_no": "A1", "change_date": "2025-12-30", "product_code": "P", "currency": "CNY", "contract_date": "2025-01-01",
            "principal": "1000.00", "outstanding": "900.00", "annual_rate": "0.045", "days_past_due": "0", "status": "active"}  # fmt: skip
    card = {"card_no": "K1", "acct_no": "A1", "change_date": "2025-12-30", "product_code": "P", "currency": "CNY", "open_date": "2025-01-01",
            "credit_limit": "500.00", "balance": "1.00", "status": "active"}  # fmt: skip
    due = {"acct_no": "A1", "instalment_no": "1", "due_date": "2025-12-30", "currency": "CNY", "due_amount": "10.00"}
    plan = {"plan_no": "R1", "acct_no": "A1", "start_date": "2025-12-30", "instalment": "10.00", "currency": "CNY", "status": "active"}
    deliver_group(
        landing, "credit", DAY,
        {
            "loans": [loan], "cards": [card], "instalments": [{"loan_no": "L1", **due}],
            "deposit_plans": [plan], "deposit_instalments": [{"plan_no": "R1", **due}],
        },
    )  # fmt: skip
    report = reference("transactions")
    reference("channel")
    reference("credit")

    assert report.rows == {"rows_in": 6, "inserted": 6, "updated": 0, "unchanged": 0, "duplicates": 0, "quarantined": 0}
    c1 = key("customer", "C1")
    assert rows(context, core.TRANSACTION, "transaction_id", "customer_key", "business_date", "amount_minor", "amount_base_minor") == [
        ("T1", c1, DAY, 1234, 1234), ("T2", c1, DAY, 1234, 1234), ("T3", c1, DAY, 1000, 7100), ("T4", c1, DAY, 1000, 5000),
    ]  # fmt: skip
    when = dict(rows(context, core.TRANSACTION, "transaction_id", "occurred_at"))
    assert (when["T1"], when["T2"]) == (datetime(2025, 12, 30, 2), datetime(2025, 12, 29, 15, 30))
    assert rows(context, core.BALANCE_DAILY, "balance_minor", "balance_base_minor") == [(-550, -550), (10000, 71000)]
    assert rows(context, core.TRANSACTION, "known_from")[0] == (datetime(2025, 12, 30, 17),)
    assert rows(context, core.CUSTOMER, "valid_from", "region") == [(DAY, "上海"), (DAY, "北京")]
    # The number of a contract holds its customer's: only hashes of it arrive, and what belongs together meets by them.
    card_id, loan_id, plan_id = (f"{key(*of):X}" for of in (("card", "K1"), ("loan", "L1"), ("plan", "R1")))
    assert set(rows(context, core.CREDIT_ACCOUNT, "credit_account_id", "kind", "annual_rate_ppm")) == {
        (card_id, "card", None),
        (loan_id, "loan", 45000),
    }
    assert rows(context, core.CREDIT_INSTALMENT, "credit_account_id", "customer_key") == [(loan_id, c1)]
    assert rows(context, core.DEPOSIT_PLAN, "plan_id", "account_key") == [(plan_id, key("account", "A1"))]
    assert rows(context, core.DEPOSIT_INSTALMENT, "plan_id", "customer_key") == [(plan_id, c1)]
    assert rows(context, core.CHANNEL_EVENT, "event_id", "customer_key") == [("E1", c1)]
    assert seal.seal(settings, Request(job="ingest", since=DAY, until=DAY)) == 0
    assert (settings.reports / "data_docs" / "index.html").exists()


def _checked(settings: conf.Settings, partition: str, rows_in: int) -> None:
    """A night's or a range's result of one suite, kept: one file of which the manifest says 1 row."""
    suite, file = suite_of_files("transactions", "transaction"), pd.DataFrame({"rows_in": [rows_in], "rows_listed": [1]})
    keep = quality.results_folder(settings, partition)
    quality.check_deliveries(suite, file, feed="transactions", table=core.TRANSACTION, keep=keep)


def test_data_docs_show_every_night_that_is_kept(settings: conf.Settings) -> None:
    def pages() -> dict[str, Path]:
        return {page.parts[-3]: page for page in (settings.reports / "data_docs" / "validations").rglob("*.html")}

    assert quality.build_docs(settings) is None
    first, second, third = "2025-01-01..2025-12-29", str(DAY), str(NEXT)
    _checked(settings, first, rows_in=1)
    index = quality.build_docs(settings)
    assert index is not None
    written = pages()[first].stat().st_mtime_ns
    _checked(settings, second, rows_in=2)
    quality.build_docs(settings)
    assert set(pages()) == {first, second}
    assert all(f"/{partition}/" in index.read_text(encoding="utf-8") for partition in (first, second))
    # What has its page keeps it, until it is checked again: then the page tells of that.
    quality.build_docs(settings)
    assert pages()[first].stat().st_mtime_ns == written
    assert "text-success" in pages()[first].read_text(encoding="utf-8")
    assert "text-success" not in pages()[second].read_text(encoding="utf-8")
    _checked(settings, second, rows_in=1)
    quality.build_docs(settings)
    assert "text-success" in pages()[second].read_text(encoding="utf-8")
    # Of three, the two that were checked last.
    _checked(settings, third, rows_in=1)
    two = settings.retention.model_copy(update={"data_docs_partitions": 2})
    quality.build_docs(settings.model_copy(update={"retention": two}))
    assert set(pages()) == {second, third}
    assert f"/{first}/" not in index.read_text(encoding="utf-8")


def test_rows_of_every_kind_are_accounted_for(landing: Path, reference: Run, context: JobContext, settings: conf.Settings) -> None:
    night = [
        *(txn(f"T{n}") for n in range(30)),
        txn("T0"),  # an equal copy: counted, one kept
        txn("D1"), txn("D1", amount="99.00"),  # one key, two contents: both set aside
        txn("O1", acct_no="nobody's"),
        txn("F1", posted_at="2026-03-01 10:00:00"),  # of the future
        txn("U1", amount="12,34"), txn("U2", posted_at="2025-02-30 10:00:00"), txn("U3", direction="X"), txn("U4", acct_no="A1\ufffd"),
    ]  # fmt: skip
    deliver_group(landing, "transactions", DAY, {"transactions": night, "balances": [balance("A1", "1.00", "2025-12-30")]})
    report = reference("transactions")

    assert (report.rows["rows_in"], report.rows["inserted"], report.rows["duplicates"], report.rows["quarantined"]) == (40, 31, 1, 8)
    found = quarantine.rejected(settings, ["transactions"])
    broken = sorted((one.line, one.rules) for one in found)
    assert broken == [
        (32, ("key_repeated_differently",)),
        (33, ("key_repeated_differently",)),
        (34, ("customer_key_missing", "no_owner")),
        (35, ("future_event",)),
        (36, ("amount_minor_missing", "amount_base_minor_missing")),
        (37, ("customer_key_missing", "business_date_missing", "occurred_at_missing", "no_owner")),
        (38, ("direction_unknown",)),
        (39, ("unreadable_row", "customer_key_missing", "no_owner")),
    ]
    # What Great Expectations counted is what was set aside for each rule.
    counted = {rule: n for rule, n in rows(context, ops.QUALITY_RESULT, "rule", "unexpected_rows") if n}
    for rule in {rule for one in found for rule in one.rules}:
        assert counted[rule] == sum(rule in one.rules for one in found), rule
    # The text stays, the account's number does not.
    record = json.loads(next(one.record for one in found if one.line == 36))
    assert record["amount"] == "12,34"
    assert "A1" not in record["acct_no"]


def test_corrections_late_rows_and_a_range_in_one_go(landing: Path, reference: Run, context: JobContext) -> None:
    deliver_group(landing, "reference", NEXT, {})
    deliver_group(landing, "transactions", DAY, {"transactions": [txn("T1"), txn("T2")], "balances": [balance("A1", "1.00", "2025-12-30")]})
    # The next night corrects T1, repeats T2, and brings T3 of the day before.
    later = [txn("T1", amount="20.00"), txn("T2"), txn("T3")]
    deliver_group(landing, "transactions", NEXT, {"transactions": later, "balances": [balance("A1", "2.00", "2025-12-31")]})
    reference("reference", NEXT)
    reference("transactions", DAY, NEXT)

    images = rows(context, core.TRANSACTION, "transaction_id", "amount_minor", "known_from", "known_to")
    first, second = datetime(2025, 12, 30, 17), datetime(2025, 12, 31, 17)
    assert images == [("T1", 1234, first, second), ("T1", 2000, second, None), ("T2", 1234, first, None), ("T3", 1234, second, None)]
    wanted = ("business_date", "rows_in", "inserted", "updated", "unchanged", "duplicates", "quarantined")
    delivered = tables.read(context, ops.DELIVERY).where("target = 'core.transaction'").select(*wanted).collect()
    assert sorted(map(tuple, delivered)) == [(DAY, 2, 2, 0, 0, 0, 0), (NEXT, 3, 1, 1, 1, 0, 0)]


def test_a_delivery_takes_rows_back(landing: Path, reference: Run, context: JobContext, settings: conf.Settings) -> None:
    """Of a deleted row the key is enough; what else it says counts nothing."""
    deliver_group(landing, "transactions", DAY, {"transactions": [txn("T1"), txn("T2")], "balances": [balance("A1", "1.00", "2025-12-30")]})
    reference("transactions")
    deliver_group(landing, "reference", NEXT, {"account_parties": [{"acct_no": "A1", "cust_no": "C2", "is_deleted": "Y"}]})
    assert reference("reference", NEXT).figures["deleted"] == {"account_parties -> core.account_party": 1}
    night: list[dict[str, str | None]] = [
        {"txn_id": "T1", "is_deleted": "Y"}, {"txn_id": "T1", "is_deleted": "Y", "amount": "9,9"},
        {"txn_id": "never told", "is_deleted": "Y", "direction": "X"},
        txn("T2"), txn("T2", is_deleted="Y"),  # it is, and it is not
        txn("T3", is_deleted="perhaps"), {"is_deleted": "Y"},
        txn("T4", is_deleted="N"),
    ]  # fmt: skip
    deliver_group(landing, "transactions", NEXT, {"balances": [balance("A1", "2.00", "2025-12-31")]})
    deliver(landing, "transactions", NEXT, night)
    report = reference("transactions", NEXT)

    told = {"rows_in": 8, "inserted": 2, "updated": 1, "unchanged": 0, "duplicates": 1, "quarantined": 4}
    assert report.figures["reconciled"]["transactions -> core.transaction"] == told
    assert report.figures["deleted"] == {"transactions -> core.transaction": 2}
    assert [(one.line, one.rules) for one in quarantine.rejected(settings, ["transactions"])] == [
        (4, ("key_repeated_differently",)), (5, ("key_repeated_differently",)), (6, ("is_deleted_missing",)), (7, ("transaction_id_missing",)),
    ]  # fmt: skip
    first, second = datetime(2025, 12, 30, 17), datetime(2025, 12, 31, 17)
    images = [
        ("T1", first, second, 1234, DAY), ("T1", second, second, None, None), ("T2", first, None, 1234, DAY), ("T4", second, None, 1234, DAY),
        ("never told", second, second, None, None),
    ]  # fmt: skip
    columns = ("transaction_id", "known_from", "known_to", "amount_minor", "business_date")
    assert rows(context, core.TRANSACTION, *columns) == images
    parties = tables.current(tables.read(context, core.ACCOUNT_PARTY), core.ACCOUNT_PARTY).select("account_key", "customer_key").collect()
    assert len(parties) == len(REFERENCE["account_parties"]) - 1
    assert (key("account", "A1"), key("customer", "C2")) not in set(map(tuple, parties))
    # The same delivery again is nothing new.
    version = tables.version(settings, core.TRANSACTION)
    assert reference("transactions", NEXT).rows["unchanged"] == 4
    assert tables.version(settings, core.TRANSACTION) == version


def test_a_deleted_row_without_amount_takes_no_part_in_the_control_sum(landing: Path, reference: Run) -> None:
    deliver_group(landing, "transactions", DAY, {"balances": [balance("A1", "1.00", "2025-12-30")]})
    night: list[dict[str, str | None]] = [txn("T1"), {"txn_id": "T0", "is_deleted": "Y"}]
    deliver(landing, "transactions", DAY, night, control={"amount_sum": "12.34"})
    assert reference("transactions").rows["inserted"] == 3
    deliver(landing, "transactions", DAY, night, control={"amount_sum": "12.35"})
    with pytest.raises(DataRejectedError, match="control_sum_matches_manifest"):
        reference("transactions")


def test_a_replay_after_a_mend_lands_what_was_orphaned(landing: Path, reference: Run, context: JobContext, settings: conf.Settings) -> None:
    deliver_group(
        landing,
        "transactions",
        DAY,
        {"transactions": [txn("T1"), txn("T2", acct_no="A9")], "balances": [balance("A1", "1.00", "2025-12-30")]},
    )
    reference("transactions")
    assert [one.is_open for one in quarantine.rejected(settings, ["transactions"])] == [True]
    party = {"acct_no": "A9", "cust_no": "C2", "role": "OWNER", "from_date": "2024-01-01"}
    deliver(landing, "account_parties", DAY, [*REFERENCE["account_parties"], party])
    reference("reference")
    told = Home(settings.home).run(sys.executable, "-m", "jobs", "quarantine", "replay", "--feed", "transactions", "--as-of", str(DAY))
    ran, replayed = map(json.loads, told.splitlines())
    assert ran["rows"] == {"rows_in": 3, "inserted": 1, "updated": 0, "unchanged": 2, "duplicates": 0, "quarantined": 0}
    assert replayed == {"feed": "transactions", "business_date": str(DAY), "resolved": 1, "still_rejected": 0, "new": 0}
    assert [one.is_open for one in quarantine.rejected(settings, ["transactions"])] == [False]
    assert tables.read(context, quarantine_table("transactions")).count() == 1


def test_facts_wait_for_the_reference(landing: Path, run: Run) -> None:
    deliver_group(landing, "transactions", DAY, {"transactions": [txn("T1")], "balances": [balance("A1", "1.00", "2025-12-30")]})
    with pytest.raises(InputNotReadyError, match=r"\[reference\] is not ingested for reference \[2025-12-30\]"):
        run("transactions")


def test_a_missing_group_keeps_the_night_open(reference: Run, settings: conf.Settings, context: JobContext) -> None:
    with pytest.raises(InputNotReadyError, match=r"channel \[2025-12-30\]; credit \[2025-12-30\]; transactions \[2025-12-30\]"):
        seal.seal(settings, Request(job="ingest", since=DAY, until=DAY))


def test_a_delivery_that_is_mostly_wrong_is_refused_and_told(landing: Path, reference: Run, context: JobContext) -> None:
    wrong = [txn(f"T{n}", amount="1.234,50") for n in range(20)]
    deliver_group(landing, "transactions", DAY, {"transactions": [txn("good"), *wrong], "balances": [balance("A1", "1.00", "2025-12-30")]})
    with pytest.raises(DataRejectedError, match=r"transactions -> core.transaction\] breaks \[quarantined_share_is_bearable\]"):
        reference("transactions")
    assert tables.version(context.settings, core.TRANSACTION) < 0
    refused = tables.read(context, ops.QUALITY_RESULT).where("job = 'ingest-rejected' and not passed and severity = 'stop'")
    assert [row["rule"] for row in refused.collect()] == ["quarantined_share_is_bearable"]


def test_a_control_sum_that_differs_is_refused(landing: Path, reference: Run) -> None:
    deliver_group(landing, "transactions", DAY, {"balances": [balance("A1", "1.00", "2025-12-30")]})
    deliver(landing, "transactions", DAY, [txn("T1")], control={"amount_sum": "12.35"})
    with pytest.raises(DataRejectedError, match="control_sum_matches_manifest"):
        reference("transactions")


def test_more_rows_than_the_manifest_says_are_refused(landing: Path, reference: Run) -> None:
    deliver_group(landing, "transactions", DAY, {"balances": [balance("A1", "1.00", "2025-12-30")]})
    deliver(landing, "transactions", DAY, [txn("T1"), txn("T2")], file_rows=1)
    with pytest.raises(DataRejectedError, match="row_count_matches_manifest"):
        reference("transactions")


def test_two_customers_behind_one_key_are_refused(reference: Run, context: JobContext) -> None:
    """A hash of sixty bits does not collide by itself: the second customer is given the first one's key."""
    mine = [(key("customer", "C1"), "bank", "C1"), (key("customer", "C1"), "bank", "C99"), (7, "bank", "C7")]
    names = "customer_key bigint, source_system string, source_id string"

    def check(*rows: tuple[Any, ...]) -> None:
        outputs.check_collisions(context, context.spark.createDataFrame(list(rows), names))

    check(mine[0], mine[2])
    said = rf"Customer keys \[{mine[0][0]}\] stand for more than one source id; another key_secret avoids the collision"
    with pytest.raises(InvariantError, match=said):
        check(mine[0], mine[1])
    with pytest.raises(InvariantError, match=said):
        check(mine[1])  # C1 is in core.customer_identity since its first delivery
    others = (f"cast(null as {column.type}) as {column.name}" for column in core.CUSTOMER_IDENTITY.columns[1:])
    gone = context.spark.sql(f"select {mine[0][0]}L as customer_key, true as is_deleted, date'{NEXT}' as valid_from, {', '.join(others)}")
    tables.merge_intervals(context, core.CUSTOMER_IDENTITY, gone)
    check(mine[0])  # a deleted one has no id, and is nobody else
