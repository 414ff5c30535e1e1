"""What bad input gets, on a small simulated bank: a message that helps, the right exit code, and tables that lost nothing.

The catalogue of faults (jobs.simulate.faults) says what ingest must make of each; here each is held to it. Faults that
are found before Spark reads a row are met one after the other on the same bank, which they must leave as it was.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf import settings as conf
from conf import sources
from conf.settings import Settings
from expectations.contracts import core, ops
from expectations.contracts.quarantine import quarantine_table
from expectations.contracts.types import Table
from expectations.landing import LANDING_RULES
from jobs import __main__ as kequn
from jobs import ledger, session, tables
from jobs.context import JobContext, JobReport, Request, RunContext, new_run_id, now
from jobs.errors import DataRejectedError, InputNotReadyError, KequnError
from jobs.ingest import order as orders
from jobs.ingest import quarantine, refusal
from jobs.ingest.job import ingest
from jobs.ingest.refusal import Breach, DeliveryRejectedError
from jobs.simulate.bank import simulate
from jobs.simulate.faults import FAULTS
from tests.fixtures.landing import REFERENCE, deliver_group

FIRST, END = date(2025, 10, 1), date(2025, 11, 30)
MONDAY, TUESDAY, WEDNESDAY = date(2025, 12, 1), date(2025, 12, 2), date(2025, 12, 3)
FACTS = (core.TRANSACTION, core.BALANCE_DAILY)
TARGETS = {"transactions": "core.transaction", "balances": "core.balance_daily"}
CODES = {"rejected": (DataRejectedError, 20), "not_ready": (InputNotReadyError, 30)}

# Faults that are found without reading rows: the feed that is broken and what the message must name besides it.
BEFORE_SPARK = {
    "manifest_missing": ("transactions", r"No manifest yet .*transactions \[2025-12-01\]; wait for the delivery, or add a waiver"),
    "checksum_differs": ("transactions", r"has sha256 \[[0-9a-f]{12}…\], the manifest says \[000000000000…\]"),
    "feed_of_another_bank": ("balances", r"is a feed of \[another_bank\], this deployment ingests \[bank\]"),
    "gzip_truncated": ("balances", r"has \[\d+\] bytes, the manifest says \[\d+\]"),
    "gzip_truncated_vouched": ("balances", r"is not a whole gzip file"),
    "encoding_wrong": ("balances", r"is written in UTF-16 or UTF-32, the mapping says encoding \[UTF-8\]"),
    "column_missing": ("transactions", r"columns differ \(missing \['is_deleted'\], extra \[\]\)"),
    "column_extra": ("balances", r"columns differ \(missing \[\], extra \['surprise'\]\)"),
    "column_renamed": ("balances", r"missing \['ledger_balance'\], extra \['ledger_balance_new'\]"),
    "columns_reordered": ("balances", r"the order differs"),
    "column_type_changed": ("transactions", r"changed types \['amount double'\]; every column is delivered as text"),
    "last_line_half_written": ("balances", r"ends in the middle of a line: half written"),
    "empty_on_business_day": (
        "transactions",
        r"Empty on a working day: transactions \[2025-12-01\]; ask the source, or declare may_be_empty",
    ),
}
# The rule that each is recorded under. A delivery that is not there is none: it is asked for again and again.
BROKEN_BEFORE_SPARK = {
    "checksum_differs": "checksum_matches_manifest",
    "feed_of_another_bank": "source_is_ours",
    "gzip_truncated": "bytes_match_manifest",
    "gzip_truncated_vouched": "file_is_whole",
    "encoding_wrong": "encoding_is_declared",
    "column_missing": "columns_match_mapping",
    "column_extra": "columns_match_mapping",
    "column_renamed": "columns_match_mapping",
    "columns_reordered": "columns_are_in_order",
    "column_type_changed": "columns_are_text",
    "last_line_half_written": "lines_are_whole",
    "empty_on_business_day": "not_empty_on_a_working_day",
}
# Faults that the batch rules find.
BY_BATCH_RULES = {"row_count_differs": "row_count_matches_manifest", "decimals_continental": "quarantined_share_is_bearable"}


class Bank:
    """A simulated bank's home and how its feeds are taken in, each request in its next generation, as the runner does."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        self.spark, self.home = spark, home
        self.settings: Settings = conf.load("ci", variables={"KEQUN_HOME": str(home)})

    def copied_to(self, home: Path) -> Bank:
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        return Bank(self.spark, home)

    def context(self, group: str, since: date, until: date) -> JobContext:
        request = Request(job="ingest", since=since, until=until, scope=group)
        return JobContext(
            settings=self.settings, request=request, spark=self.spark, run_id=new_run_id(), generation=len(ledger.runs(self.settings, request)),
            started_at=now(), stands_on=new_run_id(),
        )  # fmt: skip

    def ingest(self, group: str, since: date, until: date | None = None) -> JobReport:
        context = self.context(group, since, until or since)
        report = ingest(context)
        ledger.record(context, report, inputs="", seconds=0.0, peak_mb=0, finished_at=now())
        return report

    def versions(self) -> dict[str, int]:
        """Of all that ingest writes, but the facts about checks."""
        written = (*core.TABLES, *(quarantine_table(feed) for feed in TARGETS), ops.DELIVERY, ops.RUN)
        return {table.full_name: tables.version(self.settings, table) for table in written}

    def refusals(self) -> list[dict[str, Any]]:
        """What refused deliveries broke, oldest first."""
        return refusals(self.settings)

    def content(self, table: Table) -> list[tuple[str, ...]]:
        frame = tables.read(self.context("transactions", END, END), table)
        return sorted(tuple(map(str, row)) for row in frame.collect())

    def in_force(self, table: Table) -> list[tuple[str, ...]]:
        frame = tables.current(tables.read(self.context("transactions", END, END), table), table)
        return sorted(tuple(map(str, row)) for row in frame.select(*(column.name for column in table.columns)).collect())

    @contextmanager
    def broken(self, fault: str, feed: str, day: date) -> Iterator[None]:
        """The delivery with the fault; mended afterwards."""
        folder = self.settings.landing / feed / f"business_date={day}"
        whole = self.home / f"whole-{feed}"
        shutil.copytree(folder, whole)
        FAULTS[fault](self.settings.landing, feed, day)
        try:
            yield
        finally:
            shutil.rmtree(folder)
            whole.rename(folder)


def refusals(settings: Settings) -> list[dict[str, Any]]:
    """Grain: run × feed × table × stopping rule that a refused delivery broke, oldest first; read without Spark."""
    opened = tables.log(settings, ops.QUALITY_RESULT)
    found = opened.to_pyarrow_table().to_pylist() if opened else []
    stopped = [row for row in found if row["job"] == "ingest-rejected" and row["severity"] == "stop" and not row["passed"]]
    return sorted(stopped, key=lambda row: row["finished_at"])


@pytest.fixture(scope="module")
def history(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Two months are in; of the three days after them the reference. The last of them has late, corrected and bad rows."""
    bank = Bank(spark, tmp_path_factory.mktemp("bank"))
    simulate(out=bank.home, customers=300, months=2, seed=7, end=END, nights=(WEDNESDAY - END).days, faults=True, workers=1)
    bank.ingest("reference", FIRST, WEDNESDAY)
    bank.ingest("transactions", FIRST, END)
    return bank


@pytest.fixture(scope="module")
def nights(history: Bank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The history, and the three days after it in their order."""
    bank = history.copied_to(tmp_path_factory.mktemp("nights"))
    bank.ingest("transactions", MONDAY, TUESDAY)
    bank.ingest("transactions", WEDNESDAY)
    return bank


# --- deliveries that are refused ----------------------------------------------------------------------------------


def _refused(bank: Bank, fault: str, feed: str, day: date) -> tuple[str, list[dict[str, Any]]]:
    """The message, and the facts that tell of it; the other tables must be as before."""
    before, told = bank.versions(), bank.refusals()
    kind, code = CODES[FAULTS[fault].expected]
    with bank.broken(fault, feed, day), pytest.raises(kind) as refused:
        bank.ingest("transactions", day)
    assert refused.value.exit_code == code
    assert bank.versions() == before
    return str(refused.value), bank.refusals()[len(told) :]


@pytest.mark.parametrize("fault", BEFORE_SPARK)
def test_a_delivery_that_is_not_what_it_should_be(history: Bank, fault: str) -> None:
    feed, said = BEFORE_SPARK[fault]
    message, facts = _refused(history, fault, feed, MONDAY)
    assert feed in message
    assert str(MONDAY) in message
    _says(message, said)
    if FAULTS[fault].expected == "not_ready":
        assert facts == []
        return
    (fact,) = facts
    told = ("transactions", str(MONDAY), feed, TARGETS[feed], BROKEN_BEFORE_SPARK[fault], LANDING_RULES[BROKEN_BEFORE_SPARK[fault]], 1, 1)
    assert told == tuple(
        fact[name] for name in ("scope", "partition", "feed", "checked_table", "rule", "because", "checked_rows", "unexpected_rows")
    )
    assert f"{feed}/business_date={MONDAY}" in fact["observed"]
    assert fault == "empty_on_business_day" or fact["observed"] in message


def test_a_refusal_that_cannot_be_recorded_is_still_that_refusal(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request(job="ingest", since=MONDAY, until=MONDAY, scope="transactions")
    run = RunContext(settings=settings, request=request, run_id=new_run_id(), generation=0, started_at=now())
    (settings.home / "warehouse").write_text("a file where a folder should be", encoding="utf-8")
    breach = Breach(rule="file_is_whole", said="is not whole", feed="balances", day=MONDAY)
    with pytest.raises(DeliveryRejectedError, match="Rejected"), refusal.told(run, orders.order_of(settings, request)):
        raise DeliveryRejectedError("Rejected", [breach])
    _says(capsys.readouterr().err, r"kequn ingest: the refusal could not be recorded: .*warehouse")


@pytest.mark.parametrize("fault", BY_BATCH_RULES)
def test_a_delivery_that_breaks_a_batch_rule(history: Bank, fault: str) -> None:
    message, facts = _refused(history, fault, "transactions", MONDAY)
    _says(message, rf"transactions -> core.transaction\] breaks \[{BY_BATCH_RULES[fault]}\]")
    assert [(fact["checked_table"], fact["rule"]) for fact in facts] == [("core.transaction", BY_BATCH_RULES[fault])]


def test_every_fault_of_the_catalogue_that_refuses_is_tried() -> None:
    refused = {fault.name for fault in FAULTS.values() if fault.expected in CODES}
    assert set(BROKEN_BEFORE_SPARK) == {name for name in BEFORE_SPARK if FAULTS[name].expected == "rejected"}
    assert refused == set(BEFORE_SPARK) | set(BY_BATCH_RULES)


def _says(message: str, pattern: str) -> None:
    assert re.search(pattern, message), message


# --- deliveries that are taken ------------------------------------------------------------------------------------


def _reconciles(report: JobReport) -> None:
    rows = report.rows
    assert rows["rows_in"] == sum(rows[name] for name in ("inserted", "updated", "unchanged", "duplicates", "quarantined"))


def test_a_night_with_bad_rows_lands_the_good_ones(nights: Bank) -> None:
    rejected = [one for one in quarantine.rejected(nights.settings, ["transactions", "balances"]) if one.business_date == WEDNESDAY]
    rules = {rule for one in rejected for rule in one.rules}
    assert {
        "amount_minor_missing",
        "no_owner",
        "future_event",
        "business_date_missing",
        "type_unknown",
        "key_repeated_differently",
    } <= rules
    transactions = tables.read(nights.context("transactions", WEDNESDAY, WEDNESDAY), core.TRANSACTION)
    assert transactions.where(F.col("business_date") > F.lit(WEDNESDAY)).count() == 0
    (run,) = ledger.runs(nights.settings, Request(job="ingest", since=WEDNESDAY, until=WEDNESDAY, scope="transactions"))
    assert '"updated": 0' not in run["rows"]  # corrections


def test_days_that_come_out_of_order_give_the_same_tables(history: Bank, nights: Bank, tmp_path: Path) -> None:
    bank = history.copied_to(tmp_path / "bank")
    for since, until in ((WEDNESDAY, WEDNESDAY), (MONDAY, TUESDAY)):
        _reconciles(bank.ingest("transactions", since, until))
    assert {table.name: bank.content(table) for table in FACTS} == {table.name: nights.content(table) for table in FACTS}
    # And the file of the day before as today's: whatever is in force stays so.
    with bank.broken("file_of_yesterday_again", "transactions", TUESDAY), bank.broken("file_of_yesterday_again", "balances", TUESDAY):
        report = bank.ingest("transactions", TUESDAY)
    _reconciles(report)
    assert (report.rows["inserted"], report.rows["updated"]) == (0, 0)
    assert {table.name: bank.in_force(table) for table in FACTS} == {table.name: nights.in_force(table) for table in FACTS}


# --- deployments that can't work, by the command ------------------------------------------------------------------


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run `kequn ingest` for the reference of a day in this process. Everything here ends before a JVM starts: a session
    would be the one of all tests, and ended by the command.
    """

    def started(*_: object, **__: object) -> None:
        raise AssertionError("it got as far as Spark")

    monkeypatch.setattr(session, "build", started)

    def run(**variables: str) -> tuple[int, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code = kequn.main(["ingest", "--group", "reference", "--as-of", str(MONDAY)])
        return code, capsys.readouterr().err

    return run


def test_nothing_delivered_is_not_ready(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = say(KEQUN_HOME=str(tmp_path))
    assert code == 30
    _says(said, r"kequn ingest: No manifest yet in \[.*landing\] for .*customers \[2025-12-01\]")


def test_a_manifest_that_cannot_be_read_is_a_fact(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    deliver_group(tmp_path / "landing", "reference", MONDAY, REFERENCE)
    (tmp_path / "landing" / "customers" / f"business_date={MONDAY}" / "_manifest.json").write_text("{", encoding="utf-8")
    code, said = say(KEQUN_HOME=str(tmp_path))
    assert code == 20
    _says(
        said, r"kequn ingest: The manifest \[.*customers/business_date=2025-12-01/_manifest.json\] can't be read: (.|\n)*; ask the source"
    )
    told = refusals(conf.load("ci", variables={"KEQUN_HOME": str(tmp_path)}))
    # Of every table that the feed is for.
    assert sorted((fact["feed"], fact["checked_table"], fact["rule"]) for fact in told) == [
        ("customers", "core.customer", "manifest_is_readable"),
        ("customers", "core.customer_identity", "manifest_is_readable"),
    ]
    assert all(fact["observed"] in said for fact in told)


def test_a_disk_that_cannot_be_written(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be", encoding="utf-8")
    code, said = say(KEQUN_HOME=str(tmp_path / "home"))
    assert code == 10
    _says(said, r"lock folder \[.*home/locks\] can't be written: .*; check paths.home")


def test_an_environment_or_a_mapping_that_is_not_there(say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = say(KEQUN_HOME=str(tmp_path), KEQUN_SOURCE="atlantis")
    assert code == 10
    _says(said, r"\[atlantis\].*bank")
    code, said = say(KEQUN_ENV="moon")
    assert code == 10
    _says(said, r"No environment \[moon\] in conf/env; there are \['ci'")


def with_conf(monkeypatch: pytest.MonkeyPatch, folder: Path, place: str, change: Callable[[str], str]) -> None:
    """The settings and mappings of this house, one file of them changed."""
    shutil.copytree(conf.CONF, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    whole = (folder / place).read_text(encoding="utf-8")
    assert change(whole) != whole
    (folder / place).write_text(change(whole), encoding="utf-8")
    for load in (conf.load, sources.load, sources.calendar):
        monkeypatch.setitem(load.__kwdefaults__, "folder", folder)


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        ("sources/bank.yml", lambda text: text.replace("  opened_on:", "  opened_in:", 1), r"opened_in"),
        (
            "sources/bank.yml",
            lambda text: text.replace("opened_on: to_day(open_date)", "opened_on: to_day(open_date, city)", 1),
            r"customers -> core.customer\]: column \[opened_on\]: .*\[to_day\] takes \['text'\]",
        ),
        ("env/ci.yml", lambda text: f"{text}\nsparkle: 1\n", "sparkle"),
    ],
    ids=["unknown column", "broken expression", "unknown key of settings"],
)
def test_a_mapping_or_settings_that_cannot_be_used_end_with_10_and_write_nothing(
    say: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
    change: Callable[[str], str],
    said: str,
) -> None:
    with_conf(monkeypatch, tmp_path / "conf", place, change)
    deliver_group(tmp_path / "landing", "reference", MONDAY, REFERENCE)
    code, told = say(KEQUN_HOME=str(tmp_path))
    assert code == 10, told
    _says(told, said)
    assert not (tmp_path / "warehouse").exists()


def test_a_scheduler_tells_failures_apart() -> None:
    codes = {kind.__name__: kind.exit_code for kind in KequnError.__subclasses__()}
    assert codes.items() >= {
        "UsageError": 2, "ConfigurationError": 10, "DataRejectedError": 20, "InputNotReadyError": 30, "ConflictError": 40, "GateError": 50,
        "InvariantError": 70,
    }.items()  # fmt: skip
