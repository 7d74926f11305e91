"""Precision, recall, density, coverage: points on a line, other libraries, closed forms."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.manifold import Manifold, expected_coverage, manifold
from bascule.metrics.neighbours import radii

R = np.arange(5.0)[:, None]


@pytest.mark.parametrize(
    ("fake", "k", "expected"),
    [
        (R, 1, (1, 1, 1.0, 1)),
        (R, 2, (1, 1, 0.7, 1)),
        (R + 0.5, 1, (1, 1, 1.8, 1)),
        (R + 0.5, 2, (1, 1, 1.1, 1)),
        (np.full((5, 1), 2.0), 1, (1, 0, 1.0, 0.2)),
        (R + 100, 1, (0, 0, 0, 0)),
        (R + 100, 2, (0, 0, 0, 0)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_points_on_a_line(fake, k, expected, turned):
    """Ties lie on every radius, and stay ties when a rotation puts rounding on them."""
    real = R
    if turned:
        basis = np.linalg.qr(np.random.default_rng(0).normal(size=(500, 1)))[0].T
        real, fake = 7 + 3 * real @ basis, 7 + 3 * fake @ basis
    found = manifold(real, fake, k)
    assert found == Manifold(*(pytest.approx(e, abs=1e-10) for e in expected))


def test_known_radii_change_nothing():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    assert manifold(real, fake, 3, real_radii=radii(real, 3)) == manifold(real, fake, 3)


@pytest.mark.parametrize("k", [1, 5])
def test_as_prdc(k):
    prdc = pytest.importorskip("prdc")
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(120, 6)), 0.3 + 0.8 * rng.normal(size=(90, 6))
    theirs = prdc.compute_prdc(real, fake, k)
    found = manifold(real, fake, k)
    assert vars(found) == pytest.approx({name: float(v) for name, v in theirs.items()}, abs=1e-10)


def test_as_torch_fidelity_where_nothing_ties():
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(120, 6)), 0.3 + 0.8 * rng.normal(size=(90, 6))
    theirs = prc.prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=3, verbose=False
    )
    found = manifold(real, fake, 3)
    assert found.precision == pytest.approx(theirs[prc.KEY_METRIC_PRECISION], abs=1e-6)
    assert found.recall == pytest.approx(theirs[prc.KEY_METRIC_RECALL], abs=1e-6)


def test_order_and_rotation_move_nothing_and_sides_swap():
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(80, 5)), rng.normal(size=(80, 5)) + 0.5
    plain = manifold(real, fake)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert manifold(rng.permutation(real), rng.permutation(fake)) == plain
    assert manifold(real @ turn + 9, fake @ turn + 9) == plain
    back = manifold(fake, real)
    assert (back.precision, back.recall) == (plain.recall, plain.precision)


def test_coverage_only_grows_with_more_fakes():
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(100, 3)), rng.normal(size=(300, 3))
    found = [manifold(real, fake[:n]).coverage for n in range(20, 301, 40)]
    assert found == sorted(found) and found[0] < found[-1]


def test_a_lost_half_shows_in_recall_and_coverage_not_in_precision():
    rng = np.random.default_rng(5)
    modes = np.array([[0.0] * 4, [20.0] * 4])
    real = rng.normal(size=(200, 4)) + np.repeat(modes, 100, axis=0)
    found = manifold(real, rng.normal(size=(200, 4)))
    assert found.precision > 0.8
    assert 0.35 < found.recall <= 0.5 and 0.35 < found.coverage <= 0.5


def test_expected_coverage_in_closed_form():
    assert expected_coverage(1000, 1000, 5) == pytest.approx(0.96898, abs=1e-5)
    assert expected_coverage(5000, 1000, 5) == pytest.approx(0.598, abs=5e-4)
    # the one fake is nearer than the only other real, or not
    assert expected_coverage(2, 1, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "m", "k"), [(100, 100, 5), (300, 60, 5), (50, 80, 1)])
def test_coverage_and_density_of_one_law_whatever_it_is(n, m, k):
    rng = np.random.default_rng(6)
    found = [
        manifold(rng.exponential(size=(n, 3)), rng.exponential(size=(m, 3)), k) for _ in range(150)
    ]
    coverage, density = [f.coverage for f in found], [f.density for f in found]
    assert np.mean(coverage) == pytest.approx(
        expected_coverage(n, m, k), abs=4 * np.std(coverage) / 150**0.5
    )
    assert np.mean(density) == pytest.approx(1, abs=4 * np.std(density) / 150**0.5)


@pytest.mark.parametrize(("d", "n", "expected"), [(2, 200, 0.99), (64, 200, 0.80)])
def test_precision_of_one_law_falls_with_dimensions(d, n, expected):
    rng = np.random.default_rng(7)
    found = [
        manifold(rng.normal(size=(n, d)), rng.normal(size=(n, d))).precision for _ in range(20)
    ]
    assert np.mean(found) == pytest.approx(expected, abs=0.02)


def test_sets_no_larger_than_k_are_refused():
    with pytest.raises(UserError, match="at least 6 rows"):
        manifold(np.zeros((5, 2)), np.zeros((9, 2)))
    with pytest.raises(UserError):
        expected_coverage(5, 9, 5)
