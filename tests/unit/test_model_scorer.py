"""Fit, calibrate, explain and gate on a small planted bank: who was quiet leaves, who earned will earn."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression

from expectations.contracts.scores import REASON_CODES, REASONS
from features import catalogue as feature_catalogue
from jobs import score
from jobs.errors import UsageError
from jobs.models import boosting, calibration, catalogue, gate, metrics, reasons, scorer, training, used
from tests.fixtures.declared import declare

FEATURES = ("dormancy__dormant_days", "balances__aum_eod", "value__margin_12m", "channels__login_count_30d", "tenure__tenure_days")
SHAPE = {"rounds": 60, "depth": 3, "learning_rate": 0.1, "seed": 1}
LIMITS = SimpleNamespace(
    churn_auc_min=0.7, churn_top_decile_lift_min=2.0, churn_calibration_error_max=0.03,
    value_gini_min=0.3, value_total_ratio_low=0.9, value_total_ratio_high=1.1, tolerance=0.01,
)  # fmt: skip


def bank(rows: int, seed: int, model: catalogue.Model) -> pd.DataFrame:
    """A planted bank: columns FEATURES, ACTUAL, UNSEEN; margins have heavy tails and a fifth are negative."""
    random = np.random.default_rng(seed)
    quiet, margin = random.exponential(20, rows), random.standard_t(3, rows) * 400 + 300
    frame = pd.DataFrame({
        "dormancy__dormant_days": quiet, "balances__aum_eod": margin * 40 + random.normal(0, 2000, rows), "value__margin_12m": margin,
        "channels__login_count_30d": random.poisson(6, rows).astype(float), "tenure__tenure_days": random.integers(90, 5000, rows).astype(float),
    })  # fmt: skip
    frame.loc[random.random(rows) < 0.05, "channels__login_count_30d"] = np.nan
    chance = metrics.sigmoid(-4 + quiet / 15 - np.nan_to_num(frame["channels__login_count_30d"].to_numpy(), nan=0.0) / 10)
    outcome = (random.random(rows) < chance) if model is catalogue.CHURN else 0.9 * margin + random.normal(0, 150, rows)
    return frame.assign(actual=np.asarray(outcome, dtype=float), is_unseen=random.random(rows) < 0.2)


def fitted(model: catalogue.Model) -> scorer.Scorer:
    train, later = bank(6000, 1, model), bank(4000, 2, model)
    actual = train[training.ACTUAL].to_numpy()
    scale = training.scale_of(actual) if model.kind is catalogue.Kind.MONEY else 1.0
    shape = boosting.Shape(objective=training.OBJECTIVES[model.kind], **SHAPE)
    booster = boosting.fit_in_driver(train.assign(target=training.targets(model, actual, scale)), features=FEATURES, shape=shape)
    return training.calibrated(model, booster, frame=later, features=FEATURES, scale=scale, facts={"known_at": "2026-01-01"})


@pytest.fixture(scope="module")
def churn() -> scorer.Scorer:
    return fitted(catalogue.CHURN)


@pytest.fixture(scope="module")
def value() -> scorer.Scorer:
    return fitted(catalogue.VALUE)


@pytest.fixture(params=["churn", "value"])
def either(request: pytest.FixtureRequest) -> scorer.Scorer:
    return request.getfixturevalue(request.param)


def test_contributions_and_base_are_the_raw_score(either: scorer.Scorer) -> None:
    frame = bank(500, 3, either.model)
    parts, base, raw = either.taken_apart(frame)
    assert np.abs(parts.sum(axis=1) + base - raw).max() < 1e-12
    # the library adds its trees in single precision: a few units in the seventh digit
    library = boosting.predict(either.booster, boosting.matrix(frame, FEATURES))
    assert np.abs(library - raw).max() < 3e-6
    # grouping into reasons loses nothing
    assert np.abs(reasons.by_reason(parts, FEATURES).sum(axis=1) - parts.sum(axis=1)).max() < 1e-9


def test_contributions_are_in_log_odds(churn: scorer.Scorer) -> None:
    parts, base, raw = churn.taken_apart(bank(500, 3, catalogue.CHURN))
    assert np.abs(parts.sum(axis=1) + base - metrics.log_odds(metrics.sigmoid(raw))).max() < 1e-6


def test_an_explained_score_is_the_predicted_one(either: scorer.Scorer) -> None:
    frame = bank(300, 4, either.model).set_index(pd.Index(range(1000, 1300)))
    explained = either.explained(frame)
    assert list(explained.columns) == [c.name for c in either.model.scores.columns][3:]
    assert explained.index.equals(frame.index)
    # a hundredth of the currency, a millionth of a chance
    assert np.allclose(explained[either.model.score], either.predict(frame), rtol=1e-5, atol=0.6 * 10**-either.model.decimals)


def test_a_batch_scores_the_eligible_and_says_why_not_of_the_others(either: scorer.Scorer) -> None:
    frame = bank(4, 9, either.model).assign(customer_key=range(4), as_of_date="2026-01-31", unscored=[None, "new", None, "new"])
    outside = frame.assign(unscored="new")
    mixed, nobody = score.batches(either, "0001")(iter([frame, outside]))
    assert list(mixed.columns) == [column.name for column in either.model.scores.columns]
    within = mixed.loc[[0, 2]].set_index(frame.index[[0, 2]])
    pd.testing.assert_series_equal(within[either.model.score], either.explained(frame)[either.model.score].loc[[0, 2]])
    assert set(within[either.model.band]) <= {"high", "medium", "low"}
    for others in (mixed.loc[[1, 3]], nobody):
        assert set(others[either.model.band]) == {"new"}
        assert others[[either.model.score, "reason_1", "reason_2", "reason_3"]].isna().all(axis=None)


def test_a_reloaded_scorer_gives_the_same_scores(either: scorer.Scorer, tmp_path: Path) -> None:
    frame = bank(50, 5, either.model)
    for name, content in either.files().items():
        (tmp_path / name).write_bytes(content)
    again = scorer._load_pyfunc(str(tmp_path))
    assert again.features == FEATURES
    assert again.facts["known_at"] == "2026-01-01"
    pd.testing.assert_frame_equal(again.explained(frame), either.explained(frame))
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(either)).explained(frame), either.explained(frame))


def test_churn_is_found_calibrated_and_better_than_recency(churn: scorer.Scorer) -> None:
    judged = training.judge(catalogue.CHURN, churn, bank(6000, 6, catalogue.CHURN))
    assert judged.metrics["auc"] > 0.8
    assert judged.metrics["calibration_error"] < 0.02
    assert judged.metrics["calibration_slope"] == pytest.approx(1.0, abs=0.15)
    assert judged.unseen["auc"] == pytest.approx(judged.metrics["auc"], abs=0.05)
    assert judged.metrics["auc"] > judged.baseline["auc"] - 0.01
    assert set(judged.curves) == {"roc", "lift", "calibration"}


def test_value_keeps_the_total_although_margins_are_negative(value: scorer.Scorer) -> None:
    test = bank(6000, 7, catalogue.VALUE)
    assert (test[training.ACTUAL] < 0).mean() > 0.1
    judged = training.judge(catalogue.VALUE, value, test)
    assert judged.metrics["total_ratio"] == pytest.approx(1.0, abs=0.1)
    assert judged.metrics["gini"] > 0.85
    assert judged.metrics["decile_mape"] < 0.15
    assert set(judged.baseline) == set(judged.metrics)


def test_bands_are_frozen_with_the_model(either: scorer.Scorer) -> None:
    assert either.bands(np.array([either.high, either.medium, either.medium - 1e-3])) == ["high", "medium", "low"]
    shares = either.explained(bank(4000, 8, either.model))[either.model.band].value_counts(normalize=True)
    assert shares["high"] == pytest.approx(1 - either.model.high, abs=0.03)


def test_the_strongest_reasons_are_positive_and_in_order() -> None:
    summed = np.zeros((3, len(REASON_CODES)))
    place = {code: REASON_CODES.index(code) for code in REASON_CODES}
    summed[0, [place["credit"], place["balances"], place["income"], place["value"]]] = [0.3, 0.9, 0.1, 0.2]
    summed[1, [place["credit"], place["balances"]]] = [-0.9, 0.5]
    summed[2, place["credit"]] = 0.001  # below the floor: no reason at all
    told = reasons.strongest(summed)
    assert told.to_numpy().tolist() == [["balances", "credit", "value"], ["balances", None, None], [None, None, None]]


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        ("balances__aum_mad_90d", "balances"), ("activity__out_sum_30d", "activity"), ("activity__silent_days", "recency"), ("dormancy__dormant_days", "recency"),
        ("channels__login_gap_days", "channels"), ("cash_flow__income_months_180d", "income"), ("merchant__settled_30d", "other"),
    ],
)  # fmt: skip
def test_features_tell_a_reason(feature: str, code: str) -> None:
    assert reasons.reason_of(feature) == code


@pytest.mark.parametrize("model", catalogue.MODELS, ids=lambda model: model.name)
def test_models_stand_on_what_the_catalogue_declares(model: catalogue.Model) -> None:
    names = used.usable(model)
    assert model.baseline in names
    assert len(names) > 60
    assert {feature_catalogue.feature(name).type for name in names}.isdisjoint({"string"})
    assert all(model.purpose in feature_catalogue.feature(name).purposes for name in names)
    assert model.label in [label.name for label in feature_catalogue.LABELS]
    assert model.score in model.scores.column_names
    assert model.band in model.scores.column_names


def test_every_feature_group_has_a_reason() -> None:
    assert {group.name for group in feature_catalogue.GROUPS} <= set(reasons.OF_GROUP)


def test_a_feature_is_known_by_what_it_means_and_not_by_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "activity__txn_count_90d"
    group, feature = feature_catalogue.FEATURES[name]
    others = [one for one in feature_catalogue.GROUPS if one is not group]
    trained = used.facts([name, "value__margin_12m"])
    assert (trained["group_versions"], used.changed(trained)) == ({"activity": 1, "value": 1}, [])

    for change, found in (({"title": "Renamed"}, []), ({"sql": f"{feature.sql} + 1"}, [name]), ({"type": "double"}, [name])):
        declare(monkeypatch, [*others, replace(group, declared=(replace(feature, **change),))])
        assert used.changed(trained) == found
    declare(monkeypatch, [*others, replace(group, declared=group.declared[-1:])])
    assert used.changed(trained) == [name], "a feature that is gone"

    # Another version of the group is another meaning, while the one it was trained on is kept beside it.
    declare(monkeypatch, [*others, replace(group, version=2)], beside=[group])
    assert (used.changed(trained), used.changed(trained, feature_catalogue.GROUPS)) == ([], [name])
    declare(monkeypatch, [*others, replace(group, version=2)])
    assert used.changed(trained) == [name], "a version that is gone"


def test_reasons_have_texts_in_both_languages() -> None:
    assert len(set(REASON_CODES)) == len(REASONS) == 12
    assert {*reasons.OF_GROUP.values(), *(code for _, code in reasons.OF_NAME)} <= set(REASON_CODES)
    assert all(reason.raises and any("\u4e00" <= letter <= "\u9fff" for letter in reason.raises_zh) for reason in REASONS)


def test_pooling_equals_isotonic_regression() -> None:
    random = np.random.default_rng(9)
    values, weights = np.cumsum(random.normal(0.1, 1, 40)), random.integers(1, 9, 40).astype(float)
    expected = IsotonicRegression().fit(np.arange(40), values, sample_weight=weights).predict(np.arange(40))
    assert np.allclose(calibration.pool_adjacent(values, weights), expected)


def test_many_positives_are_calibrated_in_steps_and_few_by_a_curve() -> None:
    random = np.random.default_rng(10)
    raw = random.normal(-2, 1, 20_000)
    happened = (random.random(20_000) < metrics.sigmoid(raw)).astype(float)
    steps, curve = calibration.calibrate_probability(raw, happened), calibration.calibrate_probability(raw[:2000], happened[:2000])
    assert (type(steps), type(curve)) == (calibration.Steps, calibration.Platt)
    for fit in (steps, curve):
        assert metrics.calibration_error(fit(raw), happened) < 0.02
        assert np.all(np.diff(fit(np.sort(raw))) >= 0)
        assert np.array_equal(calibration.from_json(fit.as_json())(raw), fit(raw))


def test_signed_logarithm_is_undone() -> None:
    amounts = np.array([-1e6, -3.0, 0.0, 0.5, 2e7])
    assert np.allclose(scorer.from_signed_log(scorer.to_signed_log(amounts, 250.0), 250.0), amounts)


def test_gate_passes_what_keeps_all_limits() -> None:
    found = {"auc": 0.80, "top_decile_lift": 4.0, "calibration_error": 0.01}
    verdict = gate.decide(catalogue.CHURN, LIMITS, metrics=found, baseline={"auc": 0.75}, champion={"auc": 0.805})
    assert verdict.passed
    assert verdict.as_json()["because"] == []


@pytest.mark.parametrize(
    ("change", "baseline", "champion", "because"),
    [
        ({"auc": 0.69}, 0.6, None, "auc [0.69] must be at least 0.7 (limit)"),
        ({"top_decile_lift": 1.9}, 0.6, None, "top_decile_lift [1.9] must be at least 2 (limit)"),
        ({"calibration_error": 0.04}, 0.6, None, "calibration_error [0.04] must be at most 0.03 (limit)"),
        ({}, 0.82, None, "auc [0.8] must be at least 0.81 (plain rule)"),
        ({}, 0.6, 0.83, "auc [0.8] must be at least 0.82 (champion)"),
        ({"auc": float("nan")}, 0.6, None, "auc [nan] must be at least 0.7 (limit)"),
    ],
)
def test_gate_says_which_limit_is_broken(change: dict[str, float], baseline: float, champion: float | None, because: str) -> None:
    found = {"auc": 0.80, "top_decile_lift": 4.0, "calibration_error": 0.01, **change}
    verdict = gate.decide(
        catalogue.CHURN, LIMITS, metrics=found, baseline={"auc": baseline}, champion=None if champion is None else {"auc": champion}
    )
    assert not verdict.passed
    assert because in verdict.broken


def test_gate_of_value_bounds_the_total_on_both_sides() -> None:
    verdict = gate.decide(catalogue.VALUE, LIMITS, metrics={"gini": 0.5, "total_ratio": 1.2}, baseline={"gini": 0.4}, champion=None)
    assert verdict.broken == ["total_ratio [1.2] must be between 0.9 and 1.1 (limit)"]


def test_an_unknown_model_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"\[uplift\]; there are \['churn', 'value'\]"):
        catalogue.model("uplift")
