"""How good a score is. Definitions and golden numbers: domain reference 1.5 (value), 2.4 (churn), 7 (PSI).

All functions take aligned arrays, one element per customer and as-of date. `happened` is 0 or 1.
"""

from __future__ import annotations

import numpy as np

from jobs.models.ranking import Numbers, roc, walk

TOP_DECILE = 0.1
BINS = 10
# A predicted decile whose realised mean is near zero has no meaningful relative error: its denominator is at least
# this share of the overall mean.
LEAST_DECILE_MEAN = 0.1
EMPTY_BIN = 1e-4


def auc(scores: Numbers, happened: Numbers) -> float:
    """Probability that a random positive ranks above a random negative; ties count half."""
    false_rate, true_rate = roc(scores, happened)
    return float(np.trapezoid(true_rate, false_rate))


def kolmogorov_smirnov(scores: Numbers, happened: Numbers) -> float:
    """Largest distance between the distributions of the score for positives and negatives."""
    false_rate, true_rate = roc(scores, happened)
    return float(np.max(np.abs(true_rate - false_rate)))


def average_precision(scores: Numbers, happened: Numbers) -> float:
    """Area under precision over recall, as a sum of steps (no interpolation between them)."""
    walked = walk(scores, happened)
    precision = walked.gain[1:] / walked.rows[1:]
    return float(np.sum(np.diff(walked.gain) / walked.total * precision))


def log_loss(probabilities: Numbers, happened: Numbers) -> float:
    """Mean negative log likelihood, natural logarithm."""
    safe = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return float(-np.mean(happened * np.log(safe) + (1 - happened) * np.log1p(-safe)))


def decile_means(predicted: Numbers, actual: Numbers, *, bins: int = BINS) -> tuple[Numbers, Numbers, Numbers]:
    """Mean prediction, mean outcome and rows of `bins` equally large groups by prediction, lowest first."""
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    means = np.array([[predicted[group].mean(), actual[group].mean(), len(group)] for group in groups])
    return means[:, 0], means[:, 1], means[:, 2]


def calibration_error(probabilities: Numbers, happened: Numbers) -> float:
    """Expected calibration error over ten equally large groups: mean |predicted - observed|, weighted by rows."""
    predicted, observed, rows = decile_means(probabilities, happened)
    return float(np.average(np.abs(predicted - observed), weights=rows))


def calibration_slope(probabilities: Numbers, happened: Numbers) -> float:
    """Slope of a logistic regression of the outcome on the log-odds of the prediction; 1 is right, < 1 too bold."""
    slope, _ = fit_logistic(log_odds(probabilities), happened)
    return slope


def log_odds(probabilities: Numbers) -> Numbers:
    safe = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def sigmoid(values: Numbers) -> Numbers:
    return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)


def fit_logistic(values: Numbers, happened: Numbers, *, steps: int = 50) -> tuple[float, float]:
    """Slope and intercept of the maximum likelihood logistic curve, by Newton's method with a whiff of ridge."""
    design = np.column_stack([values, np.ones_like(values)])
    weights = np.zeros(2)
    for _ in range(steps):
        chance = sigmoid(design @ weights)
        # The ridge keeps the step finite where the two classes are separable.
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (happened - chance) - 1e-6 * weights)
        weights = weights + np.clip(step, -2.0, 2.0)
        if float(np.max(np.abs(step))) < 1e-10:
            break
    return float(weights[0]), float(weights[1])


def normalised_gini(predicted: Numbers, actual: Numbers) -> float:
    """Gini of the outcome in order of prediction over its Gini in its own order. Negative outcomes are clipped to 0."""
    gains = np.clip(actual, 0.0, None)
    if not gains.sum():
        return 0.0
    best = walk(gains, gains).area() - 0.5
    return (walk(predicted, gains).area() - 0.5) / best if best else 0.0


def average_ranks(values: Numbers) -> Numbers:
    """Rank from 1 up; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], dtype=np.float64)


def spearman(predicted: Numbers, actual: Numbers) -> float:
    """Rank correlation, ties averaged; 0 where one side is constant."""
    first, second = average_ranks(predicted), average_ranks(actual)
    if not first.std() or not second.std():
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def decile_error(predicted: Numbers, actual: Numbers) -> float:
    """Decile MAPE: mean over predicted deciles of |mean predicted - mean actual| / |mean actual|.

    The denominator is at least LEAST_DECILE_MEAN of the overall mean: bank customers may be worth about nothing.
    """
    expected, seen, _ = decile_means(predicted, actual)
    least = LEAST_DECILE_MEAN * abs(float(actual.mean()))
    return float(np.mean(np.abs(expected - seen) / np.maximum(np.abs(seen), max(least, 1e-12))))


def total_ratio(predicted: Numbers, actual: Numbers) -> float:
    """Predicted total over realised total, signs included; 0 where nothing was realised, which no gate lets through."""
    total = float(actual.sum())
    return float(predicted.sum()) / total if total else 0.0


def top_decile_capture(predicted: Numbers, actual: Numbers) -> float:
    """Share of realised (non-negative) value that the best predicted tenth holds."""
    gains = np.clip(actual, 0.0, None)
    return walk(predicted, gains).captured(TOP_DECILE) if gains.sum() else 0.0


def quantile_edges(expected: Numbers, *, bins: int = BINS) -> Numbers:
    """Inner edges of equally large groups of the reference; frozen with it."""
    known = expected[~np.isnan(expected)]
    return np.asarray(np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])), dtype=np.float64)


def _shares(values: Numbers, edges: Numbers) -> Numbers:
    """Share of values in each group; missing ones are a group of their own, the last."""
    missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[~missing], side="left"), minlength=len(edges) + 1)
    return np.maximum(np.append(counts, missing.sum()) / len(values), EMPTY_BIN)


def population_stability(expected: Numbers, actual: Numbers) -> float:
    """PSI = sum (a - e) ln(a / e) over ten groups frozen from `expected`. Below .1 stable, above .25 act."""
    edges = quantile_edges(expected)
    before, after = _shares(expected, edges), _shares(actual, edges)
    return float(np.sum((after - before) * np.log(after / before)))


def churn_metrics(scores: Numbers, probabilities: Numbers | None, happened: Numbers) -> dict[str, float]:
    """The churn acceptance set; without probabilities (a plain rule) only what a ranking can be asked."""
    found = {
        "auc": auc(scores, happened),
        "pr_auc": average_precision(scores, happened),
        "top_decile_lift": walk(scores, happened).lift(TOP_DECILE),
        "ks": kolmogorov_smirnov(scores, happened),
        "base_rate": float(happened.mean()),
    }
    if probabilities is not None:
        found |= {
            "log_loss": log_loss(probabilities, happened),
            "calibration_error": calibration_error(probabilities, happened),
            "calibration_slope": calibration_slope(probabilities, happened),
        }
    return found


def value_metrics(predicted: Numbers, actual: Numbers) -> dict[str, float]:
    """The value acceptance set, in the unit of `actual`."""
    return {
        "gini": normalised_gini(predicted, actual),
        "spearman": spearman(predicted, actual),
        "decile_mape": decile_error(predicted, actual),
        "total_ratio": total_ratio(predicted, actual),
        "top_decile_capture": top_decile_capture(predicted, actual),
        "mean_actual": float(actual.mean()),
        "mean_predicted": float(predicted.mean()),
    }
