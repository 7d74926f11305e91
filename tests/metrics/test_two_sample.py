"""The 1-NN test: sets whose answer is known, ties, another library."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.two_sample import OneNN, one_nn

X = np.random.default_rng(0).normal(size=(40, 3))


def test_copies_and_strangers():
    assert one_nn(X, X) == OneNN(0.0, 0.0, 0.0)
    assert one_nn(X, X + 100) == OneNN(1.0, 1.0, 1.0)


def test_a_tie_counts_half():
    real, fake = np.array([[0.0], [2.0]]), np.array([[1.0], [9.0]])
    # every point has the other set nearer: 0 and 2 have 1, 1 has both, 9 has 2 (7, not 8)
    assert one_nn(real, fake) == OneNN(0.0, 0.0, 0.0)
    # both own and other copies at distance 0
    assert one_nn(np.zeros((3, 2)), np.zeros((3, 2))) == OneNN(0.5, 0.5, 0.5)
    # the middle is one step from its own and one from the other, though 0.1 + 0.2 is not 0.3
    real, fake = np.array([[0.1], [0.2]]), np.array([[0.3], [50.0]])
    assert one_nn(real, fake).real_half == pytest.approx(0.75)


def test_a_collapse_splits_the_halves():
    collapsed = np.tile(X.mean(0), (40, 1))
    found = one_nn(X, collapsed)
    assert found.fake_half == 1.0
    assert found.accuracy == (found.real_half + 1) / 2


def test_as_a_classifier_of_another_library():
    neighbours = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(60, 4)), rng.normal(size=(60, 4)) + 0.7
    both, label = np.concatenate([real, fake]), np.repeat([0, 1], 60)
    near = neighbours.NearestNeighbors(n_neighbors=2).fit(both).kneighbors(both)[1][:, 1]
    right = label[near] == label
    expected = OneNN(right.mean(), right[:60].mean(), right[60:].mean())
    assert vars(one_nn(real, fake)) == pytest.approx(vars(expected), abs=1e-10)


def test_half_is_right_for_one_law_and_turning_moves_nothing():
    rng = np.random.default_rng(2)
    found = [
        one_nn(rng.normal(size=(100, 5)), rng.normal(size=(100, 5))).accuracy for _ in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / 60**0.5)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert one_nn(X[:20], X[20:]) == one_nn(X[:20][::-1] @ turn, X[20:] @ turn)


def test_unequal_sizes_are_refused():
    with pytest.raises(UserError, match="40 reals and 39 fakes"):
        one_nn(X, X[:39])
