"""Curves as short lists of points, for the report and the tracked pictures. At most 50 points each."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from jobs.models.metrics import decile_means
from jobs.models.ranking import Numbers, roc, walk

Points: TypeAlias = list[list[float]]
STEPS = 41


def _points(*columns: Numbers) -> Points:
    return [[round(float(value), 6) for value in row] for row in zip(*columns, strict=True)]


def roc_points(scores: Numbers, happened: Numbers) -> Points:
    """[false positive rate, true positive rate] on an even grid."""
    grid = np.linspace(0, 1, STEPS)
    return _points(grid, np.interp(grid, *roc(scores, happened)))


def lift_points(scores: Numbers, gains: Numbers) -> Points:
    """[share of customers from the highest score down, lift over random]; outcomes below 0 are clipped."""
    walked = walk(scores, np.clip(gains, 0.0, None))
    shares = np.linspace(0.05, 1, 20)
    return _points(shares, np.array([walked.lift(share) for share in shares]) if walked.total else np.zeros(20))


def gain_points(scores: Numbers, gains: Numbers) -> Points:
    """[share of customers from the highest score down, share of the gain they hold]."""
    walked = walk(scores, np.clip(gains, 0.0, None))
    grid = np.linspace(0, 1, STEPS)
    held = np.interp(grid, walked.rows / walked.rows[-1], walked.gain / walked.total) if walked.total else grid
    return _points(grid, held)


def calibration_points(predicted: Numbers, actual: Numbers) -> Points:
    """[mean predicted, mean observed, rows] for ten equally large groups, lowest prediction first."""
    return _points(*decile_means(predicted, actual))
