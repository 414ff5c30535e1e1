"""Metrics against arithmetic by hand, the domain reference's golden numbers, and scikit-learn as a twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm, spearmanr
from sklearn import metrics as twin

from jobs.models import curves, metrics
from jobs.models.ranking import walk


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_auc_counts_pairs_and_halves_ties() -> None:
    # score     .9 .7 .7 .2      pairs (positive, negative): (.9,.7) won, (.9,.2) won, (.7,.7) half, (.7,.2) won
    # happened   1  1  0  0      (1 + 1 + .5 + 1) / 4 = .875
    assert metrics.auc(array(0.9, 0.7, 0.7, 0.2), array(1, 1, 0, 0)) == pytest.approx(0.875)


def test_lift_of_the_best_tenth_splits_a_tied_block() -> None:
    # 20 rows, 4 positives, 2 of them among the 4 rows tied on top. Best tenth = 2 of those 4: 1 positive expected.
    # captured 1/4 over a share of 1/10 = 2.5, whatever the row order within the tie.
    scores = np.array([1.0] * 4 + [0.0] * 16)
    for happened in ([1, 1, 0, 0] + [1, 1] + [0] * 14, [0, 0, 1, 1] + [0] * 14 + [1, 1]):
        assert walk(scores, np.array(happened, dtype=float)).lift(0.1) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("auc", "lifts", "ks"),
    [  # domain reference 2.4: lift of the top decile at a base rate of 1, 2, 5, 10 %
        (0.75, (3.7, 3.6, 3.4, 3.2), 0.37),
        (0.80, (4.6, 4.5, 4.2, 3.8), 0.45),
        (0.827, (5.1, 5.0, 4.7, 4.2), 0.50),
        (0.85, (5.6, 5.5, 5.2, 4.6), 0.54),
        (0.90, (6.9, 6.8, 6.4, 5.6), 0.64),
    ],
)
def test_binormal_golden_table(auc: float, lifts: tuple[float, ...], ks: float) -> None:
    shift = norm.ppf(auc) * np.sqrt(2)
    for base_rate, lift in zip((0.01, 0.02, 0.05, 0.10), lifts, strict=True):
        positives = 2000
        negatives = round(positives * (1 - base_rate) / base_rate)
        middle = [(np.arange(count) + 0.5) / count for count in (positives, negatives)]
        scores = np.concatenate([norm.ppf(middle[0]) + shift, norm.ppf(middle[1])])
        happened = np.concatenate([np.ones(positives), np.zeros(negatives)])
        found = metrics.churn_metrics(scores, None, happened)
        assert found["auc"] == pytest.approx(auc, abs=0.001)
        assert found["ks"] == pytest.approx(ks, abs=0.006)
        assert found["top_decile_lift"] == pytest.approx(lift, abs=0.06)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=4, max_size=60))
def test_ranking_metrics_equal_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 4 for score, _ in rows])
    happened = np.array([float(positive) for _, positive in rows])
    if not 0 < happened.sum() < len(happened):
        return
    assert metrics.auc(scores, happened) == pytest.approx(twin.roc_auc_score(happened, scores))
    assert metrics.average_precision(scores, happened) == pytest.approx(twin.average_precision_score(happened, scores))
    if np.ptp(scores):
        assert metrics.spearman(scores, happened) == pytest.approx(spearmanr(scores, happened).statistic)
    probabilities = metrics.sigmoid(scores - 1)
    assert metrics.log_loss(probabilities, happened) == pytest.approx(twin.log_loss(happened, probabilities))


def test_calibration_error_is_the_mean_distance_of_equal_groups() -> None:
    # 10 groups of 2; predicted .5 everywhere, half of every group happened except the last: |.5 - 1| / 10 = .05
    happened = np.array([0.0, 1.0] * 9 + [1.0, 1.0])
    assert metrics.calibration_error(np.full(20, 0.5), happened) == pytest.approx(0.05)


def test_calibration_slope_finds_a_bold_model() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(-1.5, 1.0, 60_000)
    happened = (random.random(60_000) < metrics.sigmoid(truth)).astype(float)
    assert metrics.calibration_slope(metrics.sigmoid(truth), happened) == pytest.approx(1.0, abs=0.03)
    assert metrics.calibration_slope(metrics.sigmoid(2 * truth), happened) == pytest.approx(0.5, abs=0.02)


def test_gini_of_three_customers_by_hand() -> None:
    # true order 6, 3, 1 of 10: area = (0+.6)/6 + (.6+.9)/6 + (.9+1)/6 = 4/6 -> 4/6 - 1/2 = 1/6
    # predicted order 3, 6, 1:  area = (.3 + 1.2 + 1.9)/6 = 3.4/6        -> 3.4/6 - 1/2 = .4/6;  ratio .4
    assert metrics.normalised_gini(array(2, 3, 1), array(6, 3, 1)) == pytest.approx(0.4)
    assert metrics.normalised_gini(array(3, 2, 1), array(6, 3, 1)) == pytest.approx(1.0)
    assert metrics.normalised_gini(array(1, 2, 3), array(6, 3, 1)) == pytest.approx(-1.0)


def test_gini_clips_negative_margins() -> None:
    # -50 counts as 0: (6, 3, 1, -50) has the Gini of (6, 3, 1, 0)
    order = array(3, 4, 2, 1)
    assert metrics.normalised_gini(order, array(6, 3, 1, -50)) == pytest.approx(metrics.normalised_gini(order, array(6, 3, 1, 0)))


def test_totals_and_capture_by_hand() -> None:
    actual = array(*[10.0] * 9, 110.0)  # 200 in all; the best predicted tenth holds 110
    predicted = array(*range(10))
    assert metrics.top_decile_capture(predicted, actual) == pytest.approx(110 / 200)
    assert metrics.total_ratio(predicted, actual) == pytest.approx(45 / 200)
    assert metrics.total_ratio(predicted, np.zeros(10)) == 0.0


def test_decile_error_floors_a_worthless_decile() -> None:
    # 10 deciles of one customer, overall mean 9.1 -> least denominator .91
    # first decile: |1 - 0| / .91; the others exact; mean over ten = .1 / .91
    actual = array(0, *[10.0] * 8, 11.0)
    predicted = array(1, *[10.0] * 8, 11.0)
    assert metrics.decile_error(predicted, actual) == pytest.approx(0.1 / 0.91)


def test_population_stability_by_hand() -> None:
    # ten groups of 10 %; afterwards the lowest holds 19 % and the highest 1 %:
    # (.19 - .1) ln(.19/.1) + (.01 - .1) ln(.01/.1) = .0578 + .2072 = .2650
    expected = np.arange(100, dtype=float)
    actual = np.concatenate([np.arange(90.0), np.arange(9.0), [95.0]])
    assert metrics.population_stability(expected, actual) == pytest.approx(0.2650, abs=1e-4)
    assert metrics.population_stability(expected, expected) == 0.0


def test_population_stability_of_two_samples_follows_yurdakul() -> None:
    # N = M = 10,000 and B = 10: the 95 % point is chi2(9) × (1/N + 1/M) = .0034 (domain reference 7)
    assert chi2.ppf(0.95, 9) * 2 / 10_000 == pytest.approx(0.0034, abs=5e-5)
    random = np.random.default_rng(7)
    found = [metrics.population_stability(random.normal(size=10_000), random.normal(size=10_000)) for _ in range(200)]
    assert np.quantile(found, 0.95) == pytest.approx(0.0034, abs=0.0006)


def test_missing_values_are_a_group_of_their_own() -> None:
    expected = np.arange(100, dtype=float)
    actual = np.where(expected < 50, np.nan, expected)
    assert metrics.population_stability(expected, actual) > 2


def test_curves_are_short_and_end_where_they_must() -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=500)
    happened = (random.random(500) < 0.2).astype(float)
    roc, lift, gain = curves.roc_points(scores, happened), curves.lift_points(scores, happened), curves.gain_points(scores, happened)
    assert max(len(roc), len(lift), len(gain), len(curves.calibration_points(scores, happened))) <= 50
    assert (roc[0][0], roc[-1]) == (0.0, [1.0, 1.0])
    assert lift[-1] == [1.0, 1.0]
    assert gain[-1] == [1.0, 1.0]
