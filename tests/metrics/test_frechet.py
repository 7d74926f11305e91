"""Fréchet distance: hand-computed laws, other libraries, and the floor."""

from math import sqrt

import numpy as np
import pytest
import scipy.linalg

from bascule.core.errors import UserError
from bascule.metrics.frechet import expected_floor, frechet_distance

I8 = np.eye(8)


def with_moments(mean, covariance):
    """Points with exactly this mean and covariance (n - 1): pairs either side, along the axes."""
    d = len(mean)
    values, vectors = np.linalg.eigh(np.asarray(covariance, float))
    root = vectors * np.sqrt(np.maximum(values, 0))
    axes = sqrt((2 * d - 1) / 2) * np.concatenate([np.eye(d), -np.eye(d)])
    return axes @ root.T + mean


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


CASES = {
    "mean": ((np.zeros(8), I8), ([3, 4, 0, 0, 0, 0, 0, 0], I8), 25),
    "scale": ((np.zeros(8), I8), (np.zeros(8), 4 * I8), 8),
    "mean and diagonal": (([0, 0], np.diag([1, 4])), ([1, 2], np.diag([9, 16])), 13),
    "not commuting": (
        ([0, 0], [[2, 1], [1, 2]]),
        ([0, 0], np.diag([1, 4])),
        9 - 2 * sqrt(10 + 2 * sqrt(12)),
    ),
    "singular, one in common": (([0] * 3, np.diag([1, 1, 0])), ([0] * 3, np.diag([0, 1, 1])), 2),
    "singular, apart": (([0, 0], np.diag([1, 0])), ([0, 0], np.diag([0, 1])), 2),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("features", ["fewer than images", "more than images"])
def test_hand_computed(case, features):
    first, second, expected = CASES[case]
    x, y = with_moments(*first), with_moments(*second)
    if features == "more than images":  # the same points, turned into a larger space
        basis = rotation(40)[: x.shape[1]]
        x, y = x @ basis, y @ basis
        assert len(x) < x.shape[1]
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-10)
    assert frechet_distance(y, x) == pytest.approx(expected, abs=1e-10)


def test_the_number_that_the_closed_form_gives():
    assert CASES["not commuting"][2] == pytest.approx(0.771220447654, abs=1e-12)


def test_four_points_and_the_same_one_aside():
    x = np.array([[0, 0], [2, 0], [0, 2], [2, 2]])
    assert frechet_distance(x, x + np.array([1, 0])) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 30), (20, 25, 40), (20, 300, 40)])
def test_as_the_formula_with_a_matrix_root(n, m, d):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)) * np.linspace(1, 3, d), rng.normal(size=(m, d)) + 0.3
    sx, sy = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(sx).real
    values = np.linalg.eigvalsh(root @ sy @ root.T)
    trace = np.sqrt(np.maximum(values, 0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(sx) + np.trace(sy) - 2 * trace
    # the root of a singular matrix is good to 1e-6 only, and that is the reference's
    tolerance = 1e-10 if min(n, m) > d else 1e-6
    assert frechet_distance(x, y) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("n", [20, 200])
def test_a_set_is_at_zero_from_itself_and_never_below(n):
    x = 5 + np.random.default_rng(0).normal(size=(n, 48))
    assert 0 <= frechet_distance(x, x) < 1e-10
    assert 0 <= frechet_distance(x, x[::-1].copy()) < 1e-10


@pytest.mark.parametrize("n", [15, 100])
def test_turning_moves_nothing_and_scaling_squares(n):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(n, 20)), 1 + 2 * rng.normal(size=(n, 20))
    plain, turn = frechet_distance(x, y), rotation(20)
    assert frechet_distance(x @ turn + 3, y @ turn + 3) == pytest.approx(plain, rel=1e-10)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * plain, rel=1e-10)
    assert frechet_distance(rng.permutation(x), y) == pytest.approx(plain, rel=1e-10)


def test_floor_in_closed_form():
    d, n = 480, 3000
    expected = 2 * d / n + d * (d + 1) / (2 * (n - 1))
    assert expected_floor(np.ones(d), n) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(38.8, abs=0.05)
    values = 1 / np.arange(1, 101)
    assert expected_floor(values, 300) == pytest.approx(0.4902, abs=1e-4)
    assert expected_floor(values, 1000) == pytest.approx(0.1467, abs=1e-4)
    assert expected_floor(np.append(values, 0), 300) == expected_floor(values, 300)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (200, 800)])
def test_floor_is_what_two_samples_of_one_law_score(n, m):
    rng = np.random.default_rng(3)
    values = 1 / np.arange(1, 31)
    found = [
        frechet_distance(
            rng.normal(size=(n, 30)) * np.sqrt(values), rng.normal(size=(m, 30)) * np.sqrt(values)
        )
        for _ in range(150)
    ]
    error = np.std(found) / 150**0.5
    assert np.mean(found) == pytest.approx(expected_floor(values, n, m), rel=0.01, abs=3 * error)


def test_floor_refuses_what_is_no_spectrum():
    for values, n in (([-1.0], 10), ([[1.0]], 10), ([1.0], 1), ([np.nan], 10)):
        with pytest.raises(UserError):
            expected_floor(np.array(values), n)


def test_as_torch_fidelity():
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 24)), 0.5 + 2 * rng.normal(size=(200, 24))
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    theirs = fid.fid_statistics_to_metric(*statistics, verbose=False)
    assert frechet_distance(x, y) == pytest.approx(theirs[fid.KEY_METRIC_FID], rel=1e-10)


def test_as_torchmetrics():
    image = pytest.importorskip("torchmetrics.image.fid")
    torch = pytest.importorskip("torch")

    class Same(torch.nn.Identity):
        num_features = 24

    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 24)), 0.5 + 2 * rng.normal(size=(200, 24))
    theirs = image.FrechetInceptionDistance(feature=Same()).set_dtype(torch.float64)
    theirs.update(torch.from_numpy(x), real=True)
    theirs.update(torch.from_numpy(y), real=False)
    assert frechet_distance(x, y) == pytest.approx(float(theirs.compute()), rel=1e-6)
