"""The counting rule by hand, the data, and a game that is played by the project's step."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.theory import mixtures
from bascule.theory.mixtures import PUBLISHED, Schedule, count, grid, play, players, ring

TINY = Schedule(steps=30, width_G=8, width_D=4, std=0.1, lr=1e-3, falls=True, generated=40)


def test_the_counting_rule_by_hand():
    mode = np.array([1.0, 0.0])  # of the ring, sigma 0.01
    near = mode + np.array([[0, 0], [0.029, 0], [0, 0.031]])
    points = np.concatenate([near, [[-0.98, 0.02], [0.0, 0.0], [9.0, 9.0]]])
    assert count(points, ring()) == mixtures.Count(modes=2, high_quality=3 / 6)
    assert count(np.zeros((5, 2)), ring()) == mixtures.Count(0, 0.0)
    assert count(np.zeros((5, 2)), grid()) == mixtures.Count(1, 1.0)
    assert count(ring().means, ring()) == mixtures.Count(8, 1.0)
    assert count(grid().means, grid()) == mixtures.Count(25, 1.0)


@pytest.mark.parametrize("mixture", [ring(), grid()], ids=["ring", "grid"])
def test_the_truth_has_all_modes_and_the_quality_of_a_gaussian(mixture):
    points = mixture.draw(100_000, generator("test", mixture.name)).numpy()
    found = count(points, mixture)
    assert found.modes == len(mixture.means)
    assert found.high_quality == pytest.approx(1 - np.exp(-4.5), abs=1.2e-3)
    nearest = np.linalg.norm(points[:, None] - mixture.means, axis=2).argmin(1)
    share = np.bincount(nearest) / len(points)
    assert share == pytest.approx(np.full(len(share), 1 / len(share)), rel=0.1)


def test_the_modes_lie_where_the_paper_says():
    assert np.hypot(*ring().means.T) == pytest.approx(np.ones(8))
    gaps = [np.linalg.norm(a - b) for a, b in pairwise(ring().means)]
    assert gaps == pytest.approx([2 * np.sin(np.pi / 8)] * 7)
    assert {tuple(m) for m in grid().means} == {
        (float(a), float(b)) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)
    }


def test_players_of_the_published_size():
    G, D = players(PUBLISHED, seed=0)
    weights = [p for p in G.parameters() if p.ndim == 2]
    assert [tuple(w.shape) for w in weights] == [(400, 2), *[(400, 400)] * 3, (2, 400)]
    assert sum(p.numel() for p in D.parameters()) == 3 * 1000 + 2 * 201 * 1000 + 201
    assert float(weights[1].detach().std()) == pytest.approx(0.02, rel=0.02)
    x = torch.randn(5, 2, generator=generator("x"))
    units = D[0].linear(x).reshape(5, 5, 200)
    assert torch.equal(D[0](x), units.amax(1))
    assert D(x).shape == (5,) and G(x).shape == (5, 2)


def test_a_run_is_a_function_of_its_seed(monkeypatch):
    monkeypatch.setattr(mixtures, "POINTS", 1000)  # ten steps an epoch
    told = []
    runs = [play(ring(), TINY, seed, told.append) for seed in (0, 0, 1)]
    assert runs[0].shape == (40, 2)
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])
    assert told == [0.0] * 3


def test_playing_moves_G_towards_the_data(monkeypatch):
    """From a point near 0 to the reach of the ring."""
    monkeypatch.setattr(mixtures, "POINTS", 10_000)
    schedule = Schedule(steps=500, width_G=32, width_D=16, std=0.1, lr=4e-3, falls=True)
    still = play(ring(), Schedule(steps=0, width_G=32, width_D=16, std=0.1), 0, lambda share: None)
    made = play(ring(), schedule, 0, lambda share: None)
    assert np.hypot(*still.T).mean() < 0.3 < 0.6 < np.hypot(*made.T).mean() < 1.4
