"""The report from literal tables: figures add up, the page needs nothing from outside, and says so where there is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import Row

from conf.settings import Settings
from expectations.contracts import features, ops, scores
from expectations.contracts.types import Table
from jobs import report, tables
from jobs.context import JobContext
from jobs.report_page import console, facts, sections, summary

Contexts = Callable[..., JobContext]
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 2)
AT = datetime(2026, 1, 3, 2, 0, tzinfo=UTC)


def _frame(context: JobContext, table: Table, rows: list[dict[str, Any]]) -> Any:
    names = [column.name for column in table.columns]
    ddl = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return context.spark.createDataFrame([Row(**{name: row.get(name) for name in names}) for row in rows], ddl)


def _run(job: str, partition: str, *, scope: str = "", figures: dict[str, Any] | None = None, **rows: int) -> dict[str, Any]:
    return {
        "run_id": f"{job}-{scope}-{partition}", "job": job, "scope": scope, "partition": partition, "generation": 0, "inputs": "{}",
        "outputs": "{}", "rows": json.dumps(rows), "figures": json.dumps(figures or {}), "seconds": 10.0, "peak_mb": 1024,
        "code_version": "c", "finished_at": AT,
    }  # fmt: skip


TRAINED = {
    "title": "Churn", "title_zh": "流失", "metrics": {"auc": 0.83}, "baseline": {"title": "silence", "auc": 0.74}, "unseen": {"auc": 0.82},
    "curves": {"roc": [[0, 0], [0.2, 0.8], [1, 1]], "lift": [[0.1, 4.0], [1, 1]], "calibration": [[0.01, 0.02, 50], [0.3, 0.28, 50]]},
    "gate": {"passed": True, "because": [], "checks": []}, "registered": {"version": "0001"},
    "snapshots": {"train": ["2024-05-31", "2024-06-30"], "calibrate": ["2024-07-31"], "test": ["2024-10-31"]},
    "counts": {
        "train": {"rows": 1100, "positives": 12}, "calibrate": {"rows": 500, "positives": 7}, "test": {"rows": 100, "positives": 9},
    },
    "importance": {"features": [{"name": "activity__days_since_last", "share": 0.4}], "reasons": [{"name": "recency", "share": 0.6}]},
}  # fmt: skip
# 3 customers on the first date, 4 on the second: one moves from mass to affluent, one joins.
SEGMENTS = [
    (1, FIRST, "mass"),
    (2, FIRST, "mass"),
    (3, FIRST, "affluent"),
    (1, LAST, "affluent"),
    (2, LAST, "mass"),
    (3, LAST, "affluent"),
    (4, LAST, "mass"),
]
# What corrections changed: one feature in more rows than the other, which has names.
REVISED = {
    "dates": 2, "revised": 1100, "withdrawn": 1, "by_date": {str(FIRST): {"revised": 600, "withdrawn": 1}, str(LAST): {"revised": 500, "withdrawn": 0}},
    "features": {
        "activity__out_sum_30d": {"rows": 1100, "came_or_went": 1, "filled": 0, "mean_change": 2.5, "largest_change": 1234.5},
        "activity__last_channel": {"rows": 3, "came_or_went": 1, "filled": 0, "mean_change": None, "largest_change": None},
    },
}  # fmt: skip
# 10 rows in = 6 new + 1 changed + 1 unchanged + 0 duplicates + 2 set aside.
DELIVERY = {
    "run_id": "r", "feed": "transactions", "business_date": LAST, "target": "core.transaction", "rows_in": 10, "inserted": 6, "updated": 1,
    "unchanged": 1, "duplicates": 0, "quarantined": 2, "finished_at": AT,
}  # fmt: skip
# The same date told a night later, mended but for one row: 10 rows in = 1 new + 8 unchanged + 1 set aside.
TOLD_AGAIN = {
    **DELIVERY, "run_id": "again", "inserted": 1, "updated": 0, "unchanged": 8, "quarantined": 1, "finished_at": AT + timedelta(days=1),
}  # fmt: skip
# A feed of two tables: its 5 rows are delivered once, one of them is set aside from the identity.
CUSTOMERS = [
    {
        **DELIVERY,
        "feed": "customers",
        "target": "core.customer",
        "rows_in": 5,
        "inserted": 5,
        "updated": 0,
        "unchanged": 0,
        "quarantined": 0,
    },
    {**DELIVERY, "feed": "customers", "target": "core.customer_identity", "rows_in": 5, "inserted": 3, "updated": 0, "quarantined": 1},
]


def _check(rule: str, severity: str, *, passed: bool, rows: int = 0) -> dict[str, Any]:
    return {
        "run_id": "r", "job": "ingest", "scope": "transactions", "partition": str(LAST), "feed": "transactions",
        "checked_table": "core.transaction", "rule": rule, "because": f"{rule} <must> hold", "severity": severity, "passed": passed,
        "checked_rows": 10, "unexpected_rows": rows, "observed": None, "finished_at": AT,
    }  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    from conf import settings as conf
    from jobs.context import Request

    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("report"))})
    context = JobContext(
        settings=settings, request=Request(job="test", since=FIRST, until=LAST), spark=spark, run_id="r", generation=0, started_at=AT
    )
    trained = _run("train", str(FIRST), scope="churn", figures=TRAINED, train_rows=100)
    runs = [
        _run("ingest", str(LAST), scope="transactions", rows_in=10, inserted=6, updated=1, quarantined=2),
        trained,
        _run("ingest", "2025-12-31"),
    ]
    checks = [
        _check("future_event", "quarantine", passed=False, rows=2),
        _check("volume_ratio", "warn", passed=False),
        _check("key_unique", "stop", passed=True),
    ]
    tables.append(context, ops.RUN, _frame(context, ops.RUN, runs))
    tables.append(context, ops.DELIVERY, _frame(context, ops.DELIVERY, [DELIVERY, *CUSTOMERS, TOLD_AGAIN]))
    tables.append(context, ops.QUALITY_RESULT, _frame(context, ops.QUALITY_RESULT, checks))
    segments = [
        {"customer_key": key, "as_of_date": day, "scheme": "asset_tier", "segment": segment, "because": "b", "version": 1}
        for key, day, segment in SEGMENTS
    ]
    tables.replace(context, features.SEGMENT_DAILY, _frame(context, features.SEGMENT_DAILY, segments), where="true")
    scored = [
        {
            "customer_key": key,
            "as_of_date": LAST,
            "model_version": "0001",
            "churn_probability": chance,
            "churn_band": band,
            "reason_1": None if chance is None else "recency",
        }
        for key, chance, band in (
            (1, 0.9, "high"),
            (2, 0.01, "low"),
            (-1, 0.5, "high"),
            (3, None, "gone"),
            (4, None, "new"),
            (5, None, "gone"),
        )
    ]
    tables.replace(context, scores.CHURN, _frame(context, scores.CHURN, scored), where="true")
    return settings


def test_summary_adds_up(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    told = summary.summary(found, source="bank", environment="ci")
    assert [(step["job"], step["rows_in"], step["rows_out"], step["rows_quarantined"]) for step in told["steps"]] == [
        ("ingest", 10, 7, 2), ("train", None, None, None),
    ]  # fmt: skip
    assert {name: told["checks"][name] for name in ("passed", "warned", "failed", "quarantining")} == {
        "passed": 1, "warned": 1, "failed": 0, "quarantining": 1,
    }  # fmt: skip
    assert told["segments"] == {"as_of": "2026-01-02", "asset_tier": {"affluent": 2, "mass": 2}}
    assert told["models"]["churn"]["metrics"] == {"auc": 0.83}
    assert (told["scored"], told["unscored"]) == ({"high": 2, "low": 1}, {"gone": 2, "new": 1})
    assert told["customers"] == 4


def test_corrected_features_are_told_by_table(warehouse: Settings) -> None:
    night = {**_run("features", str(LAST)), "rows": {}, "outputs": {}, "figures": {"revised": {"features.activity_v1": REVISED}}}
    found = facts.gather(warehouse, FIRST, LAST)
    found = replace(found, runs=[*found.runs, night])
    told = summary.summary(found, source="bank", environment="ci")
    assert told["corrections"] == [
        {
            "partition": "2026-01-02", "table": "features.activity_v1", "dates": 2, "revised": 1100, "withdrawn": 1, "features": 2,
            "most": "activity__out_sum_30d", "rows": 1100, "mean_change": 2.5, "largest_change": 1234.5,
        }
    ]  # fmt: skip
    page = report.render(found, told)
    assert all(f'<td class="n">{number}</td>' in page for number in ("1,100", "2.50", "1,234.50"))
    nothing = facts.gather(warehouse, FIRST, LAST)
    silent = summary.summary(nothing, source="bank", environment="ci")
    assert silent["corrections"] == []
    assert "corrected" not in report.render(nothing, silent)


def test_every_delivered_row_is_counted_once(warehouse: Settings) -> None:
    """A date that was told twice, and a feed of two tables: 10 + 5 rows; the tables are reconciled one by one."""
    found = facts.gather(warehouse, FIRST, LAST)
    told = summary.summary(found, source="bank", environment="ci")
    assert told["rows"] == {"rows_in": 15, "inserted": 4, "updated": 0, "unchanged": 9, "duplicates": 0, "quarantined": 2}
    assert [(feed["feed"], feed["rows_in"], feed["quarantined"], feed["reconciled"]) for feed in told["delivered"]] == [
        ("customers", 5, 1, True), ("transactions", 10, 1, True),
    ]  # fmt: skip
    assert [(feed["target"], feed["dates"], feed["rows_in"], feed["inserted"], feed["reconciled"]) for feed in told["feeds"]] == [
        ("core.customer", 1, 5, 5, True), ("core.customer_identity", 1, 5, 3, True), ("core.transaction", 1, 10, 1, True),
    ]  # fmt: skip
    assert [(card["name"], card["rows"]) for card in sections.feeds(found)] == [("customers", 5), ("transactions", 10)]


def test_a_terminal_is_told_in_short(warehouse: Settings) -> None:
    told = summary.summary(facts.gather(warehouse, FIRST, LAST), source="bank", environment="ci")
    assert [" ".join(line.split()) for line in console.lines(told)] == [
        "feed delivered new changed known set aside adds up",
        "customers 5 3 0 1 1 yes",
        "transactions 10 1 0 8 1 yes",
        "all 15 4 0 9 2 yes",
        "",
        "checks 1 passed, 1 warned, 0 failed, 1 set rows aside",
        "customers 4 as of 2026-01-02",
        "asset_tier affluent 2, mass 2",
        "model churn 0001 is champion (positives: train 12 of 1,100, calibrate 7 of 500, test 9 of 100)",
        "auc 0.83",
    ]


def test_a_terminal_is_told_of_a_bank_without_anything() -> None:
    told = summary.summary(facts.Facts(since=FIRST, until=LAST), source="bank", environment="ci")
    assert [line.split()[0] for line in console.lines(told) if line] == ["feed", "all", "checks", "segments", "models"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            {"registered": {"version": "0002", "champion": "0001"}, "counts": {"test": {"rows": 10, "positives": 3}}},
            "0002 refused, 0001 stays champion: auc [0.5] must be at least 0.7 (limit) (positives: test 3 of 10)",
        ),
        (
            {"registered": {"version": "0001", "champion": None}, "counts": {"test": {"rows": 10, "positives": 3}}},
            "0001 refused, no champion: auc [0.5] must be at least 0.7 (limit) (positives: test 3 of 10)",
        ),
        ({}, "no model: auc [0.5] must be at least 0.7 (limit)"),
    ],
)
def test_a_refusal_is_told_with_its_counts(model: dict[str, Any], expected: str) -> None:
    assert console.verdict({"gate": {"passed": False, "because": ["auc [0.5] must be at least 0.7 (limit)"]}, **model}) == expected


# Two jobs of 10 s ran side by side within 12 s; Airflow's processes were beside them.
MEASURED = {"steps": {"history": {"seconds": 12.0, "peak_mb": 2048}, "night": {"seconds": 3.5, "peak_mb": 3072}}, "peak_mb": 3072}


def test_measured_figures_are_the_headline(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    told = summary.summary(found, source="bank", environment="ci", measured=MEASURED)
    assert (told["seconds"], told["peak_mb"], told["seconds_are"]) == (15.5, 3072, "measured")
    assert (told["job_seconds"], told["job_peak_mb"]) == (20.0, 1024)
    text = report.render(found, told)
    assert "<b>16 s</b><span>on the clock, in 2 stages · peak 3.0 GiB of all processes" in text


def test_jobs_added_up_are_called_so(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    told = summary.summary(found, source="bank", environment="ci")
    assert (told["seconds"], told["peak_mb"], told["seconds_are"]) == (20.0, 1024, "jobs added up")
    assert "<b>20 s</b><span>of 2 jobs added up, though some ran side by side · largest job 1.0 GiB" in report.render(found, told)


def test_moves_between_the_last_two_dates(warehouse: Settings) -> None:
    moves = {(row["before"], row["after"]): row["customers"] for row in facts.gather(warehouse, FIRST, LAST).moves}
    assert moves == {("mass", "mass"): 1, ("mass", "affluent"): 1, ("affluent", "affluent"): 1, (None, "mass"): 1}


def test_the_page_of_one_night_tells_who_moved_since_the_night_before(warehouse: Settings) -> None:
    night = facts.gather(warehouse, LAST, LAST)
    assert night.moves == facts.gather(warehouse, FIRST, LAST).moves
    text = report.render(night, summary.summary(night, source="bank", environment="ci"))
    assert "2026-01-01 → 2026-01-02" in text
    assert "2 of 4 moved" in text
    # before the first date there was nothing to move from
    assert facts.gather(warehouse, FIRST, FIRST).moves == []


def test_months_rows_and_positives_of_each_split_are_told(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    text = report.render(found, summary.summary(found, source="bank", environment="ci"))
    assert "Trained 训练 on 2024-05-31 to 2024-06-30 (2 month-ends): 1,100 rows, 12 positive · " in text
    assert "calibrated 校准 on 2024-07-31: 500 rows, 7 positive · tested 测试 on 2024-10-31: 100 rows, 9 positive." in text
    assert f"its own outcomes were known by {FIRST}" in text


def test_the_likeliest_come_first_with_pseudonyms(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    assert [(row["customer_key"], row["churn_probability"]) for row in found.leaving] == [(1, 0.9), (-1, 0.5), (2, 0.01)]
    assert "ffffffffffffffff" in report.render(found, summary.summary(found, source="bank", environment="ci"))


def test_who_is_not_scored_is_left_out_and_counted(warehouse: Settings) -> None:
    found = facts.gather(warehouse, FIRST, LAST)
    assert sum(row["customers"] for row in found.churn_bins) == 3
    page = report.render(found, summary.summary(found, source="bank", environment="ci"))
    assert "Left out, as the model says nothing about them: 2 gone already 已流失, 1 too new to be judged 新客户." in page


def test_the_page_needs_nothing_from_outside(warehouse: Settings) -> None:
    page = report.write(warehouse, FIRST, LAST)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(|\ssrc=", text)
    assert text.count("<svg") >= 10
    assert "future_event &lt;must&gt; hold" in text, "what comes from data is escaped"
    assert "Affluent 富裕" in text
    assert json.loads(page.with_name("summary.json").read_text(encoding="utf-8"))["from"] == "2026-01-01"


def test_nothing_at_all_is_said_in_sentences(settings: Settings) -> None:
    text = report.write(settings, FIRST, LAST).read_text(encoding="utf-8")
    assert text.count('class="none"') == 8
    assert "<svg" not in text


def test_a_training_without_a_model_tells_why(settings: Settings) -> None:
    """Berka: too few positives. The run is recorded with its reason and no metrics."""
    refused = _run("train", str(LAST), scope="churn") | {"rows": {}, "outputs": {}}
    refused["figures"] = {"gate": {"passed": False, "because": ["Too few positive outcomes: train 12 of 3000"], "checks": []}}
    found = facts.Facts(since=FIRST, until=LAST, runs=[refused])
    text = report.render(found, summary.summary(found, source="berka", environment="ci"))
    assert "No model: Too few positive outcomes: train 12 of 3000" in text


def test_rows_that_do_not_add_up_are_seen() -> None:
    assert not summary.reconciled({**DELIVERY, "inserted": 5})


@pytest.mark.parametrize(("seconds", "expected"), [(42.4, "42 s"), (185, "3m 05s")])
def test_durations(seconds: float, expected: str) -> None:
    assert report.clock(seconds) == expected
