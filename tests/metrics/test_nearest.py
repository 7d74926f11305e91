"""metrics/neighbours.py against distances computed one by one."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics import neighbours
from bascule.metrics.neighbours import nearest, nearest_others, radii


def brute(x, y):
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(2))


@pytest.mark.parametrize("block", [1, 97, 2**20])
def test_as_one_by_one_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(60, 5)) + 1
    all_of = brute(x, y)
    for k in (1, 3, 60):
        distances, indices = nearest(x, y, k)
        assert (indices == np.argsort(all_of, axis=1)[:, :k]).all()
        assert np.allclose(distances, np.sort(all_of, axis=1)[:, :k], rtol=1e-13, atol=0)
    own = brute(y, y)
    np.fill_diagonal(own, np.inf)
    distances, indices = nearest_others(y, 4)
    assert (indices == np.argsort(own, axis=1)[:, :4]).all()
    assert np.allclose(radii(y, 4), np.sort(own, axis=1)[:, 3], rtol=1e-13, atol=0)


def test_a_copy_is_at_zero_though_features_are_large():
    rng = np.random.default_rng(0)
    y = (20 + rng.normal(size=(200, 512))).astype(np.float32)
    distances, indices = nearest(y[50:80], y)
    assert (distances == 0).all() and (indices[:, 0] == np.arange(50, 80)).all()
    twice = np.concatenate([y, y[:10]])
    distances, indices = nearest_others(twice)
    assert (distances[:10] == 0).all() and (distances[200:] == 0).all()
    assert (indices[:10, 0] == np.arange(200, 210)).all()
    assert (distances[10:200] > 20).all()


def test_a_near_copy_is_as_far_as_it_is():
    rng = np.random.default_rng(1)
    y = 20 + rng.normal(size=(50, 300))
    moved = y.copy()
    moved[:, 0] += 1e-5
    distances, indices = nearest(moved, y)
    assert (indices[:, 0] == np.arange(50)).all()
    assert np.allclose(distances, 1e-5, rtol=1e-6)


def test_more_neighbours_than_rows_are_refused():
    with pytest.raises(UserError, match="among 3 rows"):
        nearest(np.zeros((2, 1)), np.zeros((3, 1)), 4)
    with pytest.raises(UserError, match="among 2 rows"):
        radii(np.zeros((3, 1)), 3)
    with pytest.raises(UserError):
        radii(np.zeros((3, 1)), 0)
