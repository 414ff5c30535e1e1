"""Features, segments and labels as jobs on Delta tables: revisions, reruns, late rows, ranges, purposes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from pyspark.sql import functions as F

from conf.sources import days_between
from expectations.contracts import ops
from expectations.contracts.features import CHURN_INACTIVE_90D, SEGMENT_DAILY, SEGMENT_MEMBERSHIP, VALUE_12M
from features import catalogue
from jobs import tables
from jobs.build import features_command, labels_command, segments_command
from jobs.build.dates import as_of_dates, between, in_dates
from jobs.build.features_command import check
from jobs.build.segments_command import month_ends_before
from jobs.build.wide import wide_features
from jobs.context import Request, now
from jobs.errors import DataRejectedError, InputNotReadyError, InvariantError, UsageError
from tests.fixtures.bank import CONTRACTS, Bank

JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 28)
ACTIVITY = next(group for group in catalogue.GROUPS if group.name == "activity")
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": "account_key\n1",
    "account_parties": "account_key\n1",
    "transactions": """
        transaction_id | business_date | amount
        t1             | 2026-01-28    | 10
        t2             | 2026-02-26    | 20
        t3             | 2026-06-30    | 30
    """,
    "balances": "business_date | balance\n2026-01-10 | 600000\n2026-01-31 | 600000",
    "channel_events": "business_date | channel\n2026-01-15 | app",
}  # fmt: skip


def write(context, name: str, bank: Bank) -> None:
    """A core table as ingest leaves it, in one write: the jobs under test only read it."""
    table = CONTRACTS[name]
    frame = bank.frame(name)
    if "month" in table.partition_by:
        frame = frame.withColumn("month", (F.year(table.date) * 100 + F.month(table.date)).cast("int"))
    tables.create(context, table)
    stored = frame.withColumn("row_hash", F.lit(0).cast("bigint")).select(*table.column_names)
    stored.write.format("delta").mode("overwrite").save(tables.location(context.settings, table))


@pytest.fixture
def core(context_for, spark):
    """The core tables of two customers, of whom only the first does anything."""
    context = context_for("ingest")
    bank = Bank(spark, GIVEN)
    for name in ("customers", "products", "accounts", "account_parties", "transactions", "balances", "channel_events"):
        write(context, name, bank)
    return context


FACTS = ("transactions", "balances", "channel_events", "loans", "cards")


def deliver(context, feeds, days) -> None:
    """What ingest notes of deliveries without rows."""
    rows = [(context.run_id, feed, day, "core.transaction", *(0,) * 6, now()) for feed in feeds for day in days]
    tables.record(context, ops.DELIVERY, rows)


def month_ends(context):
    return replace(context, request=replace(context.request, options={"month_ends": True}))


def run(job, context):
    return job.build(context)


def features_of(context, day: date, *names: str) -> list[tuple]:
    return sorted(tuple(row)[:1] + tuple(row)[2:] for row in wide_features(context, [day], names=names).collect())


def test_from_core_to_features_segments_and_labels(core, context_for, spark):
    # One night: both customers have a row, and so has every group.
    night = context_for("features", JANUARY)
    report = run(features_command, night)
    assert (report.rows["rows_in"], report.rows["features"]) == (2, len(catalogue.FEATURES))
    assert features_of(night, JANUARY, "activity__out_sum_30d", "balances__aum_eod") == [(1, 10, 600000), (2, 0, 0)]
    stored = {source.name: tables.read(night, source.table).count() for source in catalogue.TILED}
    assert stored == {"transaction": 1, "balance": 1, "channel": 1, "transaction_month": 1}  # 28, 10, 15 January; January

    # The same again is no revision; a late row is one, of the group it touches, and only for the customer concerned.
    again = run(features_command, context_for("features", JANUARY, generation=1))
    assert sum(count for name, count in again.rows.items() if name.endswith(("inserted", "revised"))) == 0
    late = Bank(spark, GIVEN | {"transactions": GIVEN["transactions"].replace("t2", "t0 | 2026-01-29 | 5\n        t2")})
    write(core, "transactions", late)
    third = run(features_command, context_for("features", JANUARY, generation=2))
    assert third.rows["features.activity_v1 revised"] == 1
    assert "features.balances_v1 revised" not in third.rows
    assert features_of(night, JANUARY, "activity__out_sum_30d") == [(1, 15), (2, 0)]
    revisions = tables.read(night, ACTIVITY.table).select("customer_key", "revision", "activity__out_sum_30d").collect()
    assert sorted(map(tuple, revisions)) == [(1, 0, 10), (1, 1, 15), (2, 0, 0)]  # as first published, as corrected

    # A range is one pass and says what the night said.
    ranged = month_ends(context_for("features", JANUARY, date(2026, 2, 28)))
    report = run(features_command, ranged)
    assert (report.rows["dates"], report.rows["rows_in"]) == (2, 4)
    assert report.rows["features.activity_v1 inserted"] == 2  # January stands
    assert features_of(ranged, FEBRUARY, "activity__out_sum_30d", "balances__aum_mad_30d") == [(1, 20, 600000), (2, 0, 0)]
    assert tables.read(ranged, catalogue.TILED[0].table).count() == 3  # 28 and 29 January, 26 February

    # Segments of both dates; membership begins once and tells nothing new in February.
    segments = month_ends(context_for("segments", JANUARY, date(2026, 2, 28)))
    report = run(segments_command, segments)
    assert report.rows["rows_in"] == 2 * 2 * 3
    # 600,000 since 10 January: 22 of 30 days, a mean of 440,000 in January. February's 600,000 takes effect in March.
    tiers = (
        tables.read(segments, SEGMENT_DAILY).where("scheme = 'asset_tier' and customer_key = 1").select("as_of_date", "segment").collect()
    )
    assert {row["as_of_date"]: row["segment"] for row in tiers} == {JANUARY: "mass", FEBRUARY: "mass"}
    memberships = (
        tables.read(segments, SEGMENT_MEMBERSHIP).where("scheme = 'asset_tier'").select("customer_key", "segment", "valid_from", "valid_to")
    )
    assert sorted(map(tuple, memberships.collect())) == [(1, "mass", JANUARY, None), (2, "prospect", JANUARY, None)]

    # Labels: the outcome of January ends on 31 May and is known; that of a year is not.
    deliver(core, FACTS, days_between(date(2025, 2, 1), date(2026, 6, 30)))
    labels = month_ends(context_for("labels", JANUARY))
    report = run(labels_command, labels)
    assert (report.rows["churn_inactive_90d usable"], report.rows["churn_inactive_90d ones"], report.rows["value_12m censored"]) == (
        1,
        1,
        2,
    )
    churn = {row["customer_key"]: (row["is_eligible"], row["label"]) for row in tables.read(labels, CHURN_INACTIVE_90D).collect()}
    assert churn == {1: (True, 1), 2: (False, 1)}
    assert tables.read(labels, VALUE_12M).where("is_censored").count() == 2

    # Reading names a purpose.
    with pytest.raises(UsageError, match="credit__debt"):
        wide_features(night, [JANUARY], names=["credit__debt"], purpose="marketing")
    with pytest.raises(UsageError, match="activity__out_sum_30d"):
        wide_features(night, [JANUARY], names=["activity__outsum_30d"])
    with pytest.raises(InputNotReadyError, match="2026-03-31"):
        wide_features(night, [JANUARY, date(2026, 3, 31)], names=["activity__out_sum_30d"])


def test_labels_are_not_made_of_dates_that_nobody_delivered(core, context_for):
    gap = date(2026, 4, 10)
    days = days_between(date(2025, 2, 1), date(2026, 6, 30))
    deliver(core, FACTS[1:], days[1:])  # of the first date of the observation only the transactions
    deliver(context_for("ingest", generation=1), FACTS[:1], [day for day in days if day != gap])
    labels = context_for("labels", JANUARY)

    def reasons(table) -> dict[int, tuple]:
        return {row["customer_key"]: (row["label"], row["reason"]) for row in tables.read(labels, table).collect()}

    run(labels_command, labels)
    before = labels_command.fingerprint(labels.settings, labels.request)
    assert reasons(CHURN_INACTIVE_90D) == {
        1: (None, "the outcome window holds dates that were never delivered"),
        2: (None, "no transaction in the last 90 days: gone already"),
    }
    assert reasons(VALUE_12M)[1] == (None, "the observation window holds dates that were never delivered")

    # The missing night comes, without a row: then silence is known, and the job has something to do.
    deliver(context_for("ingest", generation=2), FACTS[:1], [gap])
    assert labels_command.fingerprint(labels.settings, labels.request) != before
    run(labels_command, context_for("labels", JANUARY, generation=1))
    assert reasons(CHURN_INACTIVE_90D)[1] == (1, None)


def test_a_date_without_transactions_is_not_ready(core, context_for):
    with pytest.raises(InputNotReadyError, match="kequn ingest"):
        run(features_command, context_for("features", date(2026, 4, 30)))


def test_segments_wait_for_features(context_for):
    with pytest.raises(InputNotReadyError, match="kequn features"):
        run(segments_command, context_for("segments", JANUARY))


def wide_rows(spark, *rows: dict):
    """A frame of the catalogue's columns, zeros where a row does not tell."""
    columns = ["customer_key bigint", "as_of_date date", *(f"{name} {feature.type}" for name, (_, feature) in catalogue.FEATURES.items())]
    zero = {"string": "", "double": 0.0}
    full = [{name: zero.get(feature.type, 0) for name, (_, feature) in catalogue.FEATURES.items()} | row for row in rows]
    return spark.createDataFrame(
        [(row["customer_key"], JANUARY, *(row[name] for name in catalogue.FEATURES)) for row in full], ", ".join(columns)
    )


def test_features_are_checked_before_they_are_published(spark):
    assert check(wide_rows(spark, {"customer_key": 1}, {"customer_key": 2}), catalogue.GROUPS) == tables.Span(2, JANUARY, JANUARY)
    with pytest.raises(InvariantError, match="a join repeats rows"):
        check(wide_rows(spark, {"customer_key": 1}, {"customer_key": 1}), catalogue.GROUPS)
    with pytest.raises(DataRejectedError, match="activity__out_sum_30d"):
        check(wide_rows(spark, {"customer_key": 1, "activity__out_sum_30d": None}), catalogue.GROUPS)


def test_dates_of_a_request():
    def ask(since: str, until: str, *, month_ends: bool) -> list[str]:
        request = Request(
            job="features", since=date.fromisoformat(since), until=date.fromisoformat(until), options={"month_ends": month_ends}
        )
        return [str(day) for day in as_of_dates(request)]

    assert ask("2024-02-28", "2024-03-01", month_ends=False) == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert ask("2024-01-15", "2024-03-31", month_ends=True) == ["2024-01-31", "2024-02-29", "2024-03-31"]
    with pytest.raises(UsageError, match="No month-end"):
        ask("2024-01-01", "2024-01-30", month_ends=True)
    assert [str(day) for day in month_ends_before(date(2026, 3, 31), 3)] == ["2026-02-28", "2026-01-31", "2025-12-31"]
    assert (
        between("d", date(2025, 12, 3), JANUARY)
        == "month >= 202512 and month <= 202601 and d >= date'2025-12-03' and d <= date'2026-01-31'"
    )
    assert in_dates("d", [JANUARY]) == "month in (202601) and d in (date'2026-01-31')"
