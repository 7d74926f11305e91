"""C_T and authenticity: copies, fresh draws and strangers."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from bascule.core.errors import UserError
from bascule.metrics.memorisation import Cells, authenticity, copying, copying_in
from bascule.metrics.neighbours import nearest, radii

MODES = np.array([[0.0] * 6, [20.0] * 6, [-20.0] * 6])


def draw(n, seed, d=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + MODES[rng.integers(3, size=n), :d]


def near(x, seed, by=0.05):
    return x + by * np.random.default_rng(seed).normal(size=x.shape)


def test_one_cell_is_the_rank_test_of_another_library():
    train, held_out, fake = draw(200, 0), draw(60, 1), near(draw(200, 0)[:80], 2, 0.3)
    found = copying(fake, train, held_out, cells=1)
    f, h = nearest(fake, train)[0][:, 0], nearest(held_out, train)[0][:, 0]
    p = mannwhitneyu(f, h, use_continuity=False, method="asymptotic").pvalue
    assert found < 0
    assert 2 * norm.sf(abs(found)) == pytest.approx(p, rel=1e-8)


def test_ties_count_as_in_another_library():
    train, held_out = draw(200, 0), draw(60, 1)
    fake = np.concatenate([train[:40], draw(40, 2)])
    found = copying(fake, train, np.concatenate([held_out, train[:5]]), cells=1)
    f = nearest(fake, train)[0][:, 0]
    h = nearest(np.concatenate([held_out, train[:5]]), train)[0][:, 0]
    f, h = (np.where(z < 1e-9, 0, z) for z in (f, h))
    p = mannwhitneyu(f, h, use_continuity=False, method="asymptotic").pvalue
    assert 2 * norm.sf(abs(found)) == pytest.approx(p, rel=1e-8)
    assert copying(train, train, train) == 0.0


def test_copies_are_far_below_zero_and_strangers_far_above():
    train, held_out = draw(600, 0), draw(200, 1)
    assert copying(near(train[:200], 2), train, held_out) < -8
    assert copying(near(draw(200, 3), 4, by=3), train, held_out) > 8


def test_fresh_draws_of_one_law_are_about_zero():
    """Each cell's z has deviation 1, and three equal cells average it to 0.58 (train kept)."""
    train = draw(300, 0)
    cells = Cells.of(train)
    found = [copying_in(cells, draw(120, 1 + 2 * i), draw(120, 2 + 2 * i)) for i in range(200)]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / 200**0.5)
    assert np.std(found) == pytest.approx(3**-0.5, rel=0.2)


def test_cells_find_copies_that_the_whole_hides():
    """Copies in one mode, strangers in the two others: one rank test over all sees no copies."""
    train, held_out = draw(600, 0), draw(240, 1)
    part = np.argmin(np.linalg.norm(train[:, None] - MODES[None], axis=2), axis=1)
    copies = near(train[part == 0][:80], 2)
    cells = Cells.of(train)
    assert sorted(np.bincount(cells.cell)) == sorted(np.bincount(part))
    assert copying(copies, train, held_out) < -8


def test_a_collapse_into_one_cell_is_scored_there_and_few_images_in_one_cell():
    train, held_out = draw(300, 0), draw(90, 1)
    collapsed = near(np.repeat(train[:1], 60, axis=0), 2, by=0.01)
    assert copying(collapsed, train, held_out) < -5
    few = draw(22, 3)
    assert copying(few, train, held_out) == pytest.approx(copying(few, train, held_out, cells=1))


def test_seeded_and_blind_to_order_of_fakes():
    train, held_out, fake = draw(200, 0), draw(80, 1), draw(80, 2)
    assert copying(fake, train, held_out) == copying(fake, train, held_out)
    assert copying(fake[::-1], train, held_out) == pytest.approx(copying(fake, train, held_out))


@pytest.mark.parametrize(("n", "d"), [(60, 200), (200, 100)])
def test_components_keep_most_of_the_variance_whichever_gram(n, d):
    rng = np.random.default_rng(0)
    train = 5 + rng.normal(size=(n, d)) * np.linspace(3, 0.01, d)
    cells = Cells.of(train)
    values = np.linalg.svd(train - train.mean(0), compute_uv=False) ** 2
    keep = min(64, n - 1)
    assert cells.axes.shape == (d, keep)
    assert np.allclose(cells.axes.T @ cells.axes, np.eye(keep), atol=1e-8)
    assert (cells.train**2).sum() == pytest.approx(values[:keep].sum(), rel=1e-10)
    seen, cell = cells.place(train)
    assert np.allclose(seen, cells.train) and len(np.unique(cell)) == 3


def test_reals_of_fewer_kinds_than_cells():
    train = np.repeat([[0.0, 0.0], [1.0, 0.0]], 30, axis=0)
    beside = train + np.array([0, 0.5])
    assert copying(beside, train, beside) == 0.0
    same = np.ones((30, 2))
    assert copying(same + 1, same, same) > 5


def test_too_few_for_a_rank_test_are_refused():
    with pytest.raises(UserError, match="held_out has 19 rows"):
        copying(draw(40, 0), draw(90, 1), draw(19, 2))
    with pytest.raises(UserError, match="0 cells"):
        copying(draw(40, 0), draw(90, 1), draw(40, 2), cells=0)


def test_authenticity_by_hand():
    train = np.array([[0.0], [1.0], [10.0]])
    # 0.5 from 0, whose own nearest is at 1: a copy; 12 is 2 from 10, whose own is at 9: a copy;
    # -1.5 is 1.5 from 0: authentic; a copy of 1 is none; 2 is 1 from 1, as its own: no farther
    fake = np.array([[0.5], [12.0], [-1.5], [1.0], [2.0]])
    assert authenticity(fake, train) == pytest.approx(1 / 5)
    assert authenticity(fake, train, train_radii=radii(train, 1)) == pytest.approx(1 / 5)
    assert authenticity(train, np.concatenate([train, train])) == 0.0


@pytest.mark.parametrize(("d", "expected"), [(2, 0.38), (16, 0.68), (64, 0.79)])
def test_authenticity_of_fresh_draws_depends_on_dimensions(d, expected):
    rng = np.random.default_rng(0)
    found = [authenticity(rng.normal(size=(400, d)), rng.normal(size=(400, d))) for _ in range(8)]
    assert np.mean(found) == pytest.approx(expected, abs=0.03)
