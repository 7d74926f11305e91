"""Sliced Wasserstein: shifts, whose distance is known in every direction."""

from math import gamma, pi, sqrt

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from bascule.core.errors import UserError
from bascule.metrics import sliced
from bascule.metrics.sliced import sliced_wasserstein


def rng(seed=0):
    return np.random.default_rng(seed)


def test_one_dimension_is_the_wasserstein_distance():
    x, y = rng(1).normal(size=(50, 1)), rng(2).normal(size=(50, 1)) * 2 + 1
    found = sliced_wasserstein(x, y, rng(), directions=3)
    assert found.w1 == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-10)
    second = np.sqrt(((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2).mean())
    assert found.w2 == pytest.approx(second, abs=1e-10)


@pytest.mark.parametrize(("d", "constant"), [(2, 0.63662), (147, 0.065920)])
def test_a_shift(d, constant):
    assert gamma(d / 2) / (sqrt(pi) * gamma((d + 1) / 2)) == pytest.approx(constant, rel=1e-4)
    delta = np.zeros(d)
    delta[:2] = 3, 4
    x = rng(1).normal(size=(4, d))
    found = sliced_wasserstein(x, x + delta, rng(), directions=20000)
    assert found.w1 == pytest.approx(5 * constant, rel=0.02)
    assert found.w2**2 == pytest.approx(25 / d, rel=0.03)


@pytest.mark.parametrize("block", [1, 100, 2**20])
def test_order_and_blocks_change_nothing(monkeypatch, block):
    x, y = rng(1).normal(size=(30, 6)), rng(2).normal(size=(30, 6)) + 1
    plain = sliced_wasserstein(x, y, rng(), directions=64)
    monkeypatch.setattr(sliced, "BLOCK", block)
    again = sliced_wasserstein(rng(3).permutation(x), y, rng(), directions=64)
    assert vars(again) == pytest.approx(vars(plain), rel=1e-12)
    assert vars(sliced_wasserstein(x, x[::-1], rng())) == pytest.approx({"w1": 0, "w2": 0})
    assert sliced_wasserstein(x, y, rng(4)) != plain


def test_unequal_sizes_are_refused():
    with pytest.raises(UserError, match="30 and 29 rows"):
        sliced_wasserstein(np.zeros((30, 2)), np.zeros((29, 2)), rng())
    with pytest.raises(UserError, match="0 directions"):
        sliced_wasserstein(np.zeros((30, 2)), np.zeros((30, 2)), rng(), directions=0)
