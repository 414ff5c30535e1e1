"""A new version of a group beside the old one: built, backfilled, compared, made current; the old one as long as a champion reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from conf.settings import Settings
from features import catalogue
from features.finish import ratio
from features.spec import FeatureGroup
from jobs import __main__ as kequn
from jobs import ledger, maintain, score, tables, tracking, upkeep
from jobs.build import features_command, versions
from jobs.context import JobContext, JobReport, Request, now
from jobs.errors import ConfigurationError, UsageError
from jobs.models import boosting, training, used
from jobs.models.catalogue import CHURN
from jobs.store import FeatureStore
from tests.fixtures.bank import deliver
from tests.fixtures.declared import declare

TENURE, ALL_ACTIVITY, RHYTHM = (group for group in catalogue.GROUPS if group.name in {"tenure", "activity", "rhythm"})
# What tells who may be scored.
ACTIVITY = replace(ALL_ACTIVITY, declared=tuple(feature for feature in ALL_ACTIVITY.declared if feature.name == "txn_count"))
WEEKEND, SPREAD, TENURE_DAYS = "rhythm__weekend_share_90d", "rhythm__hour_entropy", "tenure__tenure_days"
# Version 2: the share of active days instead of that of transactions; one feature is dropped.
BY_DAYS = ratio("transaction_weekend_count_90d", "transaction_active_days_90d")
RHYTHM_2 = replace(
    RHYTHM, version=2,
    declared=tuple(
        replace(feature, sql=BY_DAYS, name="weekend_share_90d", windows=()) if feature.name == "weekend_share" else feature
        for feature in RHYTHM.declared if feature.name != "hour_entropy"
    ),
)  # fmt: skip
JAN_30, JAN_31, FEB_01, FEB_02, FEB_03 = date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), date(2026, 2, 3)
# The third of January 2026 is a Saturday.
GIVEN = {
    "customers": "customer_key\n1\n2",
    "accounts": "account_key\n1\n2",
    "account_parties": "account_key | customer_key\n1 | 1\n2 | 2",
    "products": "product_code | family | is_asset\nD01 | demand | true",
    "transactions": """
        transaction_id | customer_key | business_date
        a              | 1            | 2026-01-03
        b              | 1            | 2026-01-05
        c              | 1            | 2026-01-05
        d              | 2            | 2026-01-28
    """,
}  # fmt: skip
# Customer 1: a weekend's transaction of three, on one of two days. A late one, of another Saturday: 2 of 4, on 2 of 3 days.
LATE = {"transactions": "transaction_id | customer_key | business_date\ne | 1 | 2026-01-10"}


def build(context: JobContext, *, only: FeatureGroup | None = None) -> JobReport:
    """`kequn features` in this session, with its row in the ledger."""
    request = replace(context.request, scope=only.version_name if only else "", options={"only": [only.version_name] if only else []})
    context = replace(context, request=request)
    report = features_command.build(context)
    ledger.record(context, report, inputs="", seconds=0, peak_mb=0, finished_at=now())
    return report


def shares(context: JobContext, group: FeatureGroup) -> dict[tuple[int, str, int], float | None]:
    """By customer, day of the month and revision what the version's table holds."""
    rows = tables.read(context, group.table).select("customer_key", "as_of_date", "revision", WEEKEND).collect()
    return {(row[0], f"{row[1]:%m-%d}", row[2]): row[3] and round(row[3], 3) for row in rows}


def champion(settings: Settings) -> Any:
    """A real model of three features of the catalogue as it is, made champion."""
    names = [WEEKEND, TENURE_DAYS]
    random = np.random.default_rng(5)
    frame = pd.DataFrame({WEEKEND: random.random(400), TENURE_DAYS: random.integers(0, 3000, 400).astype(float)})
    frame[training.ACTUAL] = (random.random(400) < frame[WEEKEND]).astype(float)
    shape = boosting.Shape(objective="binary:logistic", rounds=10, depth=2, learning_rate=0.3, seed=1)
    booster = boosting.fit_in_driver(frame.assign(target=frame[training.ACTUAL]), features=names, shape=shape)
    facts = {"purpose": CHURN.purpose, "known_at": "2026-02-01", **used.facts(names)}
    scorer = training.calibrated(CHURN, booster, frame=frame, features=names, scale=1.0, facts=facts)
    material = tracking.Training(
        model="churn", fingerprint=str(facts["group_versions"]), parameters={}, metrics={}, data_sets=[], tags={}, files=scorer.files(), texts={}, pictures={},
    )  # fmt: skip
    registered = tracking.register(settings, material)
    tracking.point(settings, registered, tracking.CHAMPION)
    return registered


def told(store: FeatureStore, day: date, *features: str) -> dict[int, Any]:
    rows = store.read(day, purpose="marketing", features=features).arrow.to_pylist()
    return {row["customer_key"]: row[WEEKEND] and round(row[WEEKEND], 3) for row in rows}


@pytest.fixture
def say(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `kequn features` with words that need no JVM; its exit code and what it said."""
    monkeypatch.setenv("KEQUN_HOME", str(settings.home))

    def run(*words: str) -> tuple[int, str]:
        code = kequn.main(["features", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_version_from_its_first_night_to_its_end(
    context_for: Callable[..., JobContext], settings: Settings, monkeypatch: pytest.MonkeyPatch, say: Callable[..., tuple[int, str]]
) -> None:
    store = FeatureStore(settings)
    declare(monkeypatch, (TENURE, ACTIVITY, RHYTHM))
    deliver(context_for("ingest"), GIVEN, datetime(2026, 1, 31))
    build(context_for("features", JAN_30, JAN_31))
    first = champion(settings)
    spine = pa.table({"customer_key": [1], "as_of_date": [JAN_31]})
    drawn = store.training_set(spine, purpose="marketing", features=[WEEKEND])
    assert say("compare", "rhythm") == (
        2,
        "kequn features: ['rhythm_v1'] are not two versions of one group; name two, such as NAME_v1 NAME_v2\n",
    )

    # Version 2 beside it: the next night builds both, in one pass. A plain name means version 1 as before.
    declare(monkeypatch, (TENURE, ACTIVITY, RHYTHM), beside=[RHYTHM_2])
    deliver(
        context_for("ingest", FEB_01),
        {"transactions": "transaction_id | customer_key | business_date\nf | 2 | 2026-02-01"},
        datetime(2026, 2, 1),
    )
    assert say("compare", "rhythm")[0] == 30
    night = build(context_for("features", FEB_01))
    assert {name: count for name, count in night.rows.items() if name.endswith(("_v1 inserted", "_v2 inserted"))} == {
        f"features.{name} inserted": 2 for name in ("tenure_v1", "activity_v1", "rhythm_v1", "rhythm_v2")
    }
    # Of customer 2 one of two transactions was on a weekend, on one of two days.
    assert told(store, FEB_01, WEEKEND) == {1: 0.333, 2: 0.5}
    assert told(store, FEB_01, "rhythm_v2") == {1: 0.5, 2: 0.5}
    assert SPREAD not in store.read(FEB_01, purpose="marketing", features=["rhythm_v2"]).arrow.column_names
    with pytest.raises(UsageError, match=r"\[rhythm\] is asked for in versions \[2\] and \[1\], whose columns are called alike"):
        store.read(FEB_01, purpose="marketing", features=["rhythm_v2", WEEKEND])

    # Backfill of what is new: its table and no other.
    before = {group.version_name: tables.version(settings, group.table) for group in (TENURE, ACTIVITY, RHYTHM)}
    backfill = build(context_for("features", JAN_30, JAN_31), only=RHYTHM_2)
    assert {name for name in backfill.rows if "inserted" in name and "tile" not in name} == {"features.rhythm_v2 inserted"}
    assert {group.version_name: tables.version(settings, group.table) for group in (TENURE, ACTIVITY, RHYTHM)} == before
    assert shares(context_for(), RHYTHM_2) == {
        (1, "01-30", 0): 0.5, (2, "01-30", 0): 0.0, (1, "01-31", 0): 0.5, (2, "01-31", 0): 0.0, (1, "02-01", 0): 0.5, (2, "02-01", 0): 0.5,
    }  # fmt: skip

    # Compared: one value of two differs on each date, by 1/2 - 1/3.
    code, said = say("compare", "rhythm", "--from", "2026-01-31", "--to", "2026-02-01")
    assert code == 0
    assert [line.split() for line in said.splitlines()] == [
        ["rhythm_v1", "and", "rhythm_v2", "on", "2", "dates", "from", "2026-01-31", "to", "2026-02-01"],
        ["only", "in", "rhythm_v1:", "hour_entropy"],
        ["date", "feature", "customers", "changed", "came", "or", "went", "mean", "change", "largest", "change"],
        ["2026-01-31", WEEKEND, "2", "1", "0", "0.166667", "0.166667"],
        ["2026-02-01", WEEKEND, "2", "1", "0", "0.166667", "0.166667"],
        f"equal everywhere: {len(RHYTHM.features) - 2} features".split(),
    ]

    # Late facts reach the stored dates of both.
    deliver(context_for("ingest", FEB_02), LATE, datetime(2026, 2, 2))
    build(context_for("features", FEB_02))
    assert [shares(context_for(), RHYTHM)[1, day, 1] for day in ("01-30", "01-31", "02-01")] == [0.5] * 3
    assert [shares(context_for(), RHYTHM_2)[1, day, 1] for day in ("01-30", "01-31", "02-01")] == [0.667] * 3

    # Current from now on; what is built on version 1 goes on with it: the champion, models by name, receipts.
    declare(monkeypatch, (TENURE, ACTIVITY, RHYTHM_2), beside=[RHYTHM])
    assert told(store, FEB_01, WEEKEND) == {1: 0.667, 2: 0.5}
    assert told(store, FEB_01, "models:/churn@champion") == {1: 0.5, 2: 0.5}
    assert store.draw_again(drawn.receipt.receipt).arrow.equals(drawn.arrow)
    scored = replace(context_for("score", FEB_01).request, scope="churn", options={"uri": first.uri})
    assert set(score.stands_on(settings, scored)["tables"]) == {"features.tenure_v1", "features.activity_v1", "features.rhythm_v1"}
    score.score(replace(context_for("score", FEB_01), request=scored))
    chances = {
        row.customer_key: row.churn_probability for row in tables.read(context_for(), CHURN.scores).collect() if row.churn_probability
    }
    days = (FEB_01 - date(2020, 1, 1)).days
    expected = tracking.load(settings, first).explained(pd.DataFrame({WEEKEND: [0.5, 0.5], TENURE_DAYS: [float(days)] * 2}))
    assert [chances[1], chances[2]] == list(expected["churn_probability"])

    # It can't be retired while the champion reads it; the current one never.
    code, said = say("retire", "rhythm_v1")
    assert (code, "[rhythm_v1] can't be retired: ['models:/churn/1'] read it. Train again" in said) == (2, True)
    assert say("retire", "rhythm_v2")[0] == say("retire", "rhythm_v7")[0] == say("retire", "rhythm")[0] == 2
    assert versions.retired(settings) == frozenset()

    # A champion of version 2, and its end: it is built and read no more, and housekeeping removes its rows.
    assert champion(settings).uri == "models:/churn/2"
    code, said = say("retire", "rhythm_v1")
    assert (code, "[rhythm_v1] is retired" in said) == (0, True), said
    assert say("retire", "rhythm_v1") == (0, "[rhythm_v1] was retired before: nothing to do\n")
    stored = tables.version(settings, RHYTHM.table)
    deliver(
        context_for("ingest", FEB_03),
        {"transactions": "transaction_id | customer_key | business_date\ng | 1 | 2026-02-03"},
        datetime(2026, 2, 3),
    )
    report = build(context_for("features", FEB_03))
    assert "features.rhythm_v2 inserted" in report.rows
    assert tables.version(settings, RHYTHM.table) == stored
    with pytest.raises(UsageError, match=r"\['rhythm_v1'\] was retired, and is built no more"):
        build(context_for("features", JAN_31), only=RHYTHM)
    with pytest.raises(UsageError, match=r"reads \['rhythm_v1'\], which are not kept any more; there are \[.*'rhythm_v2'"):
        store.read(FEB_01, purpose="marketing", features=["models:/churn/1"])
    with pytest.raises(UsageError, match=rf"Receipt \[{drawn.receipt.receipt}\] reads \['rhythm_v1'\]"):
        store.draw_again(drawn.receipt.receipt)

    # Also where it is not declared any more.
    declare(monkeypatch, (TENURE, ACTIVITY, RHYTHM_2))
    rows = tables.read(context_for(), RHYTHM.table).count()
    assert [table.full_name for table in maintain.retired_tables(settings)] == ["features.rhythm_v1"]
    assert upkeep.drop(context_for(), maintain.retired_tables(settings)[0], "true") == rows > 0
    assert tables.read(context_for(), RHYTHM.table).count() == 0
    declare(monkeypatch, (TENURE, ACTIVITY, RHYTHM), beside=[RHYTHM_2])
    with pytest.raises(
        ConfigurationError, match=r"\['rhythm_v1'\] are current versions .* but were retired; declare a new version instead"
    ):
        versions.built(settings)


def test_a_group_that_is_not_declared_names_the_nearest(say: Callable[..., tuple[int, str]]) -> None:
    code, said = say("--group", "rythm", "--as-of", "2026-01-31")
    assert (code, "There is no group [rythm]; nearest are ['rhythm', " in said) == (2, True)
    assert json.dumps(Request(job="features", since=JAN_31, until=JAN_31).scope) == '""'
