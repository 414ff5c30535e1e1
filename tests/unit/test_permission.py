"""Who may be contacted, and what is told about those who may not."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from expectations.contracts import mart
from jobs.marts import permission

D = date(2026, 1, 31)
PERSON = "customer_key bigint, is_employee boolean, birth_date date, has_active_account boolean, is_in_collections boolean"
ADULT = date(1980, 1, 1)


def _reasons(spark: SparkSession, *row: object, share: float = 0.0) -> list[str]:
    frame = spark.createDataFrame([row], PERSON)
    found = frame.select(permission.suppress_reason(as_of=D, salt="s", share=share).alias("r")).first()
    assert found is not None
    return list(found["r"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((1, False, ADULT, True, None), []),
        ((1, None, None, True, None), []),
        ((1, True, ADULT, True, None), [mart.EMPLOYEE]),
        # 18 on 2026-01-31: an adult on that day, a minor the day before.
        ((1, False, date(2008, 1, 31), True, None), []),
        ((1, False, date(2008, 2, 1), True, None), [mart.MINOR]),
        ((1, False, ADULT, None, None), [mart.INACTIVE]),
        ((1, False, ADULT, True, True), [mart.INTERNAL]),
        ((1, True, date(2020, 1, 1), None, True), [mart.EMPLOYEE, mart.MINOR, mart.INACTIVE, mart.INTERNAL]),
    ],
)
def test_reasons(spark: SparkSession, row: tuple[object, ...], expected: list[str]) -> None:
    assert _reasons(spark, *row) == expected


def test_control_group_is_a_fixed_draw(spark: SparkSession) -> None:
    keys = [1, -7, 9_223_372_036_854_775_807, 42]
    frame = spark.createDataFrame([(key,) for key in keys], "customer_key bigint")
    found = [row[0] for row in frame.select(permission.control_bucket(F.col("customer_key"), salt="s")).collect()]
    assert found == [int(hashlib.sha256(f"s:{key}".encode()).hexdigest()[:8], 16) % 10_000 for key in keys]


def test_everybody_and_nobody_in_the_control_group(spark: SparkSession) -> None:
    assert _reasons(spark, 1, False, ADULT, True, None, share=1.0) == [mart.CONTROL_GROUP]
    assert _reasons(spark, 1, False, ADULT, True, None, share=0.0) == []


def test_opaque_codes_do_not_name_collections() -> None:
    text = " ".join(mart.SUPPRESS_CODES.values()).lower()
    assert not any(word in text for word in ("collection", "overdue", "laundering", "warning", "past due"))


def test_consents_are_flags_per_purpose(spark: SparkSession) -> None:
    """Customer 1 agreed to marketing and refused text messages; of the other purposes nothing is known."""
    granted = spark.createDataFrame([(1, "marketing", True), (1, "sms", False)], "customer_key bigint, purpose string, is_granted boolean")
    row = permission.consents(granted).first()
    assert row is not None
    assert (row["consent_marketing"], row["optin_sms"], row["consent_profiling"], row["optin_call"]) == (True, False, None, None)


def test_collections_look_at_the_state_on_the_date(spark: SparkSession) -> None:
    """a: 91 days on D. b: was 120, paid since. c: exactly 90. d: 200 but only after D."""
    credit = spark.createDataFrame(
        [
            ("a", 1, date(2026, 1, 1), 60), ("a", 1, date(2026, 1, 31), 91), ("b", 2, date(2026, 1, 1), 120), ("b", 2, date(2026, 1, 30), 0),
            ("c", 3, date(2026, 1, 31), 90), ("d", 4, date(2026, 1, 31), 0), ("d", 4, date(2026, 2, 1), 200),
        ],
        "credit_account_id string, customer_key bigint, business_date date, days_past_due int",
    )  # fmt: skip
    assert [row[0] for row in permission.in_collections(credit, as_of=D).collect()] == [1]


def test_an_active_account_is_owned_and_neither_closed_nor_dormant(spark: SparkSession) -> None:
    accounts = spark.createDataFrame([(10, "active"), (20, "dormant"), (30, "closed")], "account_key bigint, status string")
    long_ago = date(2020, 1, 1)
    parties = spark.createDataFrame(
        [
            (10, 1, "owner", long_ago, None),  # yes
            (10, 2, "authorised", long_ago, None),  # may use it, does not own it
            (10, 3, "joint", long_ago, date(2026, 1, 30)),  # ended the day before
            (10, 4, "joint", long_ago, D),  # last day is today: yes
            (20, 5, "owner", long_ago, None),
            (30, 6, "owner", long_ago, None),
        ],
        "account_key bigint, customer_key bigint, role string, held_from date, held_to date",
    )
    found = permission.with_active_account(accounts, parties, as_of=D)
    assert sorted(row[0] for row in found.collect()) == [1, 4]


@pytest.mark.parametrize(
    ("flags", "suppressed", "expected"),
    [
        ((True, True, True, False, False, False), [], True),
        ((True, True, False, False, False, False), [], False),  # no channel
        ((False, True, True, True, True, True), [], False),
        ((True, False, True, True, True, True), [], False),
        ((True, True, True, True, True, True), [mart.CONTROL_GROUP], False),
    ],
)
def test_marketable(spark: SparkSession, flags: tuple[bool, ...], suppressed: list[str], expected: bool) -> None:
    ddl = ", ".join(f"{name} boolean" for name in permission.CONSENT_COLUMNS) + ", suppress_reason array<string>"
    frame: DataFrame = spark.createDataFrame([(*flags, suppressed)], ddl)
    found = frame.select(permission.marketable().alias("m")).first()
    assert found is not None
    assert found["m"] is expected
