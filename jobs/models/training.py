"""Fit, calibrate, judge: from labelled frames to a scorer and the figures about it. Pure: frames in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobs.models import boosting, calibration, curves, metrics, reasons
from jobs.models.catalogue import Kind, Model
from jobs.models.scorer import Scorer, to_signed_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xgboost import Booster

    from jobs.models.ranking import Numbers

ACTUAL, UNSEEN = "actual", "is_unseen"
OBJECTIVES = {Kind.CHANCE: "binary:logistic", Kind.MONEY: "reg:squarederror"}
# Fewer customers than this, or an outcome without variety, give no figure worth printing.
LEAST_ROWS = 20
TOP_FEATURES = 15


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a test says: metrics of the model, the same for customers it never saw and for the plain rule, and curves."""

    metrics: Mapping[str, float]
    unseen: Mapping[str, float]
    baseline: Mapping[str, float]
    curves: Mapping[str, curves.Points]


def scale_of(actual: Numbers) -> float:
    """Unit of the signed logarithm: the middle size of what is not zero."""
    sizes = np.abs(actual[actual != 0])
    return float(np.median(sizes)) if len(sizes) else 1.0


def targets(model: Model, actual: Numbers, scale: float) -> Numbers:
    """What the trees are fitted to: the outcome itself, or its signed logarithm."""
    return actual if model.kind is Kind.CHANCE else to_signed_log(actual, scale)


def calibrated(
    model: Model, booster: Booster, *, frame: pd.DataFrame, features: Sequence[str], scale: float, facts: Mapping[str, Any]
) -> Scorer:
    """The scorer of fitted trees. frame: calibration months, one row per customer and as-of date, with ACTUAL."""
    plain = Scorer(
        name=model.name, trees=bytes(booster.save_raw("ubj")), features=tuple(features), calibration=calibration.Platt(slope=1.0, intercept=0.0),
        scale=scale, medium=0.0, high=0.0, facts=facts,
    )  # fmt: skip
    raw, actual = plain.raw(frame), frame[ACTUAL].to_numpy(dtype=np.float64)
    fit = calibration.calibrate_probability if model.kind is Kind.CHANCE else calibration.calibrate_mean
    mapped = fit(raw, actual)
    medium, high = np.quantile(mapped(raw), [model.medium, model.high])
    return Scorer(
        name=model.name, trees=plain.trees, features=plain.features, calibration=mapped, scale=scale,
        medium=float(medium), high=float(high), facts=facts,
    )  # fmt: skip


def judge(model: Model, scorer: Scorer, frame: pd.DataFrame, *, reference: pd.DataFrame | None = None) -> Judged:
    """Test on `frame`: test months, one row per customer and as-of date, with ACTUAL, UNSEEN and the baseline's feature.

    reference: earlier months, for how far the distribution of scores has moved since (score_psi).
    """
    raw, predicted = scorer.raw(frame), scorer.predict(frame)
    actual = frame[ACTUAL].to_numpy(dtype=np.float64)
    unseen = frame[UNSEEN].to_numpy(dtype=bool)
    enough = unseen.sum() >= LEAST_ROWS and (model.kind is Kind.MONEY or 0 < actual[unseen].sum() < unseen.sum())
    moved = {} if reference is None else {"score_psi": metrics.population_stability(scorer.raw(reference), raw)}
    return Judged(
        metrics=measured(model, raw, predicted, actual) | moved,
        unseen=measured(model, raw[unseen], predicted[unseen], actual[unseen]) if enough else {},
        baseline=plain_rule(model, frame),
        curves=drawn(model, raw, predicted, actual),
    )


def measured(model: Model, raw: Numbers, predicted: Numbers, actual: Numbers) -> dict[str, float]:
    if model.kind is Kind.CHANCE:
        return metrics.churn_metrics(raw, predicted, actual)
    return metrics.value_metrics(predicted, actual)


def plain_rule(model: Model, frame: pd.DataFrame) -> dict[str, float]:
    """Metrics of the rule that the model has to beat. A customer without the feature ranks last, or is worth nothing."""
    actual = frame[ACTUAL].to_numpy(dtype=np.float64)
    known = frame[model.baseline].to_numpy(dtype=np.float64, na_value=np.nan)
    if model.kind is Kind.CHANCE:
        return metrics.churn_metrics(np.nan_to_num(known, nan=-1.0), None, actual)
    return metrics.value_metrics(np.nan_to_num(known, nan=0.0), actual)


def drawn(model: Model, raw: Numbers, predicted: Numbers, actual: Numbers) -> dict[str, curves.Points]:
    if model.kind is Kind.CHANCE:
        return {
            "roc": curves.roc_points(raw, actual), "lift": curves.lift_points(raw, actual),
            "calibration": curves.calibration_points(predicted, actual),
        }  # fmt: skip
    return {
        "gain": curves.gain_points(predicted, actual), "lift": curves.lift_points(predicted, actual),
        "calibration": curves.calibration_points(predicted, actual),
    }  # fmt: skip


def importance(scorer: Scorer, frame: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What the scores of `frame` hang on: mean absolute contribution per feature and per reason, as shares of the whole."""
    parts, _ = boosting.contributions(scorer.booster, boosting.matrix(frame, scorer.features))
    by_feature = pd.Series(np.abs(parts).mean(axis=0), index=list(scorer.features))
    by_reason = by_feature.groupby(reasons.reason_of).sum()
    return {"features": _shares(by_feature), "reasons": _shares(by_reason)}


def _shares(sizes: pd.Series[float]) -> list[dict[str, Any]]:
    whole = float(sizes.sum()) or 1.0
    best = sizes.sort_values(ascending=False, kind="stable").head(TOP_FEATURES)
    return [{"name": str(name), "share": round(float(size) / whole, 4)} for name, size in best.items() if size > 0]
