"""Mean pairwise distance: hand-computed, and unbiased."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics import neighbours
from bascule.metrics.spread import mean_pairwise_distance, pairwise_ratio

TRIANGLE = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])


@pytest.mark.parametrize("block", [1, 2**20])
def test_a_right_triangle(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    assert mean_pairwise_distance(TRIANGLE) == pytest.approx((3 + 4 + 5) / 3, abs=1e-10)
    assert pairwise_ratio(TRIANGLE / 2 + 7, TRIANGLE) == pytest.approx(0.5, abs=1e-10)


def test_as_one_by_one():
    x = 20 + np.random.default_rng(0).normal(size=(50, 9))
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    assert mean_pairwise_distance(x) == pytest.approx(apart.sum() / (50 * 49), rel=1e-12)


def test_no_bias_at_small_n():
    rng = np.random.default_rng(1)
    found = [mean_pairwise_distance(rng.normal(size=(3, 1))) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(2 / np.pi**0.5, abs=4 * np.std(found) / 4000**0.5)


def test_a_collapse_is_at_zero_and_equal_reals_are_refused():
    same = np.full((5, 2), 0.3)
    assert pairwise_ratio(same, TRIANGLE) == pytest.approx(0, abs=1e-12)
    with pytest.raises(UserError, match="no spread"):
        pairwise_ratio(TRIANGLE, np.ones((5, 2)))
