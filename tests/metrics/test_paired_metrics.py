"""Measures of a translation against values by hand, scikit-image and scikit-learn."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from sklearn.metrics import normalized_mutual_info_score

from bascule.core.errors import UserError
from bascule.metrics.paired import (
    as_jpeg,
    likeness,
    matched,
    pixel_error,
    ranks,
    shared_information,
)


def pictures(n=4, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 3, size, size), dtype=np.uint8)


def test_the_pixel_error_of_opposites_is_one():
    black, white = np.zeros((2, 3, 16, 16), np.uint8), np.full((2, 3, 16, 16), 255, np.uint8)
    assert pixel_error(black, white).tolist() == [1.0, 1.0]
    assert pixel_error(white, white).tolist() == [0.0, 0.0]
    half = white.copy()
    half[0, :, :8] = 0
    assert pixel_error(half, white).tolist() == [0.5, 0.0]


def test_likeness_is_scikit_images_ssim():
    a, b = pictures(), np.roll(pictures(), 1, -1)
    ours = likeness(a, b)
    for k in range(len(a)):
        theirs = structural_similarity(
            *(x[k].transpose(1, 2, 0).astype(float) for x in (a, b)),
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ours[k] == pytest.approx(theirs, abs=1e-4)
    assert likeness(a, a) == pytest.approx(np.ones(4))


def test_ranks_count_the_truths_that_are_as_near():
    truth = np.stack([np.full((3, 2, 2), level, np.uint8) for level in (0, 100, 200)])
    made = np.stack([np.full((3, 2, 2), level, np.uint8) for level in (10, 160, 150)])
    # 10 is nearest to its own 0; 160 is nearer to 200; 150 is as near to 100 as to its own 200.
    assert ranks(made, truth).tolist() == [1, 2, 2]
    assert ranks(truth, truth).tolist() == [1, 1, 1]


def test_an_exchange_of_values_is_matched_and_a_loss_is_not():
    truth = np.array(["red"] * 6 + ["blue"] * 4)
    swapped = np.where(truth == "red", "blue", "red")
    assert matched(swapped, truth).all() and not (swapped == truth).any()
    assert shared_information(swapped, truth) == pytest.approx(1.0)
    lost = np.full(10, "red")
    assert matched(lost, truth).sum() == 6
    assert shared_information(lost, truth) == 0.0
    # Three values read where there are two: one of them has no name left.
    mixed = np.array(["a"] * 4 + ["b"] * 2 + ["c"] * 4)
    assert matched(mixed, truth).sum() == 8


def test_shared_information_is_scikit_learns_normalised_mutual_information():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    read = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 5, 200))
    ours = shared_information(read, truth)
    assert ours == pytest.approx(normalized_mutual_info_score(truth, read), abs=1e-12)
    assert 0.1 < ours < 0.9


def test_jpeg_changes_little_and_something():
    across = np.arange(0, 128, 4, dtype=np.uint8)
    smooth = np.stack(np.broadcast_arrays(across, across[:, None], 255 - across))[None]
    read = as_jpeg(smooth)
    assert read.shape == smooth.shape and read.dtype == np.uint8
    assert 0 < pixel_error(read, smooth)[0] < 0.02


def test_other_shapes_are_refused():
    with pytest.raises(UserError, match="expected both uint8"):
        pixel_error(pictures(4), pictures(3))
    with pytest.raises(UserError, match="expected both uint8"):
        likeness(pictures(4).astype(float), pictures(4))
