"""From a raw score to a probability, or to money: monotone maps, fitted on months later than training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.models.metrics import decile_means, fit_logistic, sigmoid
from jobs.models.ranking import Numbers

# Isotonic regression needs about a thousand cases before it beats a two-parameter curve
# (Niculescu-Mizil and Caruana 2005, Predicting Good Probabilities with Supervised Learning).
ISOTONIC_POSITIVES = 1000
BINS = 40


@dataclass(frozen=True, kw_only=True)
class Platt:
    """probability = sigmoid(slope × log-odds + intercept)."""

    slope: float
    intercept: float

    def __call__(self, raw: Numbers) -> Numbers:
        return sigmoid(self.slope * raw + self.intercept)

    def as_json(self) -> dict[str, Any]:
        return {"kind": "platt", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A rising line through (raw, calibrated) knots, flat beyond its ends or, if `extends`, proportional beyond the top."""

    raw: tuple[float, ...]
    calibrated: tuple[float, ...]
    extends: bool = False

    def __call__(self, raw: Numbers) -> Numbers:
        mapped = np.interp(raw, self.raw, self.calibrated)
        if self.extends and self.raw[-1] > 0:
            mapped = np.where(raw > self.raw[-1], self.calibrated[-1] * raw / self.raw[-1], mapped)
        return np.asarray(mapped, dtype=np.float64)

    def as_json(self) -> dict[str, Any]:
        return {"kind": "steps", "raw": list(self.raw), "calibrated": list(self.calibrated), "extends": self.extends}


Calibration = Platt | Steps


def from_json(stored: dict[str, Any]) -> Calibration:
    """The map that `as_json` wrote."""
    if stored["kind"] == "platt":
        return Platt(slope=stored["slope"], intercept=stored["intercept"])
    return Steps(raw=tuple(stored["raw"]), calibrated=tuple(stored["calibrated"]), extends=stored["extends"])


def pool_adjacent(values: Numbers, weights: Numbers) -> Numbers:
    """The rising sequence nearest to `values` in weighted squares (pool adjacent violators); keeps the weighted mean."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((float(value), float(weight), 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, low_weight, low_count), (high, high_weight, high_count) = blocks.pop(-2), blocks.pop()
            weight_of_both = low_weight + high_weight
            blocks.append(((low * low_weight + high * high_weight) / weight_of_both, weight_of_both, low_count + high_count))
    return np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


def calibrate_probability(raw: Numbers, happened: Numbers) -> Calibration:
    """Log-odds -> probability: Platt's curve, or isotonic steps from ISOTONIC_POSITIVES positives on."""
    if happened.sum() < ISOTONIC_POSITIVES:
        slope, intercept = fit_logistic(raw, happened)
        return Platt(slope=slope, intercept=intercept)
    predicted, observed, rows = decile_means(raw, happened, bins=BINS)
    return Steps(raw=tuple(predicted), calibrated=tuple(pool_adjacent(observed, rows)))


def calibrate_mean(raw: Numbers, actual: Numbers) -> Calibration:
    """Predicted money -> expected money: isotonic over BINS equal groups, scaled so that the totals agree.

    A model of the signed logarithm predicts something like a median; this puts the mean back (smearing), by group.
    """
    predicted, observed, rows = decile_means(raw, actual, bins=BINS)
    steps = Steps(raw=tuple(predicted), calibrated=tuple(pool_adjacent(observed, rows)), extends=True)
    total = float(steps(raw).sum())
    factor = float(actual.sum()) / total if total > 0 and actual.sum() > 0 else 1.0
    return Steps(raw=steps.raw, calibrated=tuple(value * factor for value in steps.calibrated), extends=True)
