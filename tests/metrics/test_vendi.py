"""Vendi score and effective rank: sets whose number of kinds is plain to see."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.vendi import effective_rank, vendi_score


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.eye(10), 10),
        (np.ones((10, 10)), 1),
        (np.repeat(np.eye(4), 3, axis=0), 4),
        (5 * np.repeat(np.eye(4, 30), 3, axis=0), 4),
    ],
)
def test_kinds_that_can_be_counted(x, expected):
    assert vendi_score(x) == pytest.approx(expected, abs=1e-10)


def test_unequal_kinds_count_by_their_entropy():
    x = np.concatenate([np.tile([1.0, 0.0], (3, 1)), [[0.0, 1.0]]])
    p = np.array([0.75, 0.25])
    assert vendi_score(x) == pytest.approx(np.exp(-(p * np.log(p)).sum()), abs=1e-10)


@pytest.mark.parametrize(("n", "d"), [(40, 12), (12, 40)])
def test_as_vendi_score(n, d):
    vendi = pytest.importorskip("vendi_score.vendi")
    x = np.random.default_rng(0).normal(size=(n, d)) + 0.5
    assert vendi_score(x) == pytest.approx(vendi.score_dual(x), rel=1e-10)
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    entropy = vendi.entropy_q(np.linalg.eigvalsh(units @ units.T / n))
    assert vendi_score(x) == pytest.approx(np.exp(entropy), rel=1e-10)


def test_a_copy_of_the_whole_changes_nothing_and_concentration_lowers():
    x = np.random.default_rng(1).normal(size=(30, 8))
    plain = vendi_score(x)
    assert vendi_score(np.concatenate([x, x])) == pytest.approx(plain, rel=1e-10)
    assert vendi_score(np.concatenate([x, np.repeat(x[:1], 30, axis=0)])) < 0.8 * plain
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(8, 8)))[0]
    assert vendi_score(x[::-1] @ turn) == pytest.approx(plain, rel=1e-10)


def test_seen_from_the_mean_of_the_reals():
    """After a ReLU all features point one way; the reals' mean undoes that, the own would not."""
    rng = np.random.default_rng(3)
    real, fresh = (10 + rng.normal(size=(200, 20)) for _ in range(2))
    collapsed = real[:1] + 0.05 * rng.normal(size=(200, 20))
    assert vendi_score(fresh) < 1.1
    assert vendi_score(fresh, real.mean(0)) > 17
    assert vendi_score(collapsed, real.mean(0)) < 1.1
    assert vendi_score(collapsed, collapsed.mean(0)) > 17


def test_rows_at_the_centre_are_one_kind():
    x = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert vendi_score(x, np.array([1.0, 1.0])) == pytest.approx(2, abs=1e-10)
    assert vendi_score(x[:2], np.array([1.0, 1.0])) == pytest.approx(1, abs=1e-10)


def test_a_centre_of_another_shape_is_refused():
    for centre in (np.zeros(3), np.zeros((1, 2)), np.array([0.0, np.nan])):
        with pytest.raises(UserError, match="centre"):
            vendi_score(np.eye(2), centre)


@pytest.mark.parametrize(("n", "d"), [(50, 20), (20, 50)])
def test_effective_rank_as_its_definition(n, d):
    x = 7 + np.random.default_rng(4).normal(size=(n, d)) * np.linspace(0.1, 2, d)
    values = np.linalg.svd(x - x.mean(0), compute_uv=False)
    shares = values / values.sum()
    shares = shares[shares > 1e-12]
    assert effective_rank(x) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-10)


def test_effective_rank_counts_even_directions_and_ignores_scale():
    cross = np.concatenate([np.eye(6, 30), -np.eye(6, 30)])
    assert effective_rank(cross) == pytest.approx(6, abs=1e-10)
    assert effective_rank(5 + 100 * cross) == pytest.approx(6, abs=1e-10)
    line = np.arange(5.0)[:, None] * np.ones(40)
    assert effective_rank(line) == pytest.approx(1, abs=1e-10)
    for n in (2, 7, 5000):
        assert effective_rank(np.full((n, 3), 0.1)) == 0.0
