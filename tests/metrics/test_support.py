"""The birthday estimate on supports that are known."""

from math import inf, log

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics import neighbours
from bascule.metrics.support import birthday, near_duplicate_threshold


def kinds(count, n, seed, d=8):
    """``n`` noisy images of ``count`` kinds."""
    pictures = np.random.default_rng(99).normal(size=(count, d))
    rng = np.random.default_rng(seed)
    kind = rng.integers(count, size=n)
    return pictures[kind] + 1e-3 * rng.normal(size=(n, d)), kind


@pytest.mark.parametrize("count", [50, 2000])
def test_support_of_a_known_number_of_kinds(count):
    found = [birthday(kinds(count, 400, seed)[0], threshold=0.05) for seed in range(30)]
    assert 1 / np.mean([1 / f.size for f in found]) == pytest.approx(count, rel=0.1)
    one = found[0]
    assert one.at_least < one.size
    assert one.batch**2 / (2 * log(2)) == pytest.approx(one.size)


def test_a_batch_of_that_size_holds_twins_every_other_time():
    batch = round(birthday(kinds(400, 3000, 0)[0], threshold=0.05).batch)
    twins = [len(np.unique(kinds(400, batch, seed)[1])) < batch for seed in range(1, 600)]
    assert np.mean(twins) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("block", [1, 1000, 2**20])
def test_the_closest_pairs_are_shown(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[40] = x[7]
    found = birthday(x, threshold=0.3, show=12)
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    i, j = np.triu_indices(60, 1)
    order = np.argsort(apart[i, j], kind="stable")[:12]
    assert found.closest.tolist() == np.stack([i, j], 1)[order].tolist()
    assert np.allclose(found.distances, apart[i, j][order], atol=1e-12)
    assert found.closest[0].tolist() == [7, 40] and found.distances[0] == 0
    assert found.close_pairs == (apart[i, j] < 0.3).sum()


def test_fewer_pairs_than_asked_for():
    found = birthday(np.array([[0.0], [1.0], [3.0]]), threshold=0.5)
    assert found.closest.tolist() == [[0, 1], [1, 2], [0, 2]]
    assert found.distances.tolist() == [1, 2, 3]


def test_no_close_pair_gives_a_bound_only():
    found = birthday(100 * np.arange(50.0)[:, None], threshold=1.0)
    assert found.size == found.batch == inf and found.close_pairs == 0
    assert found.at_least == pytest.approx(50 * 49 / 2 / 2.9957, rel=1e-4)  # Poisson: e^-3 = 5 %


def test_the_bound_holds_as_often_as_it_says():
    bounds = [birthday(kinds(1000, 150, seed)[0], threshold=0.05).at_least for seed in range(300)]
    assert np.mean(np.array(bounds) <= 1000) > 0.92


def test_threshold_is_a_quantile_of_reals_and_copies_do_not_count():
    real = np.cumsum(np.arange(1.0, 102.0))[:, None]  # nearest others at 2, 2, 3, 4, ... 101
    assert near_duplicate_threshold(real, 0.5) == pytest.approx(51.0)
    copies = np.concatenate([real, real[:1], real[:1]])
    assert near_duplicate_threshold(copies, 0.5) == pytest.approx(51.5)
    with pytest.raises(UserError, match="exact copy"):
        near_duplicate_threshold(np.concatenate([real, real]))
    with pytest.raises(UserError, match="quantile"):
        near_duplicate_threshold(real, 0.0)


def test_by_the_threshold_of_reals_one_in_a_hundred_reals_has_a_twin():
    real = np.random.default_rng(0).normal(size=(1000, 5))
    found = birthday(real, near_duplicate_threshold(real))
    assert 4 <= found.close_pairs <= 10


def test_no_threshold_is_refused():
    for threshold, show in ((0.0, 20), (1.0, 0), (float("nan"), 20)):
        with pytest.raises(UserError):
            birthday(np.eye(3), threshold, show)
