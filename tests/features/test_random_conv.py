"""Random convolutions: the same on every machine, other for another seed, of He's variance."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bascule.features.random_conv import RandomConv, kernels


def pictures(n=6, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_features_by_the_definition():
    """In float64, one image and one map at a time."""
    x = pictures(2)
    expected = []
    for image in x:
        maps, row = torch.from_numpy(image[None]).double() / 127.5 - 1, []
        for kernel in kernels(0):
            maps = F.conv2d(F.pad(maps, (1, 1, 1, 1)), kernel.double(), stride=2)
            maps = torch.where(maps > 0, maps, 0.2 * maps)
            flat = maps[0].flatten(1).numpy()
            row += [*flat.mean(1), *flat.std(1)]
        expected.append(row)
    assert np.abs(RandomConv()(x) - np.array(expected)).max() < 1e-5


def test_the_weights_are_these_bits_everywhere():
    assert "1e72a893b0c8" in RandomConv(0).spec
    assert RandomConv(0).name == "random-conv-s0,64px"


def test_kernels_have_hes_variance_and_keep_the_size_of_signals():
    for kernel in kernels(3):
        fan_in = kernel[0].numel()
        assert kernel.double().var().item() == pytest.approx(2 / (1.04 * fan_in), rel=0.1)
        assert abs(kernel.mean().item()) < 4 / (fan_in * kernel.numel()) ** 0.5


def test_half_of_the_kernels_see_no_flat_colour():
    for kernel in kernels(0):
        sums, half = kernel.sum((2, 3)).abs().amax(1), len(kernel) // 2
        assert sums[:half].max() < 1e-5 < 0.01 < sums[half:].min()
    flat = RandomConv()(np.full((1, 3, 64, 64), 200, np.uint8))[0]
    # Away from the border, where zeros are added, the first layer's eight maps are empty.
    assert flat[:8] == pytest.approx(np.zeros(8), abs=0.05) and flat[8:16].max() > 0.1


def test_seeds_differ_in_features_name_and_spec():
    a, b = RandomConv(0), RandomConv(1)
    assert a.name != b.name and a.spec != b.spec
    assert np.abs(a(pictures()) - b(pictures())).mean() > 0.01


def test_features_do_not_depend_on_the_batch():
    x = pictures(70)
    together = RandomConv()(x)
    assert together.shape == (70, 480) and together.dtype == np.float32
    assert np.abs(together[60:] - RandomConv()(x[60:])).max() < 1e-5
    assert np.array_equal(together, RandomConv()(x))


def test_other_sides_are_resized():
    assert RandomConv()(pictures(side=32)).shape == (6, 480)
    flat = np.full((1, 3, 128, 128), 200, np.uint8)
    assert RandomConv()(flat) == pytest.approx(RandomConv()(flat[..., :64, :64]), abs=1e-5)
