"""Gradient boosted trees: fitted in the driver from pandas, or by xgboost.spark from a Spark frame. One Booster either way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobs.errors import ConfigurationError
from jobs.models.ranking import Numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame
    from xgboost import Booster

DRIVER, ON_SPARK = "xgboost", "xgboost.spark"
TARGET = "target"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size and objective of a boosted model, independent of where it is fitted."""

    objective: str
    rounds: int
    depth: int
    learning_rate: float
    seed: int

    def parameters(self) -> dict[str, Any]:
        return {
            "objective": self.objective, "max_depth": self.depth, "learning_rate": self.learning_rate, "seed": self.seed,
            "tree_method": "hist", "max_bin": 128, "min_child_weight": 5.0, "subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 2.0,
        }  # fmt: skip


def fit(training: DataFrame, *, trainer: str, features: Sequence[str], shape: Shape, order: Sequence[str]) -> Booster:
    """Fit on `training`: one row per customer and as-of date, columns `features` and TARGET; `order` is its key.

    In the driver rows are put in order of their key, so that equal rows give equal trees (rows are subsampled).
    Raises ConfigurationError for a trainer that does not exist.
    """
    if trainer == DRIVER:
        rows = training.select(*order, *features, TARGET).toPandas().sort_values(list(order), ignore_index=True)
        return fit_in_driver(rows, features=features, shape=shape)
    if trainer == ON_SPARK:
        return fit_on_spark(training, features=features, shape=shape)
    raise ConfigurationError(f"No trainer [{trainer}]; models.trainer may be [{DRIVER}] or [{ON_SPARK}]")


def fit_in_driver(training: pd.DataFrame, *, features: Sequence[str], shape: Shape) -> Booster:
    import xgboost

    data = xgboost.DMatrix(matrix(training, features), label=training[TARGET].to_numpy(), feature_names=list(features))
    return xgboost.train(shape.parameters(), data, num_boost_round=shape.rounds)


def fit_on_spark(training: DataFrame, *, features: Sequence[str], shape: Shape) -> Booster:
    """The rows never leave Spark: one barrier task per worker."""
    from xgboost.spark import SparkXGBClassifier, SparkXGBRegressor

    estimator = SparkXGBClassifier if shape.objective == "binary:logistic" else SparkXGBRegressor
    names = {"learning_rate": "learning_rate", "seed": "random_state"}
    parameters = {names.get(name, name): value for name, value in shape.parameters().items() if name != "objective"}
    fitted = estimator(
        features_col=list(features), label_col=TARGET, n_estimators=shape.rounds, num_workers=1, missing=float("nan"), **parameters
    ).fit(training.select(*features, TARGET))
    booster: Booster = fitted.get_booster()
    booster.feature_names = list(features)
    return booster


def matrix(frame: pd.DataFrame, features: Sequence[str]) -> Numbers:
    """Features as numbers in the model's order; missing ones are NaN, which trees send their own way."""
    return np.asarray(frame[list(features)].to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def predict(booster: Booster, values: Numbers) -> Numbers:
    """Raw score of each row: log-odds, or the transformed amount."""
    import xgboost

    data = xgboost.DMatrix(values, feature_names=booster.feature_names)
    return np.asarray(booster.predict(data, output_margin=True), dtype=np.float64)


def contributions(booster: Booster, values: Numbers) -> tuple[Numbers, float]:
    """Exact tree contributions (path-dependent SHAP) rows × features, and the base value; a row's sum plus base is its raw score."""
    import xgboost

    rows, features = values.shape
    data = xgboost.DMatrix(values, feature_names=booster.feature_names)
    # The library forgets the columns of no rows.
    found = np.asarray(booster.predict(data, pred_contribs=True), dtype=np.float64).reshape(rows, features + 1)
    return found[:, :-1], float(found[0, -1]) if len(found) else 0.0
