"""D's logits against hand-computed numbers, scikit-learn, and the theory of the best D."""

from math import isnan, log

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from bascule.core.errors import UserError
from bascule.metrics.logits import (
    accuracy,
    ada_rt,
    ada_rv,
    auc,
    auc_at_least,
    brier,
    calibration_error,
    jsd_bound,
    spread,
    tv_bound,
)


def two_gaussians(n: int):
    """Samples of N(0, 1) and N(2, 1), and the logits 2 - 2x of the best D."""
    rng = np.random.default_rng(0)
    return 2 - 2 * rng.normal(0, 1, n), 2 - 2 * rng.normal(2, 1, n)


def test_auc_by_hand():
    assert auc([1, 2], [0, 0.5]) == 1
    assert auc([0, 0], [1, 2]) == 0
    assert auc([1, 3], [2, 2]) == 0.5  # two pairs won, two lost
    assert auc([1, 2], [1, 1, 1, 0]) == (3 * 0.5 + 1 + 4) / 8  # ties half


def test_auc_is_mann_whitneys_and_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    real, fake = rng.normal(0.5, 1, 70).round(1), rng.normal(0, 2, 45).round(1)  # many ties
    labels = np.repeat([1, 0], [70, 45])
    expected = metrics.roc_auc_score(labels, np.concatenate([real, fake]))
    assert auc(real, fake) == pytest.approx(expected, abs=1e-12)
    u = stats.mannwhitneyu(real, fake).statistic
    assert auc(real, fake) == pytest.approx(u / (70 * 45), abs=1e-12)
    assert auc(real, fake) + auc(fake, real) == pytest.approx(1)


def test_what_an_auc_of_few_images_shows():
    assert auc_at_least(1.0, 20) == pytest.approx(0.05 ** (1 / 20))  # 0.86
    assert auc_at_least(1.0, 5) == pytest.approx(0.05 ** (1 / 5))  # 0.55
    assert auc_at_least(0.96, 20) == pytest.approx(  # 19 of 20 pairs
        stats.binomtest(19, 20, alternative="greater").proportion_ci(0.95).low
    )
    assert auc_at_least(0.0, 9) == 0 and auc_at_least(0.5, 40) < 0.5
    with pytest.raises(UserError, match="of 0 images"):
        auc_at_least(1.0, 0)


@pytest.mark.parametrize("n", [5, 20])
def test_the_bound_is_seldom_above_the_truth(n):
    """Of a D that is right in 7 of 10 pairs."""
    rng = np.random.default_rng(2)
    shift = stats.norm.ppf(0.7) * 2**0.5
    found = [auc(rng.normal(shift, 1, n), rng.normal(0, 1, n)) for _ in range(400)]
    assert np.mean([auc_at_least(one, n) > 0.7 for one in found]) <= 0.05


def test_auc_of_two_gaussians():
    """P(x > y) = Phi(difference / (sqrt 2 sigma))."""
    assert auc(*two_gaussians(20_000)) == pytest.approx(stats.norm.cdf(2 / 2**0.5), abs=0.005)


def test_accuracy_gives_each_class_one_half():
    assert accuracy([1, 1, 1, -1], [-1]) == (0.75 + 1) / 2
    assert accuracy([0.0], [0.0]) == 0.5
    assert accuracy([5.0] * 9, [1.0]) == 0.5


def test_r_t():
    assert ada_rt([0.1, 3, 7]) == 1
    assert ada_rt([1, -1, 2, 0]) == 0.25


def test_r_v():
    assert ada_rv([1, 3], [3, 1], [-5, 0]) == 0  # train and held-out of one law
    assert ada_rv([3.0], [-1.0], [-1.0]) == 1  # held-out reals are as fakes
    assert ada_rv([3.0], [2.0], [-1.0]) == 0.25
    assert isnan(ada_rv([1.0], [0.0], [1.0]))  # no distance to compare with


def test_brier_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    real, fake = rng.normal(1, 2, 30), rng.normal(-1, 2, 50)
    labels, weight = np.repeat([1, 0], [30, 50]), np.repeat([1 / 30, 1 / 50], [30, 50])
    p = expit(np.concatenate([real, fake]))
    expected = metrics.brier_score_loss(labels, p, sample_weight=weight)
    assert brier(real, fake) == pytest.approx(expected, abs=1e-12)
    assert brier([0.0], [0.0]) == 0.25


def test_calibration_error_by_hand():
    """Two bins of mass one half: D = 0.88 where all are real, D = 0.12 where all are fake."""
    assert calibration_error([2.0, 2.0], [-2.0]) == pytest.approx(1 - expit(2.0))
    assert calibration_error([0.0], [0.0]) == 0
    # one bin holds all: D = 0.73 on average, one half real
    assert calibration_error([1.0], [1.0]) == pytest.approx(expit(1.0) - 0.5)
    assert calibration_error([50.0], [-50.0]) == pytest.approx(0)  # D = 1 falls into a bin too


def test_the_best_d_is_calibrated_and_a_bold_one_is_not():
    real, fake = two_gaussians(20_000)
    assert calibration_error(real, fake) < 0.01
    assert calibration_error(4 * real, 4 * fake) > 0.05


def test_bounds_are_the_divergences_at_the_best_d():
    """Of N(0, 1) and N(2, 1), by quadrature: JSD 0.336831, TV 0.682689; any other D says less."""
    real, fake = two_gaussians(100_000)
    assert jsd_bound(real, fake) == pytest.approx(0.336831, abs=0.003)
    assert tv_bound(real, fake) == pytest.approx(0.682689, abs=0.005)
    assert jsd_bound(real / 4, fake / 4) < jsd_bound(real, fake) - 0.01
    assert jsd_bound([0.0], [0.0]) == 0
    assert jsd_bound([1000.0], [-1000.0]) == pytest.approx(log(2))


def test_spread_by_hand():
    told = spread([0.0, log(3)])  # D = 1/2, 3/4
    assert (told.mean, told.std, told.min, told.max) == pytest.approx((0.625, 0.125, 0.5, 0.75))
    assert told.cv == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        ([], r"fake logits have shape \(0,\): expected \(N,\)"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
        ([1.0, float("nan"), float("inf")], "2 of 3 fake logits are not finite"),
    ],
)
def test_bad_logits_are_refused(logits, said):
    for function in (auc, accuracy, brier, calibration_error, jsd_bound):
        with pytest.raises(UserError, match=said):
            function([1.0], logits)
