"""Late and corrected facts reach the stored features of every date that they concern: equal to a rebuild, as revisions."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable

from conf.settings import Settings
from expectations.contracts import core
from features import catalogue
from features.spec import FeatureGroup
from jobs import staging, tables, writes_commit
from jobs.build import corrections, features_command, passes, window_states
from jobs.build.wide import wide_features
from jobs.context import now
from jobs.serving.published import Published
from jobs.store import FeatureStore
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare
from tests.fixtures.rebuilt import build, expect_a_rebuild

PUBLISHED = [JAN_28, JAN_29, JAN_30, JAN_31] = [date(2026, 1, day) for day in (28, 29, 30, 31)]
TONIGHT, TOMORROW = date(2026, 2, 1), date(2026, 2, 2)
# 5 will have been merged into 6, 7 will have left; nothing is ever corrected of 8 but with how many it lives.
GIVEN = {
    "customers": "customer_key | household_key\n1 | -\n2 | -\n3 | -\n4 | -\n5 | -\n6 | -\n7 | 70\n8 | 70",
    "accounts": """
        account_key | product_code | matures_on
        1           |              | -
        2           |              | -
        3           |              | -
        4           | T12          | 2026-02-28
        5           |              | -
        6           |              | -
        8           |              | -
        9           | L01          | -
    """,
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2\n3 | 3\n4 | 4\n5 | 5\n6 | 6\n8 | 8\n9 | 4",
    "products": "product_code | family | is_asset\nD01 | demand | true\nT12 | term | true\nL01 | consumer_loan | false",
    "rates": "kind | code | value_ppm\ntransfer | CNY | 20000\nclient | D01 | 2000\nunit_cost | app | 10000",
    "transactions": """
        transaction_id | customer_key | business_date | amount
        t1             | 1            | 2026-01-28    | 10
        t2             | 2            | 2026-01-29    | 20
        t3             | 3            | 2026-01-29    | 30
        t5             | 5            | 2026-01-10    | 50
        t8             | 8            | 2026-01-30    | 80
    """,
    "balances": """
        account_key | customer_key | business_date | balance
        1           | 1            | 2025-12-31    | 1000
        4           | 4            | 2025-12-31    | 4000
        4           | 4            | 2026-01-29    | 4400
        8           | 8            | 2026-01-02    | 8000
    """,
    "channel_events": "event_id | customer_key | business_date\ne1 | 1 | 2026-01-15\ne8 | 8 | 2026-01-16",
    "credit_accounts": """
        credit_account_id | business_date | customer_key | owed | limit
        L1                | 2025-12-01    | 4            | 900  | 1000
        L1                | 2026-01-28    | 4            | 800  | 1000
    """,
    "credit_instalments": "instalment_no | customer_key | due_on\n1 | 4 | 2026-01-20",
    "deposit_plans": "plan_id | customer_key | started_on\nP4 | 4 | 2026-01-29\nP8 | 8 | 2025-11-01",
    "deposit_instalments": "plan_id | instalment_no | customer_key | due_on\nP4 | 1 | 4 | 2026-02-10",
}  # fmt: skip
LATE = {
    # 1, 2 and 3 by their transactions: one comes late, one is corrected, one turns out to be another's.
    "transactions": """
        transaction_id | customer_key | business_date | amount
        late           | 1            | 2026-01-30    | 15
        t2             | 2            | 2026-01-29    | 25
        t3             | 2            | 2026-01-29    | 30
    """,
    "balances": "account_key | customer_key | business_date | balance\n4 | 4 | 2026-01-29 | 4500",
    "merges": "customer_key | survivor_key | merged_on | valid_from\n5 | 6 | 2026-01-30 | 2026-02-01",
    "customers": "customer_key | status | closed_on | valid_from\n7 | closed | 2026-01-29 | 2026-01-29",
    # Of 4's plan more was agreed than was told, and one instalment was paid before it fell due.
    "deposit_plans": "plan_id | customer_key | started_on | instalment_minor\nP4 | 4 | 2026-01-29 | 60000",
    "deposit_instalments": "plan_id | instalment_no | customer_key | due_on | paid_on | paid\nP4 | 1 | 4 | 2026-02-10 | 2026-01-30 | 500",
}  # fmt: skip
# What was due long ago is paid today, and a plan of last year is broken: of the days before nothing is said.
ON_TIME = {
    "transactions": "transaction_id | customer_key | business_date | amount\nt9 | 8 | 2026-02-01 | 90",
    "credit_instalments": "instalment_no | customer_key | due_on | paid_on | paid\n1 | 4 | 2026-01-20 | 2026-02-01 | 100",
    "deposit_plans": "plan_id | customer_key | started_on | closed_on | status\nP8 | 8 | 2025-11-01 | 2026-02-01 | broken",
}
# Rows of nights ago that never were; of 7 it is found that it is no customer from the 30th on. A transaction of which nobody knew is none either.
DELETED = {
    "transactions": "transaction_id | is_deleted\nt2 | true\nunheard | true",
    "channel_events": "event_id | is_deleted\ne1 | true",
    "balances": "account_key | business_date | is_deleted\n4 | 2026-01-29 | true",
    "deposit_plans": "plan_id | is_deleted\nP4 | true",
    "credit_instalments": "instalment_no | is_deleted\n1 | true",
    "customers": "customer_key | is_deleted | valid_from\n7 | true | 2026-01-30",
}
DEARER = {"rates": "kind | code | value_ppm | valid_from\ntransfer | CNY | 25000 | 2026-01-30"}


def due(context) -> corrections.Corrections | None:
    return corrections.due(context, corrections.seen(context.settings), catalogue.GROUPS)


def spent_until(day: date, settings: Settings, *, revision: Published) -> dict[int, int]:
    """By customer, 30 days; read without Spark."""
    return {customer: int(value) for customer, value in told_on(day, settings, "activity__out_sum_30d", revision).items()}


def households(day: date, settings: Settings, *, revision: Published) -> dict[int, int | None]:
    return told_on(day, settings, "tenure__household_size", revision)


def told_on(day: date, settings: Settings, name: str, revision: Published) -> dict[int, Any]:
    rows = FeatureStore(settings).read(day, purpose="risk", features=[name], revision=revision).arrow.to_pylist()
    return {row["customer_key"]: row[name] for row in rows}


def test_late_facts_are_corrected_as_by_a_rebuild(context_for, settings: Settings) -> None:
    ingest, night = context_for("ingest"), context_for("features", TONIGHT)
    deliver(ingest, GIVEN, datetime(2026, 1, 31))
    assert build(context_for("features", JAN_28, JAN_31)).figures["corrections"] == {}
    deliver(context_for("ingest", TONIGHT), ON_TIME, datetime(2026, 2, 1))
    assert due(night) is None

    deliver(context_for("ingest", TONIGHT, generation=1), LATE, datetime(2026, 2, 1))
    report = build(night)
    assert report.figures["corrections"] == {
        "touched": {
            "core.customer": "2026-01-29", "core.customer_merge": "2026-01-30", "core.transaction": "2026-01-29", "core.balance_daily": "2026-01-29",
            "core.credit_instalment": "2026-02-01", "core.deposit_plan": "2026-01-29", "core.deposit_instalment": "2026-01-30",
        },
        "dates": ["2026-01-29", "2026-01-30", "2026-01-31"],
    }  # fmt: skip
    expect_a_rebuild(night, [*PUBLISHED, TONIGHT])

    # Spending: 2 and 3 on three days; 1, and 6 who owns what 5 did, on the last two. Withdrawn: 7 on three days, 5 on two.
    table = next(group.table for group in catalogue.GROUPS if group.name == "activity")
    revised = tables.read(night, table).where("revision = 1 and row_hash is not null").select("customer_key", "as_of_date").collect()
    on_two_days = [(who, day) for who in (1, 6) for day in (JAN_30, JAN_31)]
    assert sorted(map(tuple, revised)) == sorted([(who, day) for who in (2, 3) for day in (JAN_29, JAN_30, JAN_31)] + on_two_days)
    assert report.rows["features.activity_v1 stored dates revised"] == 10
    assert {count for name, count in report.rows.items() if name.endswith("stored dates withdrawn")} == {5}

    # 7 has left the household of 8.
    assert households(JAN_29, settings, revision="first")[8] == 2
    assert households(JAN_29, settings, revision="corrected")[8] == households(TONIGHT, settings, revision="corrected")[8] == 1

    # Both are readable: as first published, and as corrected.
    assert spent_until(JAN_30, settings, revision="first") == {1: 10, 2: 20, 3: 30, 4: 0, 5: 50, 6: 0, 7: 0, 8: 80}
    assert spent_until(JAN_30, settings, revision="corrected") == {1: 25, 2: 55, 3: 0, 4: 0, 6: 50, 8: 80}

    # A price is nobody's: everybody's rows are made again.
    deliver(context_for("ingest", TOMORROW), DEARER, datetime(2026, 2, 2))
    tomorrow = context_for("features", TOMORROW)
    report = build(tomorrow)
    assert report.figures["corrections"]["dates"] == ["2026-01-30", "2026-01-31", "2026-02-01"]
    expect_a_rebuild(tomorrow, [*PUBLISHED, TONIGHT, TOMORROW])


def few(groups: Collection[str], names: Collection[str]) -> tuple[FeatureGroup, ...]:
    """The groups, with those features alone that the names tell."""
    chosen = (group for group in catalogue.GROUPS if group.name in groups)
    return tuple(replace(group, declared=tuple(one for one in group.declared if one.name in names)) for group in chosen)


# What the tests below look at: sums of a year, a level, who lives with whom.
FEW = few({"activity", "balances", "tenure"}, {"out_sum", "aum_eod", "household_size"})


@pytest.mark.parametrize("few", [features_command.FEW, 2])
def test_of_a_date_that_is_asked_for_again_the_rows_of_a_few_are_corrected(
    context_for, settings: Settings, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    declare(monkeypatch, FEW)
    # Of eight customers three, whom LATE concerns, are a few where half may be; a tenth of them is nobody.
    monkeypatch.setattr(features_command, "FEW", few)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_28, JAN_31))
    build(context_for("features", TONIGHT))
    kept = tables.version(settings, catalogue.WINDOW_STATE)
    deliver(context_for("ingest", TONIGHT), {"transactions": LATE["transactions"]}, datetime(2026, 2, 1))
    again = context_for("features", TONIGHT, generation=1)
    report = build(again)
    is_corrected = few == 2
    assert (report.rows["rows_in"], tables.version(settings, catalogue.WINDOW_STATE) == kept) == ((0, True) if is_corrected else (8, False))
    assert report.figures["corrections"]["dates"] == [str(day) for day in (JAN_29, JAN_30, JAN_31, *([TONIGHT] if is_corrected else []))]
    assert report.rows["features.activity_v1 stored dates revised"] == 2 + 3 + 3 + (3 if is_corrected else 0)
    expect_a_rebuild(again, [*PUBLISHED, TONIGHT])
    # States of tonight have not seen what was late: of whom it concerns the next night makes them anew, of everybody else it rolls them.
    tomorrow = context_for("features", TOMORROW)
    assert build(tomorrow).figures["states_made_anew"] == []
    expect_a_rebuild(tomorrow, [TONIGHT, TOMORROW])
    # And again with nothing new it is made as a whole: only what is late says who may be left out.
    assert build(context_for("features", TOMORROW, generation=1)).rows["rows_in"] == 8


@pytest.mark.parametrize("why", ["forced", "another group's run", "other code"])
def test_a_date_that_does_not_stand_is_made_anew(context_for, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    declare(monkeypatch, FEW)
    monkeypatch.setattr(features_command, "FEW", 1)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    only = {"only": [FEW[0].version_name]} if why == "another group's run" else {}
    build(context_for("features", JAN_31))
    if only:
        second = context_for("features", JAN_31, generation=1)
        build(replace(second, request=replace(second.request, options=only)))
    if why == "other code":
        monkeypatch.setattr(window_states, "made_by", lambda: "another")
    deliver(context_for("ingest", generation=1), {"transactions": LATE["transactions"]}, datetime(2026, 1, 31, 1))
    again = context_for("features", JAN_31, generation=2)
    assert build(replace(again, request=replace(again.request, force=why == "forced"))).rows["rows_in"] == 8
    expect_a_rebuild(again, [JAN_31])


def test_ordinary_nights_drop_what_leaves_the_windows_of_a_year(context_for) -> None:
    # t1 of 28 January 2026 is spent within the 365 days until 27 January 2027; t2 and t3 until the 28th; t8 until the 29th.
    first, second, after_a_gap = date(2027, 1, 27), date(2027, 1, 28), date(2027, 1, 30)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    since = {"transactions": "transaction_id | customer_key | business_date | amount\nt9 | 8 | 2027-01-27 | 90"}
    deliver(context_for("ingest", first), since, datetime(2027, 1, 27))
    spent = {first: {1: 10, 2: 20, 3: 30, 8: 170}, second: {1: 0, 2: 20, 3: 30, 8: 170}, after_a_gap: {1: 0, 2: 0, 3: 0, 8: 90}}
    for day, by_customer in spent.items():
        night = context_for("features", day)
        assert build(night).figures["corrections"] == {}
        rows = {row["customer_key"]: row["activity__out_sum_365d"] for row in wide_features(night, [day]).collect()}
        assert rows == dict.fromkeys(range(1, 9), 0) | by_customer
    expect_a_rebuild(night, [second, after_a_gap])
    # A range in one pass says what its nights said one by one, of every feature: only the day without a night is new.
    report = build(context_for("features", first, after_a_gap))
    assert [name for name in report.rows if name.endswith(("revised", "withdrawn"))] == []
    inserted = {group.table.full_name: report.rows[f"{group.table.full_name} inserted"] for group in catalogue.GROUPS}
    assert inserted == dict.fromkeys(inserted, 8)
    assert report.rows["rows_in"] == 4 * 8


def test_month_ends_of_any_age_are_corrected(context_for, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, FEW)
    # Kept for good; the first lies 519 days back, beyond all that tonight's windows see.
    aug_31, nov_30 = date(2024, 8, 31), date(2024, 11, 30)
    long_ago = {
        "transactions": """
            transaction_id | customer_key | business_date | amount
            old            | 1            | 2024-08-25    | 7
            new            | 2            | 2024-11-30    | 9
        """,
        "balances": "account_key | customer_key | business_date | balance\n1 | 1 | 2024-06-30 | 500\n2 | 2 | 2024-06-30 | 600",
    }
    late = {
        "transactions": "transaction_id | customer_key | business_date | amount\nlate | 1 | 2024-08-20 | 4",
        "balances": "account_key | customer_key | business_date | balance\n1 | 1 | 2024-08-26 | 550",
    }
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    deliver(context_for("ingest", generation=1), long_ago, datetime(2026, 1, 31))
    for day in (aug_31, nov_30, JAN_31):
        build(context_for("features", day))
    deliver(context_for("ingest", TONIGHT), late, datetime(2026, 2, 1))
    night = context_for("features", TONIGHT)
    report = build(night)
    assert report.figures["corrections"]["dates"] == ["2024-08-31", "2024-11-30", "2026-01-31"]
    told = {
        (row["customer_key"], row["as_of_date"]): (row["activity__out_sum_365d"], row["balances__aum_eod"])
        for row in wide_features(night, [aug_31, nov_30]).collect()
        if row["customer_key"] in {1, 2}
    }
    assert told == {(1, aug_31): (11, 550), (1, nov_30): (11, 550), (2, aug_31): (0, 600), (2, nov_30): (9, 600)}
    expect_a_rebuild(night, [aug_31, nov_30, JAN_31, TONIGHT])
    # How much changed: 4 more were spent as of dates whose windows see it, a life of all; assets were 50 more on two month-ends.
    revised = report.figures["revised"]
    assert revised["features.activity_v1"] == {
        "dates": 3, "revised": 3, "withdrawn": 0, "by_date": {str(day): {"revised": 1, "withdrawn": 0} for day in (aug_31, nov_30, JAN_31)},
        "features": {
            f"activity__out_sum_{window}": {"rows": rows, "came_or_went": 0, "filled": 0, "mean_change": 4.0, "largest_change": 4.0}
            for window, rows in (("180d", 2), ("30d", 1), ("365d", 2), ("90d", 1), ("ltd", 3), ("mtd", 1))
        },
    }  # fmt: skip
    assert revised["features.balances_v1"]["features"] == {
        "balances__aum_eod": {"rows": 2, "came_or_went": 0, "filled": 0, "mean_change": 50.0, "largest_change": 50.0}
    }
    assert "features.tenure_v1" not in revised
    assert json.loads(json.dumps(revised)) == revised  # as the ledger keeps it


def test_a_range_of_many_rows_is_made_and_corrected_in_passes(context_for, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, FEW)
    width = sum(tables.row_bytes(group.table) for group in FEW)
    # Nothing finds place in memory. Of eight customers two dates together, then the one that is left.
    monkeypatch.setattr(staging, "BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(writes_commit, "FEW_BYTES", 0)
    monkeypatch.setattr(passes, "BYTES_STAGED", 23 * width)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    built = build(context_for("features", JAN_28, JAN_30))
    assert {built.rows[name] for name in ("rows_in", *(f"{group.table.full_name} inserted" for group in FEW))} == {24}
    assert [tables.version(settings, group.table) for group in FEW] == [2, 2, 2]  # created, and two passes
    # Of the three whom late facts concern no two dates together.
    monkeypatch.setattr(passes, "BYTES_STAGED", 5 * width)
    deliver(context_for("ingest", generation=1), {"transactions": LATE["transactions"]}, datetime(2026, 1, 31, 1))
    night = context_for("features", JAN_31)
    assert build(night).rows["features.activity_v1 stored dates revised"] == 2 + 3
    # One date a pass: tonight, and two revisions of what was spent.
    assert {group.name: tables.version(settings, group.table) for group in FEW} == {"tenure": 3, "activity": 3 + 2, "balances": 3}
    assert list(Path(staging.folder(settings)).iterdir()) == []
    expect_a_rebuild(night, [JAN_28, JAN_29, JAN_30, JAN_31])


def test_rows_that_a_delivery_deletes_are_corrected_as_by_a_rebuild(
    context_for, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of every table with deleted rows one feature that changes.
    told = {"out_sum", "aum_eod", "login_count", "instalment_agreed", "instalment_late_days"}
    declare(monkeypatch, few({"activity", "balances", "channels", "deposits_recurring", "credit"}, told))
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_28, JAN_31))
    before = now()
    first = {1: 10, 2: 20, 3: 30, 4: 0, 5: 50, 6: 0, 7: 0, 8: 80}
    deliver(context_for("ingest", TONIGHT), DELETED, datetime(2026, 2, 1))
    night = context_for("features", TONIGHT)
    report = build(night)
    touched = {
        "core.transaction": JAN_29, "core.channel_event": date(2026, 1, 15), "core.balance_daily": JAN_29, "core.deposit_plan": JAN_29,
        "core.credit_instalment": date(2026, 1, 20), "core.customer": JAN_30,
    }  # fmt: skip
    assert report.figures["corrections"] == {
        "touched": {name: str(day) for name, day in touched.items()},
        "dates": [str(day) for day in PUBLISHED],
    }
    expect_a_rebuild(night, [*PUBLISHED, TONIGHT])
    assert spent_until(JAN_30, settings, revision="corrected") == {1: 10, 2: 0, 3: 30, 4: 0, 5: 50, 6: 0, 8: 80}
    # As it was known before, and the run tells of what changed: 2 on three dates; 7 was no customer on two.
    assert spent_until(JAN_30, settings, revision="first") == first
    known = FeatureStore(settings).read(JAN_30, purpose="risk", features=["activity__out_sum_30d"], as_known_at=before).arrow.to_pylist()
    assert {row["customer_key"]: int(row["activity__out_sum_30d"]) for row in known} == first
    assert report.figures["revised"]["features.activity_v1"]["by_date"] == {
        str(day): {"revised": 1, "withdrawn": withdrawn} for day, withdrawn in ((JAN_29, 0), (JAN_30, 1), (JAN_31, 1))
    }
    logins = report.figures["revised"]["features.channels_v1"]["features"]["channels__login_count_30d"]
    assert (logins["rows"] - logins["came_or_went"], logins["mean_change"]) == (4, 1.0)
    # The same again is nothing new.
    versions = corrections.seen(settings)
    deliver(context_for("ingest", TONIGHT, generation=1), DELETED, datetime(2026, 2, 1))
    assert corrections.seen(settings) == versions
    # What was told before the deletion and comes after it brings nothing back; what is told later does.
    older = {"transactions": "transaction_id | customer_key | business_date | amount\nt2 | 2 | 2026-01-29 | 22"}
    back = {
        "transactions": "transaction_id | customer_key | business_date | amount | is_deleted\nunheard | 2 | 2026-01-30 | 21 | false",
        "channel_events": "event_id | customer_key | business_date | is_deleted\ne1 | 1 | 2026-01-15 | false",
    }
    deliver(context_for("ingest", TOMORROW), older, datetime(2026, 1, 31, 12))
    deliver(context_for("ingest", TOMORROW, generation=1), back, datetime(2026, 2, 2))
    tomorrow = context_for("features", TOMORROW)
    build(tomorrow)
    expect_a_rebuild(tomorrow, [*PUBLISHED, TONIGHT, TOMORROW])
    assert spent_until(JAN_30, settings, revision="corrected") == {1: 10, 2: 21, 3: 30, 4: 0, 5: 50, 6: 0, 8: 80}
    assert told_on(JAN_30, settings, "channels__login_count_30d", "corrected")[1] == 1


def test_rows_that_somebody_deletes_are_corrected_as_by_a_rebuild(context_for, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, FEW)
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_28, JAN_31))
    # By another program: its commits carry no note that tells which dates they touched.
    night = context_for("features", TONIGHT)
    for table, which in (
        (core.TRANSACTION, "transaction_id = 't2'"), (core.BALANCE_DAILY, "account_key = 4 and business_date = '2026-01-29'"),
        (core.CUSTOMER, "customer_key = 7"),
    ):  # fmt: skip
        DeltaTable.forPath(night.spark, tables.location(settings, table)).delete(which)
    report = build(night)
    assert report.figures["corrections"] == {
        "touched": dict.fromkeys(("core.customer", "core.transaction", "core.balance_daily"), "0001-01-01"),
        "dates": [str(day) for day in PUBLISHED],
    }
    expect_a_rebuild(night, [*PUBLISHED, TONIGHT])
    assert spent_until(JAN_30, settings, revision="corrected") == {1: 10, 2: 0, 3: 30, 4: 0, 5: 50, 6: 0, 8: 80}
    revised = report.figures["revised"]
    assert revised["features.activity_v1"]["by_date"] == {
        str(day): {"revised": revised_, "withdrawn": 1} for day, revised_ in zip(PUBLISHED, (0, 1, 1, 1), strict=True)
    }
    assert revised["features.balances_v1"]["features"]["balances__aum_eod"] == {
        "rows": 7, "came_or_went": 4, "filled": 0, "mean_change": 400.0, "largest_change": 400.0,
    }  # fmt: skip
    assert set(report.figures["tiles"]["made_again"]) == {"transaction", "transaction_month", "balance"}
