"""`kequn quarantine list`: which rows lie there, why, and which of them a later run of their delivery has resolved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from deltalake import write_deltalake
from pyarrow import Table as Arrow

from conf import settings as conf
from expectations.contracts import ops
from expectations.contracts.quarantine import quarantine_table
from jobs import __main__ as kequn
from jobs import tables

MONDAY, TUESDAY = date(2025, 12, 1), date(2025, 12, 2)
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> conf.Settings:
    monkeypatch.setenv("KEQUN_HOME", str(tmp_path_factory.mktemp("home")))
    return conf.load()


@pytest.fixture
def rejected(settings: conf.Settings) -> None:
    """Monday was taken in twice: the second time one of its two rows was set aside again. Tuesday once."""
    rows = [
        ("first", MONDAY, 7, ["no_owner"]),
        ("first", MONDAY, 9, ["amount_minor_missing", "no_owner"]),
        ("second", MONDAY, 9, ["amount_minor_missing"]),
        ("third", TUESDAY, 2, ["future_event"]),
    ]
    aside = [
        {
            "run_id": run, "feed": "transactions", "target": "core.transaction", "business_date": day, "line": line, "rules": rules,
            "file": f"transactions/business_date={day}/part-000.parquet", "record": json.dumps({"amount": "12,34"}),
        }
        for run, day, line, rules in rows
    ]  # fmt: skip
    runs = [
        {"run_id": run, "feed": "transactions", "business_date": day, "finished_at": datetime(2025, 12, 3, hour, tzinfo=UTC)}
        for run, day, hour in (("second", MONDAY, 2), ("first", MONDAY, 1), ("third", TUESDAY, 1))
    ]
    write_deltalake(tables.location(settings, quarantine_table("transactions")), Arrow.from_pylist(aside))
    write_deltalake(tables.location(settings, ops.DELIVERY), Arrow.from_pylist(runs))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Code, output and errors of `kequn quarantine list` with these words."""

    def run(*words: str) -> tuple[int, str, str]:
        code = kequn.main(["quarantine", "list", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_rows_are_counted_by_delivery_and_reasons(rejected: None, say: Say) -> None:
    code, out, _ = say()
    assert code == 0
    assert out.splitlines() == [
        "transactions  2025-12-01  core.transaction  amount_minor_missing  1 open",
        "transactions  2025-12-01  core.transaction  amount_minor_missing, no_owner  1 superseded",
        "transactions  2025-12-01  core.transaction  no_owner  1 superseded",
        "transactions  2025-12-02  core.transaction  future_event  1 open",
        "2 open of 4 rejected rows",
    ]


def test_rows_are_shown_one_a_line(rejected: None, say: Say) -> None:
    code, out, _ = say("--feed", "transactions", "--as-of", "2025-12-02", "--rows")
    row, total = out.splitlines()
    assert (code, total) == (0, "1 open of 1 rejected rows")
    assert json.loads(row) == {
        "feed": "transactions", "target": "core.transaction", "business_date": "2025-12-02", "line": 2, "rules": ["future_event"], "open": True,
        "file": "transactions/business_date=2025-12-02/part-000.parquet", "record": {"amount": "12,34"},
    }  # fmt: skip


def test_a_rule_finds_the_rows_that_break_it(rejected: None, say: Say) -> None:
    assert say("--rule", "no_owner")[1].splitlines()[-1] == "0 open of 2 rejected rows"
    # A rule that nobody broke is kept; one that is not there is no rule.
    assert say("--rule", "direction_unknown") == (0, "0 open of 0 rejected rows\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "no_ovner"), "No rule [no_ovner] about rows of ['account_parties', "),
        (("--feed", "balances", "--rule", "direction_unknown"), "No rule [direction_unknown] about rows of ['balances']; there are ['account_key_missing', "),
        (("--feed", "nope"), "Source [bank] has no feed [nope]; it has ['account_parties', "),
        (("--as-of", "2025-13-01"), "[2025-13-01] is not a business date"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_no_clean_night(settings: conf.Settings, say: Say, words: tuple[str, ...], said: str) -> None:
    code, _, told = say(*words)
    assert code == 2
    assert told.startswith(f"kequn quarantine: {said}")
