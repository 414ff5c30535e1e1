"""Train and score on planted feature tables: quiet customers leave, a year's margin is worth nine tenths of itself next year."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf import settings as conf
from conf.settings import Settings
from features import catalogue
from features.spec import FeatureGroup
from jobs import __main__ as kequn
from jobs import score, tables, tracking, train
from jobs.context import JobContext, Request, new_run_id, now
from jobs.errors import ConfigurationError, GateError, UsageError
from jobs.models import boosting, used
from jobs.models.catalogue import CHURN as CHURN_MODEL
from jobs.models.catalogue import VALUE as VALUE_MODEL
from jobs.models.catalogue import Model
from jobs.store import FeatureStore
from jobs.training_set import draw
from tests.fixtures.declared import declare

CUSTOMERS = 500
# The groups that hold the planted features, the plain rules and who is eligible: the others would only take time.
GROUPS = ("tenure", "dormancy", "value", "activity")
GONE, NEW = 2, 3
README = (
    ".venv/bin/kequn training-set --spine features.label_churn_inactive_90d --features models:/churn@champion --purpose marketing "
    "--out churn.parquet"
)
CHURN, VALUE = replace(CHURN_MODEL, groups=GROUPS), replace(VALUE_MODEL, groups=GROUPS)
# 12 month-ends to train and calibrate, and the test at the end of the year after the last of them
MONTHS = [*(date(2023, month, 1) - timedelta(days=1) for month in range(2, 13)), date(2023, 12, 31), date(2024, 12, 31)]
LAST = date(2025, 12, 31)


def known() -> pd.DataFrame:
    """Customer × month of what the planted features say, and the outcomes: `churn` 0 or 1, `value` in minor units."""
    random = np.random.default_rng(5)
    rows = pd.DataFrame([(key, day) for day in MONTHS for key in range(1, CUSTOMERS + 1)], columns=["customer_key", "as_of_date"])
    rows["dormancy__dormant_days"] = random.integers(0, 90, len(rows))
    rows["tenure__tenure_days"] = np.where(rows["customer_key"] == NEW, 89, 90)
    rows["activity__txn_count_90d"] = np.where(rows["customer_key"] == GONE, 0, 1)
    rows["value__margin_12m"] = np.round(random.standard_t(3, len(rows)) * 300 + 400, 2)
    leaves = random.random(len(rows)) < 1 / (1 + np.exp(6 - rows["dormancy__dormant_days"] / 12))
    earns = (90 * rows["value__margin_12m"] + random.normal(0, 5000, len(rows))).round()  # minor units
    return rows.assign(churn=leaves.astype("int64"), value=earns.astype("int64"))


def plant_features(context: JobContext, rows: pd.DataFrame, groups: Sequence[FeatureGroup]) -> None:
    """The groups at every month: planted columns as given, the others 0 or unknown as their feature declares."""
    planted = context.spark.createDataFrame(rows).persist()
    for group in groups:
        columns = [
            F.col(column.name).cast(column.type)
            if column.name in rows.columns
            else F.lit(None if column.nullable else 0).cast(column.type).alias(column.name)
            for column in group.table.columns
        ]
        tables.append_revisions(context, group.table, planted.select(*columns))


def plant_labels(context: JobContext, model: Model, rows: pd.DataFrame) -> None:
    frame = context.spark.createDataFrame(rows[["customer_key", "as_of_date", model.name]].rename(columns={model.name: "label"}))
    planted = frame.withColumns(
        {"is_eligible": F.col("customer_key") != 1, "is_censored": F.lit(False), "reason": F.lit(None).cast("string")}
    )
    table = used.label_of(model).table
    tables.replace(context, table, planted.select(*[column.name for column in table.columns]), where="true")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("home"))})
    # 500 customers scatter: fifty to a tenth, and the planted chance follows the plain rule exactly
    gate = settings.models.gate.model_copy(update={"churn_calibration_error_max": 0.1, "tolerance": 0.05})
    sizes = settings.models.model_copy(update={"snapshots_train": 6, "snapshots_calibrate": 6, "rounds": 60, "gate": gate})
    return settings.model_copy(update={"models": sizes})


@pytest.fixture(scope="module")
def context_of(spark: SparkSession, home: Settings) -> Callable[..., JobContext]:
    def make(job: str, model: str, day: date = LAST, *, settings: Settings = home, generation: int = 0, uri: str = "") -> JobContext:
        options = {"uri": uri or f"models:/{model}@champion"}
        request = Request(job=job, since=day, until=day, scope=model, options=options)
        return JobContext(settings=settings, request=request, spark=spark, run_id=new_run_id(), generation=generation, started_at=now())

    return make


@pytest.fixture(scope="module")
def bank(context_of: Callable[..., JobContext]) -> None:
    rows = known()
    plant_features(context_of("features", ""), rows, [group for group in catalogue.GROUPS if group.name in GROUPS])
    for model in (CHURN, VALUE):
        plant_labels(context_of("labels", ""), model, rows)


@pytest.fixture(scope="module")
def churn(bank: None, context_of: Callable[..., JobContext]) -> dict:
    return dict(train.trained(context_of("train", "churn"), CHURN).figures)


def test_churn_is_trained_tested_out_of_time_and_becomes_champion(churn: dict, home: Settings) -> None:
    # the churn horizon of 120 days ends before the last month: it is the test, and all twelve months before it are usable
    assert churn["snapshots"] == {"train": list(map(str, MONTHS[:6])), "calibrate": list(map(str, MONTHS[6:12])), "test": ["2024-12-31"]}
    assert churn["gate"]["passed"], churn["gate"]["because"]
    assert churn["registered"]["champion"] == churn["registered"]["version"] == "0001"
    # customer 1 is not eligible; a fifth of the others is unseen in training, everybody is in the test
    assert churn["counts"]["test"]["rows"] == CUSTOMERS - 1
    assert 0.7 * 6 * CUSTOMERS < churn["counts"]["train"]["rows"] < 0.9 * 6 * CUSTOMERS
    assert churn["importance"]["features"][0]["name"] == "dormancy__dormant_days"
    assert churn["importance"]["reasons"][0]["name"] == "recency"
    assert max(len(points) for points in churn["curves"].values()) <= 50
    assert {"auc", "top_decile_lift", "ks"} <= set(churn["baseline"])
    json.dumps(churn, allow_nan=False)


def test_value_keeps_the_total_and_its_other_limits(bank: None, context_of: Callable[..., JobContext]) -> None:
    value = train.trained(context_of("train", "value"), VALUE).figures
    assert value["gate"]["passed"], value["gate"]["because"]
    assert 0.9 <= value["metrics"]["total_ratio"] <= 1.1
    assert value["metrics"]["gini"] > value["baseline"]["gini"] - 0.01
    # units of the base currency: about 90 % of a mean margin of 400
    assert value["metrics"]["mean_actual"] == pytest.approx(360, rel=0.1)


def test_features_json_tells_what_the_model_was_fed(churn: dict, home: Settings) -> None:
    facts = tracking.load(home, tracking.champion(home, "churn")).facts
    assert facts["purpose"] == "marketing"
    assert facts["group_versions"]["dormancy"] == 1
    assert set(facts["spec_hashes"]) == set(facts["names"])
    assert not {"value__cost_to_serve_365d", "tenure__kyc_risk"} & set(facts["names"]), "not for marketing"
    assert facts["delta_versions"]["features.dormancy_v1"] >= 0
    assert {"receipt", "known_at", "snapshots"} <= set(facts)


def test_features_json_tells_when_the_features_were_known_not_when_the_model_was_trained(churn: dict, home: Settings) -> None:
    """So that a repeated training says the same, and the store, asked for them as known then, gives what the model was fed."""
    opened = tables.log(home, catalogue.group_of("dormancy__dormant_days").table)
    assert opened is not None
    (planted,) = set(opened.to_pyarrow_dataset().to_table(columns=["known_at"]).column("known_at").to_pylist())  # all groups, in one run
    assert tracking.load(home, tracking.champion(home, "churn")).facts["known_at"] == planted.isoformat()


def test_the_set_that_a_model_was_trained_on_is_drawn_again(churn: dict, home: Settings, context_of: Callable[..., JobContext]) -> None:
    facts = tracking.load(home, tracking.champion(home, "churn")).facts
    again = FeatureStore(home).draw_again(facts["training_set"]).pandas()
    assert len(again) == sum(found["rows"] for found in churn["counts"].values())
    material = draw(context_of("train", "churn"), CHURN)
    for split in churn["counts"]:
        fed = material.pandas(split)
        found = again[again["split"] == split].sort_values(["customer_key", "as_of_date"], ignore_index=True)
        pd.testing.assert_frame_equal(found[list(fed.columns)].astype(fed.dtypes), fed)
    material.release()


def test_a_set_is_drawn_with_the_features_of_a_model(
    churn: dict, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEQUN_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)
    assert kequn.main(README.split()[1:]) == 0
    names = tracking.load(home, tracking.champion(home, "churn")).features
    written = pd.read_parquet("churn.parquet")
    assert (len(written), set(names) <= set(written.columns)) == (len(MONTHS) * CUSTOMERS, True)
    Path("churn.parquet").unlink()
    capsys.readouterr()
    assert kequn.main(README.replace("/churn@", "/chrn@").split()[1:]) == 50
    assert "No model [models:/chrn@champion]" in (said := capsys.readouterr().err)
    assert "nearest of the registered are ['churn'" in said
    assert list(tmp_path.iterdir()) == []


def test_a_repeated_training_is_the_same_version(churn: dict, context_of: Callable[..., JobContext]) -> None:
    again = train.trained(context_of("train", "churn", generation=1), CHURN).figures
    assert again["registered"]["version"] == churn["registered"]["version"]
    assert again["metrics"] == churn["metrics"]


def test_a_champion_is_tested_on_the_version_that_it_was_trained_on(
    churn: dict, home: Settings, context_of: Callable[..., JobContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In version 2 of the group quiet customers look busy: fed with it, the champion would rank the wrong way round.
    old = next(group for group in catalogue.GROUPS if group.name == "dormancy")
    new = replace(old, version=2)
    rows = known()
    plant_features(context_of("features", "2"), rows.assign(dormancy__dormant_days=90 - rows["dormancy__dormant_days"]), [new])
    declare(monkeypatch, [new if group is old else group for group in catalogue.GROUPS], beside=[old])
    context = context_of("train", "churn", generation=2)
    material = draw(context, CHURN)
    test, rival = material.pandas("test"), tracking.champion(home, "churn")
    assert rival is not None
    scorer = tracking.load(home, rival)
    assert train.training.judge(CHURN, scorer, test).metrics["auc"] < 0.5
    assert train._rival_metrics(context, material, rival, test) == pytest.approx(
        {name: found for name, found in churn["metrics"].items() if name != "score_psi"}
    )
    # Kept no more, it can't be compared, and does not score.
    declare(monkeypatch, catalogue.GROUPS)
    assert train._rival_metrics(context, material, rival, test) is None
    with pytest.raises(ConfigurationError, match=r"was trained on other definitions of \['dormancy__"):
        score.stands_on(home, context_of("score", "churn").request)


def test_every_customer_is_scored_with_band_and_reasons(churn: dict, context_of: Callable[..., JobContext]) -> None:
    report = score.score(context_of("score", "churn", MONTHS[-1]))
    everybody = tables.read(context_of("read", ""), CHURN.scores)
    assert report.rows["rows_in"] == everybody.count() == CUSTOMERS
    stored = everybody.where(~F.col("customer_key").isin(GONE, NEW)).toPandas()
    assert set(stored["model_version"]) == {"0001"}
    assert stored["churn_probability"].between(0, 1).all()
    assert sum(report.figures["bands"].values()) == CUSTOMERS
    quiet = known().query("as_of_date == @MONTHS[-1]").set_index("customer_key")["dormancy__dormant_days"]
    likely = stored.sort_values("churn_probability", ascending=False).head(25)
    assert quiet.loc[likely["customer_key"]].min() > 60
    assert set(likely["reason_1"]) == {"recency"}


def test_who_is_outside_the_population_of_the_label_has_a_band_that_says_why(churn: dict, context_of: Callable[..., JobContext]) -> None:
    report = score.score(context_of("score", "churn", MONTHS[-1]))
    stored = tables.read(context_of("read", ""), CHURN.scores).where(F.col("customer_key").isin(GONE, NEW)).collect()
    # null, not NaN, which a filter by probability would take for the highest
    told = {row["customer_key"]: (row["churn_band"], row["churn_probability"], row["reason_1"]) for row in stored}
    assert told == {GONE: ("gone", None, None), NEW: ("new", None, None)}
    assert (report.figures["bands"]["gone"], report.figures["bands"]["new"]) == (1, 1)


def test_scoring_again_writes_nothing(churn: dict, context_of: Callable[..., JobContext]) -> None:
    score.score(context_of("score", "churn", MONTHS[-1]))
    before = tables.version(context_of("read", "").settings, CHURN.scores)
    report = score.score(context_of("score", "churn", MONTHS[-1], generation=1))
    assert report.rows["unchanged"] == CUSTOMERS
    assert tables.version(context_of("read", "").settings, CHURN.scores) == before


def test_the_gate_keeps_the_champion_and_says_why(churn: dict, home: Settings, context_of: Callable[..., JobContext]) -> None:
    strict = home.model_copy(
        update={
            "models": home.models.model_copy(update={"rounds": 61, "gate": home.models.gate.model_copy(update={"churn_auc_min": 0.999})})
        }
    )
    report = train.trained(context_of("train", "churn", settings=strict, generation=2), CHURN)
    assert not report.figures["gate"]["passed"]
    assert "must be at least 0.999" in report.figures["gate"]["because"][0]
    assert report.figures["registered"]["version"] == "0002"
    assert report.figures["registered"]["champion"] == "0001"
    assert tracking.champion(home, "churn").version == 1
    challenger = tracking.resolve(home, "models:/churn@challenger")
    assert (challenger.version, challenger.tags["gate"]) == (2, "refused")
    assert "auc" in challenger.tags["gate_because"]
    request = context_of("train", "churn").request
    with pytest.raises(
        GateError, match=r"\[churn\] as of \[2025-12-31\] is no new champion: auc.*; positive outcomes: train \d+ of [\d,]+, cal"
    ):
        train._refuse(request, {"figures": json.dumps(report.figures)})


def test_too_few_positives_are_counted_and_no_model_is_made(bank: None, home: Settings, context_of: Callable[..., JobContext]) -> None:
    wants_more = home.model_copy(update={"models": home.models.model_copy(update={"minimum_positives": 100_000})})
    report = train.trained(context_of("train", "churn", settings=wants_more), CHURN)
    assert not report.figures["gate"]["passed"]
    assert "Too few positive outcomes of [churn_inactive_90d]" in report.figures["gate"]["because"][0]
    assert "at least [100000]" in report.figures["gate"]["because"][0]
    # 500 customers but one without outcome, at 6, 6 and 1 month-ends; one in five never trained on
    assert {name: len(days) for name, days in report.figures["snapshots"].items()} == {"train": 6, "calibrate": 6, "test": 1}
    assert report.figures["counts"]["test"]["rows"] == CUSTOMERS - 1
    assert report.figures["title"] == "Churn"


def test_too_few_snapshots_are_counted(bank: None, context_of: Callable[..., JobContext]) -> None:
    report = train.trained(context_of("train", "value", date(2024, 12, 30)), VALUE)
    assert "Too few monthly snapshots" in report.figures["gate"]["because"][0]


def test_no_champion_is_exit_50_before_anything_starts(settings: Settings) -> None:
    request = Request(job="score", since=LAST, until=LAST, scope="value", options={"uri": "models:/value@champion"})
    with pytest.raises(GateError, match="No model") as refused:
        score.stands_on(settings, request)
    assert refused.value.exit_code == 50


def test_a_model_of_another_name_is_a_wrong_call(churn: dict, home: Settings) -> None:
    request = Request(job="score", since=LAST, until=LAST, scope="value", options={"uri": "models:/churn/1"})
    with pytest.raises(UsageError, match=r"\[models:/churn/1\] is a \[churn\] model; --model says \[value\]"):
        score.stands_on(home, request)


def test_a_feature_that_means_something_else_is_refused_by_name(churn: dict, home: Settings) -> None:
    facts = dict(tracking.load(home, tracking.champion(home, "churn")).facts)
    used.refuse_changed("models:/churn/1", facts)
    changed = {**facts, "spec_hashes": {**facts["spec_hashes"], "value__margin_12m": "0000"}}
    with pytest.raises(ConfigurationError, match=r"\['value__margin_12m'\] \(1 of \d+ features\)") as refused:
        used.refuse_changed("models:/churn/1", changed)
    assert refused.value.exit_code == 10


def test_trees_fitted_on_spark_rank_like_those_of_the_driver(bank: None, context_of: Callable[..., JobContext], tmp_path: Path) -> None:
    material = draw(context_of("train", "churn"), CHURN)
    rows = material.training
    shape = boosting.Shape(objective="binary:logistic", rounds=20, depth=3, learning_rate=0.2, seed=1)
    names = ["dormancy__dormant_days", "value__margin_12m", "tenure__tenure_days"]
    test = boosting.matrix(material.pandas("test"), names)
    local, spread = (
        boosting.predict(boosting.fit(rows, trainer=trainer, features=names, shape=shape, order=["customer_key", "as_of_date"]), test)
        for trainer in (boosting.DRIVER, boosting.ON_SPARK)
    )
    assert np.corrcoef(local, spread)[0, 1] > 0.95
    with pytest.raises(ConfigurationError, match=r"No trainer \[sklearn\]"):
        boosting.fit(rows, trainer="sklearn", features=names, shape=shape, order=[])


def test_a_history_too_short_for_longer_outcomes_leaves_a_model_its_own(bank: None, context_of: Callable[..., JobContext]) -> None:
    """As if outcomes took 400 days no month is left to test on; that all models may see the same months the demo shows."""
    context = context_of("train", "churn", generation=3)
    models = context.settings.models.model_copy(update={"outcome_days_at_least": 400})
    material = draw(replace(context, settings=context.settings.model_copy(update={"models": models})), CHURN)
    own = draw(context, CHURN)
    assert material.snapshots.as_text() == own.snapshots.as_text()
    material.release()
    own.release()
