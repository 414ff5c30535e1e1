"""Every rule is seen kept and broken; suites hold what was declared, and count what the predicate finds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from expectations.contracts import core
from expectations.contracts.types import RowRule, Severity, Table
from expectations.limits import DeliveryLimits
from jobs import quality

DAY = date(2025, 6, 30)
LIMITS = DeliveryLimits(
    quarantined_share_stop=0.05, quarantined_share_warn=0.005, small_rows=10, volume_ratio_low=0.3, volume_ratio_high=3.0, freshness_days=3
)
SOUND_VALUES = {"string": "x", "bigint": 7, "int": 5, "boolean": True, "date": DAY, "timestamp": datetime(2025, 6, 30, 10)}
# A sound row of a table where the values above would break a business rule; and what breaks each business rule.
SOUND: dict[str, dict[str, Any]] = {"core.customer_merge": {"survivor_key": 8}, "core.customer": {"birth_date": DAY - timedelta(days=9000)}}
BREAKS: dict[str, dict[str, Any]] = {
    "closed_before_opened": {"closed_on": DAY - timedelta(days=1)},
    "born_after_opening": {"birth_date": DAY + timedelta(days=1)},
    "merged_with_itself": {"survivor_key": 7},
    "held_backwards": {"held_to": DAY - timedelta(days=1)},
    "future_event": {"business_date": DAY + timedelta(days=1)},
    "no_owner": {"customer_key": None},
    "unknown_customer": {"customer_is_known": False},
}
GIVEN = {"delivered_for": ("date", DAY), "customer_is_known": ("boolean", True)}


def _sound(table: Table) -> dict[str, Any]:
    row = {column.name: column.one_of[0] if column.one_of else SOUND_VALUES[column.type] for column in table.columns}
    return {**row, **SOUND.get(table.full_name, {}), **{name: value for name, (_, value) in GIVEN.items()}}


def _broken(rule: RowRule, table: Table) -> dict[str, Any]:
    if rule in table.rules:
        return BREAKS[rule.id]
    column = next(one for one in table.columns if rule in one.row_rules())
    if rule.id.endswith("_missing"):
        return {column.name: None}
    if rule.id.endswith("_unknown"):
        return {column.name: "no such value"}
    return {column.name: (column.minimum or 0) - 1 if rule.id.endswith("_too_small") else (column.maximum or 0) + 1}


def test_every_rule_of_every_core_table_is_kept_by_a_sound_row_and_broken_by_one_change(spark: SparkSession) -> None:
    for table in core.TABLES:
        rules = table.row_rules
        sound = _sound(table)
        rows = [{**sound, "breaks": ""}, *({**sound, **_broken(rule, table), "breaks": rule.id} for rule in rules)]
        ddl = ", ".join(
            [f"{c.name} {c.type}" for c in table.columns] + [f"{name} {type_}" for name, (type_, _) in GIVEN.items()] + ["breaks string"]
        )
        frame = spark.createDataFrame([tuple(row.values()) for row in rows], ddl)
        flags = frame.select("breaks", *(F.coalesce(F.expr(rule.offends), F.lit(False)).alias(rule.id) for rule in rules)).collect()
        for row in flags:
            found = {rule.id for rule in rules if row[rule.id]}
            assert row["breaks"] in found if row["breaks"] else not found, (table.full_name, row["breaks"], found)


def test_great_expectations_counts_what_the_predicate_finds(spark: SparkSession) -> None:
    rules = (
        RowRule(id="amount_missing", offends="amount is null", because="an amount is there"),
        RowRule(id="amount_too_small", offends="amount < 0", because="an amount is not negative"),
    )
    #  5 kept · null breaks the first, and a null predicate counts as kept · -1 and -2 break the second
    frame = spark.createDataFrame([(5,), (None,), (-1,), (-2,)], "amount int")
    flagged = frame.select(*(F.coalesce(F.expr(rule.offends), F.lit(False)).alias(f"rule__{rule.id}") for rule in rules))
    outcomes = quality.check_rows(flagged, rules, feed="f", table=core.RATE, flag="rule__")
    assert [(one.rule, one.passed, one.checked_rows, one.unexpected_rows) for one in outcomes] == [
        ("amount_missing", False, 4, 1), ("amount_too_small", False, 4, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "kept", "broken", "severity"),
    [
        (
            "control_sum_matches_manifest",
            {"amount_sum": 100.0, "control_sum": 100.0},
            {"amount_sum": 100.0, "control_sum": 101.0},
            Severity.STOP,
        ),
        (
            "control_sum_matches_manifest",
            {"control_sum": 100.0},
            {"amount_sum": 1.0, "control_sum": 2.0},
            Severity.STOP,
        ),  # unreadable: not judged
        ("quarantined_share_is_bearable", {"quarantined_share_of_many": 0.05}, {"quarantined_share_of_many": 0.051}, Severity.STOP),
        ("quarantined_share_is_low", {"quarantined_share": 0.005}, {"quarantined_share": 0.006}, Severity.WARN),
        ("keys_come_once", {"duplicates": 0}, {"duplicates": 1}, Severity.WARN),
        ("volume_is_near_trailing_median", {"volume_ratio": 0.3}, {"volume_ratio": 3.1}, Severity.WARN),
        ("volume_is_near_trailing_median", {}, {"volume_ratio": 0.1}, Severity.WARN),  # no history: not judged
        ("newest_row_is_fresh", {"days_behind": 3}, {"days_behind": 4}, Severity.WARN),
    ],
)
def test_each_rule_about_deliveries(rule: str, kept: dict[str, float], broken: dict[str, float], severity: Severity) -> None:
    from expectations.suites.deliveries import suite_of_deliveries

    columns = ["amount_sum", "control_sum", "quarantined_share", "quarantined_share_of_many", "duplicates", "volume_ratio", "days_behind"]
    for row, passes in ((kept, True), (broken, False)):
        frame = pd.DataFrame([row], columns=columns, dtype="float64")
        outcomes = quality.check_deliveries(suite_of_deliveries("f", "t", LIMITS), frame, feed="f", table=core.RATE)
        assert {one.rule: (one.passed, one.severity) for one in outcomes}[rule] == (passes, severity)


def test_rows_of_a_file_that_differ_from_its_manifest_stop() -> None:
    from expectations.suites.deliveries import suite_of_files

    frame = pd.DataFrame({"rows_in": [3, 4], "rows_listed": [3, 5]})
    (outcome,) = quality.check_deliveries(suite_of_files("f", "t"), frame, feed="f", table=core.RATE)
    assert (outcome.stops, outcome.unexpected_rows) == (True, 1)


def test_a_misspelt_argument_of_a_rule_is_refused() -> None:
    from expectations.rules import RowRuleHolds

    with pytest.raises(ValueError, match="colum"):
        RowRuleHolds(colum="x", rule="r")  # type: ignore[call-arg]


def test_a_suite_that_lost_an_expectation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from great_expectations import ExpectationSuite

    from expectations.rules import RowRuleHolds
    from expectations.suites.from_contract import SuiteError, build_suite

    monkeypatch.setattr(ExpectationSuite, "_process_expectation", lambda self, expectation: None)
    one = RowRuleHolds(column="x", rule="r")
    with pytest.raises(SuiteError, match=r"kept \d of 1"):
        build_suite("s", [one])
