"""Unbiased MMD: hand-computed sets, other libraries, and whether its error is one."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics import mmd
from bascule.metrics.mmd import permutation_p, polynomial_mmd

X = np.array([[0, 0], [1, 0], [0, 1]])
Y = np.array([[1, 1], [2, 0], [0, 2]])


def test_hand_computed():
    assert polynomial_mmd(X, Y).value == pytest.approx(0.5, abs=1e-10)
    assert polynomial_mmd(X, X).value == pytest.approx(-19 / 18, abs=1e-10)


def test_error_by_hand():
    """k is (1 + xy)^3: 1 and 8 within x, 1 and 27 within y; across 1, 1, 8, 27."""
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    # the witness: within x 1, 1 less across 1, 14; within y 1, 1 less across 4.5, 14
    at_x, at_y = [1 - 1, 1 - 14], [1 - 1, 1 - 14]
    found = polynomial_mmd(x, y)
    assert found.value == pytest.approx(np.mean(at_x) + np.mean(at_y), abs=1e-12)
    expected = 2 * np.sqrt(np.var(at_x, ddof=1) / 2 + np.var(at_y, ddof=1) / 2)
    assert found.se == pytest.approx(expected, abs=1e-12)


def direct(x, y):
    def k(a, b):
        return (a @ b.T / x.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within_x = (k(x, x).sum() - np.trace(k(x, x))) / (n * (n - 1))
    within_y = (k(y, y).sum() - np.trace(k(y, y))) / (m * (m - 1))
    return within_x + within_y - 2 * k(x, y).mean()


@pytest.mark.parametrize("block", [1, 500, 2**20])
def test_as_the_definition_whatever_the_block(monkeypatch, block):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 7)), rng.normal(size=(30, 7)) + 0.5
    whole = polynomial_mmd(x, y)
    monkeypatch.setattr(mmd, "BLOCK", block)
    found = polynomial_mmd(x, y)
    assert found.value == pytest.approx(direct(x, y), rel=1e-10)
    assert found.se == pytest.approx(whole.se, rel=1e-10)
    back = polynomial_mmd(y, x)
    assert (back.value, back.se) == pytest.approx((found.value, found.se), rel=1e-9)


def test_a_feature_that_all_share_costs_few_digits():
    """It raises the kernel to 10^10, above values near 10^6; whole numbers give them exactly."""
    rng = np.random.default_rng(1)
    x, y = (np.hstack([rng.integers(-3, 4, (9, 3)) + i, np.full((9, 1), 100)]) for i in (0, 1))

    def k(a, b):  # times 4^3, in Python's whole numbers
        return (a.astype(object) @ b.T.astype(object) + 4) ** 3

    inside = [(k(z, z).sum() - np.trace(k(z, z))) for z in (x, y)]
    exact = Fraction(int(sum(inside)), 72 * 64) - 2 * Fraction(int(k(x, y).sum()), 81 * 64)
    assert k(x, y).min() > 64 * 10**10
    assert polynomial_mmd(x, y).value == pytest.approx(float(exact), rel=1e-10)


STATES = np.random.default_rng(5).normal(size=(200, 20))
EVEN = np.full(200, 1 / 200)
KERNEL = (STATES @ STATES.T / 20 + 1) ** 3


def tilted(by):
    weights = np.exp(by * STATES[:, 0])
    return weights / weights.sum()


def study(by, n, m, repeats, seed=0):
    """MMD^2 of samples from two laws over 200 points, where the truth is a finite sum."""
    rng, q = np.random.default_rng(seed), tilted(by)
    truth = (EVEN - q) @ KERNEL @ (EVEN - q)
    draws = [
        polynomial_mmd(STATES[rng.choice(200, n, p=EVEN)], STATES[rng.choice(200, m, p=q)])
        for _ in range(repeats)
    ]
    return truth, np.array([d.value for d in draws]), np.array([d.se for d in draws])


@pytest.mark.parametrize(
    ("by", "n", "m"), [(0.5, 200, 200), (1.0, 300, 300), (1.0, 100, 400), (1.5, 400, 100)]
)
def test_where_laws_differ_the_interval_covers_the_truth_as_it_says(by, n, m):
    truth, values, errors = study(by, n, m, 600)
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / 600**0.5)
    assert 0.93 < np.sqrt((errors**2).mean()) / values.std() < 1.25
    covered = (np.abs(values - truth) < 1.96 * errors).mean()
    assert 0.925 < covered < 0.985  # sampling alone: 0.95 +- 0.018


@pytest.mark.parametrize(("n", "m"), [(60, 60), (200, 200), (60, 200)])
def test_where_laws_are_equal_the_error_is_the_deviation_times_root_two(n, m):
    truth, values, errors = study(0.0, n, m, 600)
    assert truth == 0 and abs(values.mean()) < 4 * values.std() / 600**0.5
    assert np.sqrt((errors**2).mean()) / values.std() == pytest.approx(2**0.5, rel=0.15)
    assert errors.min() > 0.4 * values.std()  # never an error of nothing


def test_permutations_against_all_relabellings():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2)) + 1
    pooled = np.concatenate([x, y])
    values = []
    for first in combinations(range(7), 4):
        rest = [i for i in range(7) if i not in first]
        values.append(direct(pooled[list(first)], pooled[rest]))
    exact = np.mean(np.array(values) >= direct(x, y) - 1e-12)
    assert 0.05 < exact < 0.95
    assert permutation_p(x, y, 20000, np.random.default_rng(1)) == pytest.approx(exact, abs=0.015)


def test_p_is_uniform_where_laws_are_equal_and_small_where_not():
    rng = np.random.default_rng(2)
    p = [
        permutation_p(rng.normal(size=(30, 3)), rng.normal(size=(20, 3)), 99, rng)
        for _ in range(300)
    ]
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 0.055
    assert abs(np.mean(p) - 0.505) < 0.06
    assert permutation_p(rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 2, 99, rng) == 0.01
    same = np.ones((5, 2))
    assert permutation_p(same, same, 9, rng) == 1.0


def test_no_permutations_are_refused():
    with pytest.raises(UserError, match="0 permutations"):
        permutation_p(X, Y, 0, np.random.default_rng(0))


def test_as_torch_fidelity():
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 12)), rng.normal(size=(60, 12)) * 1.5
    theirs = kid.kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subset_size=60, kid_subsets=1, verbose=False
    )
    found = polynomial_mmd(x, y).value
    assert found == pytest.approx(theirs[kid.KEY_METRIC_KID_MEAN], rel=1e-10)


def test_as_torchmetrics():
    image = pytest.importorskip("torchmetrics.image.kid")
    torch = pytest.importorskip("torch")

    class Same(torch.nn.Identity):
        num_features = 12

    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 12)), rng.normal(size=(60, 12)) * 1.5
    theirs = image.KernelInceptionDistance(feature=Same(), subsets=2, subset_size=60)
    theirs.update(torch.from_numpy(x), real=True)
    theirs.update(torch.from_numpy(y), real=False)
    # torchmetrics averages its subsets in float32
    assert polynomial_mmd(x, y).value == pytest.approx(float(theirs.compute()[0]), rel=1e-5)
