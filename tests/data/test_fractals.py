"""Fractal dreams: the map by hand, its symmetries exactly, and what is kept."""

from math import sin
from pathlib import Path

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.fractals import (
    COLOURS,
    LEAST_LIT_SHARE,
    WINDOW,
    Fractals,
    coloured,
    density,
    equalised,
    step,
)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    return tmp_path


def test_first_steps_of_an_orbit_by_hand() -> None:
    a, b, c, d = 1.5, -2.0, 0.5, 1.25
    x0, y0 = 0.1, 0.2
    x1 = sin(-0.4) + 0.5 * sin(-0.2)
    y1 = sin(0.15) + 1.25 * sin(0.3)
    assert (x1, y1) == pytest.approx((-0.4887530, 0.5188385), abs=1e-6)
    x, y = np.array([[x0]]), np.array([[y0]])
    parameters = np.array([[a, b, c, d]])
    x, y = step(x, y, parameters)
    assert (x[0, 0], y[0, 0]) == pytest.approx((x1, y1), abs=1e-12)
    x, y = step(x, y, parameters)
    x2, y2 = sin(b * y1) + c * sin(b * x1), sin(a * x1) + d * sin(a * y1)
    assert (x[0, 0], y[0, 0]) == pytest.approx((x2, y2), abs=1e-12)


PARAMETERS = np.array([[2.1, -1.7, 0.9, 0.3], [1.4, 2.6, -0.4, 1.2], [2.9, 1.1, 0.6, 0.8]])


def test_swapped_parameters_give_the_transposed_picture_exactly() -> None:
    counts = density(PARAMETERS, 32)
    swapped = density(PARAMETERS[:, [1, 0, 3, 2]], 32)
    assert (swapped == counts.transpose(0, 2, 1)).all()
    assert (swapped != counts).any((1, 2)).all()  # none is its own transpose


def test_opposite_a_and_b_give_the_same_picture_and_opposite_a_alone_does_not() -> None:
    # At an even size, pixel k mirrors pixel size - 1 - k, but a point on the border between two
    # pixels goes to the same side both times: all but a handful of visits agree.
    counts = density(PARAMETERS, 32)
    opposite = density(PARAMETERS * [-1, -1, 1, 1], 32)
    visits = counts.sum()
    assert np.abs(opposite - counts).sum() < 0.001 * visits
    other = density(PARAMETERS * [-1, 1, 1, 1], 32)
    assert np.abs(other - counts).sum() > 0.5 * visits


def test_every_visit_is_counted_within_the_window() -> None:
    counts = density(PARAMETERS, 64)
    assert counts.sum((1, 2)).tolist() == [256 * 300] * 3
    assert counts[:, [0, -1]].sum() == counts[:, :, [0, -1]].sum() == 0  # |x|, |y| < WINDOW
    # A fixed point by hand: with a = b = 0 all orbits end in (0, 0), the middle of the window.
    middle = density(np.zeros((1, 4)), 64)[0]
    assert middle[32, 32] == 256 * 300
    assert WINDOW >= 1 + 1.5


def test_equalised_by_hand() -> None:
    counts = np.array([[[0, 5], [5, 1]], [[0, 0], [0, 9]], [[0, 0], [0, 0]]])
    expected = [[[0, 1], [1, 1 / 3]], [[0, 0], [0, 1]], [[0, 0], [0, 0]]]
    assert equalised(counts) == pytest.approx(np.array(expected))


def test_colours_run_from_the_first_to_the_last_and_brighten() -> None:
    shares = np.linspace(0, 1, 11)[None, None]
    pixels = coloured(shares)
    assert pixels.shape == (1, 3, 1, 11) and pixels.dtype == np.uint8
    assert pixels[0, :, 0, 0].tolist() == COLOURS[0].tolist()
    assert pixels[0, :, 0, 10].tolist() == COLOURS[-1].tolist()
    assert pixels[0, :, 0, 2].tolist() == COLOURS[1].tolist()
    assert (np.diff(pixels[0, :, 0].astype(int).sum(0)) > 0).all()


def test_a_larger_set_begins_with_the_smaller_one_and_labels_redraw_the_pictures() -> None:
    few, many = Fractals(n=5, size=16).load(), Fractals(n=40, size=16).load()
    assert (many.pixels[:5] == few.pixels).all()
    parameters = np.stack([many.labels[k] for k in "abcd"], axis=1)
    assert (few.labels["c"] == parameters[:5, 2]).all()
    redrawn = coloured(equalised(density(parameters, 16)))
    assert (redrawn != many.pixels).mean() < 0.01


def test_near_empty_pictures_are_left_out_and_a_is_not_negative() -> None:
    images = Fractals(n=40, size=32).load()
    lit = (images.pixels != COLOURS[0][:, None, None].astype(np.uint8)).any(1).mean((1, 2))
    assert lit.min() >= LEAST_LIT_SHARE
    assert images.labels["a"].min() >= 0 > images.labels["b"].min()
    assert len(np.unique(images.labels["d"])) == 40


def test_interrupted_computing_leaves_no_entry(root: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        Fractals(n=4, size=16).load(stop)
    assert list((root / "made").iterdir()) == []


def test_progress_ends_at_n_and_the_cache_answers_the_second_time() -> None:
    told: list[tuple[int, int]] = []
    Fractals(n=30, size=16).load(lambda done, total: told.append((done, total)))
    assert told[-1] == (30, 30) and sorted(told) == told
    told.clear()
    Fractals(n=30, size=16).load(lambda done, total: told.append((done, total)))
    assert told == []


@pytest.mark.parametrize("options", [{"n": 1}, {"size": 7}, {"size": 513}])
def test_impossible_sets_are_refused(options: dict) -> None:
    with pytest.raises(UserError, match="expected n >= 2 and size from 8 to 512"):
        Fractals(**options)
