"""Laplacian pyramids: they add up, patches stand where they should, and a tint is seen."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from bascule.core.errors import UserError
from bascule.data.batches import as_float
from bascule.features.pyramid import descriptors, expand, normalised, pyramid, reduce


def pictures(n=6, side=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def distance(a, b):
    """Mean distance of sorted values, over levels: enough to tell sets apart."""
    return np.mean([np.abs(np.sort(a[k].ravel()) - np.sort(b[k].ravel())).mean() for k in a])


def test_bands_add_up_to_the_image():
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    bands = pyramid(x, 3)
    assert [b.shape[-1] for b in bands] == [64, 32, 16]
    whole = bands[-1]
    for band in bands[-2::-1]:
        whole = band + expand(whole)
    assert (whole - x).abs().max() < 1e-5


def test_reduce_is_the_binomial_filter_of_scipy():
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    smooth = correlate1d(
        correlate1d(x.numpy(), binomial, 2, mode="mirror"), binomial, 3, mode="mirror"
    )
    assert reduce(x.float()).numpy() == pytest.approx(smooth[..., ::2, ::2], abs=1e-6)


def test_expand_keeps_a_flat_image_and_details_of_it_are_zero():
    flat = torch.full((1, 3, 32, 32), 0.7)
    inner = expand(reduce(flat))[..., 2:-2, 2:-2]
    assert (inner - 0.7).abs().max() < 1e-6


def test_shapes_levels_and_prefixes():
    x = pictures()
    found = descriptors(x, seed=1, patches=5)
    assert {k: v.shape for k, v in found.items()} == {k: (30, 147) for k in (64, 32, 16)}
    assert all(v.dtype == np.float32 for v in found.values())
    fewer = descriptors(x[:4], seed=1, patches=5)
    assert all(fewer[k] == pytest.approx(found[k][:20], abs=1e-6) for k in found)
    other = descriptors(x, seed=2, patches=5)
    assert not np.array_equal(other[64], found[64])
    assert list(descriptors(pictures(side=16), seed=1, patches=5)) == [16]


def test_a_row_is_a_patch_of_the_band():
    x = pictures(n=2, side=16)
    image = as_float(torch.from_numpy(x)).numpy()  # one level: the image itself
    for i, row in enumerate(descriptors(x, seed=0, patches=20)[16]):
        patch = row.reshape(3, 7, 7)
        windows = np.lib.stride_tricks.sliding_window_view(image[i // 20], (7, 7), axis=(1, 2))
        same = (windows == patch[:, None, None]).all((0, 3, 4))
        assert same.sum() == 1


def test_corners_reach_every_place():
    bright = np.zeros((1, 3, 16, 16), np.uint8)
    bright[..., 0, 0] = bright[..., -1, -1] = 255
    rows = descriptors(bright, seed=0, patches=2000)[16].reshape(-1, 3, 7, 7)
    assert (rows[:, 0, 0, 0] == 1).any() and (rows[:, 0, 6, 6] == 1).any()


def test_equal_sets_are_at_distance_zero_and_reals_are_normal():
    reals = descriptors(pictures(), seed=0, patches=16)
    ours = normalised(reals, reals)
    assert distance(ours, normalised(descriptors(pictures(), seed=0, patches=16), reals)) == 0
    for level in ours.values():
        by_channel = level.reshape(-1, 3, 49)
        assert np.abs(by_channel.mean((0, 2))).max() < 1e-5
        assert by_channel.std((0, 2)) == pytest.approx(np.ones(3), abs=1e-4)


def test_a_shift_of_colour_is_seen_to_which_own_statistics_are_blind():
    x = pictures(n=40) // 2
    tinted = x + np.array([60, 0, 0], np.uint8)[:, None, None]
    reals, fakes = (descriptors(a, seed=0, patches=32) for a in (x, tinted))
    other = descriptors(pictures(n=40, seed=1) // 2, seed=0, patches=32)
    floor = distance(normalised(reals, reals), normalised(other, reals))
    ours = distance(normalised(reals, reals), normalised(fakes, reals))
    originals = distance(normalised(reals, reals), normalised(fakes, fakes))
    assert ours > 10 * floor
    assert originals < floor


def test_a_constant_channel_is_no_division_by_zero():
    flat = np.zeros((2, 3, 16, 16), np.uint8)
    reals = descriptors(flat, seed=0, patches=4)
    assert np.isfinite(normalised(reals, reals)[16]).all()


@pytest.mark.parametrize("side", [8, 48, 100])
def test_sides_that_do_not_halve_to_16_are_refused(side):
    with pytest.raises(UserError, match=f"{side} px"):
        descriptors(pictures(side=side), seed=0)
