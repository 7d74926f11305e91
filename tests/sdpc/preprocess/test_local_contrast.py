"""Local contrast against scipy's correlations in float64, and images whose contrast is known."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.local_contrast import LocalContrast


def images(channels: int = 3, height: int = 20, width: int = 27, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(3, channels, height, width, generator=rng, dtype=dtype) * 2 - 1
    x[..., : width // 3] *= 0.02  # a part of little contrast, held up by the average
    return x


def published_window(size: int, number: float) -> np.ndarray:
    """exp(-r^2 / number), with r = 1 at the middle of the window's sides; not yet of sum 1."""
    r = np.linspace(-1, 1, size)
    return np.exp(-(r[:, None] ** 2 + r[None] ** 2) / number)


@pytest.mark.parametrize("size", [3, 9, 11])
def test_the_published_number_of_one_half_is_this_sigma(size):
    """A dot of 1 against the published window; and in pixels: sigma half windows."""
    x = torch.zeros(1, 1, 25, 25, dtype=torch.float64)
    x[0, 0, 12, 12] = 1
    half = size // 2
    got = LocalContrast(size)._local_mean(x)[0, 0].numpy()
    expected = np.zeros((25, 25))
    window = published_window(size, 0.5)
    expected[12 - half : 13 + half, 12 - half : 13 + half] = window / window.sum()
    np.testing.assert_allclose(got, expected, atol=1e-15)
    pixels = np.exp(-0.5 * (np.arange(-half, half + 1) / (0.5 * half)) ** 2)
    np.testing.assert_allclose(got[12] / got[12, 12], np.pad(pixels, 12 - half), atol=1e-15)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "sigma"), [(9, 0.5), (5, 1.2)])
def test_per_channel_is_scipys_mirrored_correlation(channels, size, sigma):
    x = images(channels)
    window = published_window(size, 2 * sigma**2)
    window /= window.sum()

    def local_mean(image):
        return np.stack([ndimage.correlate(c, window, mode="mirror") for c in image])

    y, kept = LocalContrast(size, sigma).apply(x)
    assert kept == {}
    for image, got in zip(x.numpy(), y.numpy(), strict=True):
        centred = image - local_mean(image)
        contrast = np.sqrt(local_mean(centred**2))
        assert 0.2 < (contrast < contrast.mean()).mean() < 0.8  # both sides of the maximum occur
        expected = centred / np.maximum(contrast, contrast.mean())
        np.testing.assert_allclose(got, expected, atol=1e-12)
    single, _ = LocalContrast(size, sigma).apply(x.float())
    assert torch.allclose(single, y.float(), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_published_is_one_map_from_windows_that_sum_to_one_over_all_channel_pairs(channels):
    x = images(channels)
    pairs = np.broadcast_to(published_window(9, 0.5), (channels, channels, 9, 9))
    pairs = pairs / pairs.sum()

    def local_mean(image):
        every = [
            sum(ndimage.correlate(c, w, mode="constant") for c, w in zip(image, of, strict=True))
            for of in pairs
        ]
        return np.stack(every)

    y, _ = LocalContrast(layout="published").apply(x)
    for image, got in zip(x.numpy(), y.numpy(), strict=True):
        centred = image - local_mean(image)
        contrast = np.sqrt(local_mean(centred**2))
        expected = centred / np.maximum(contrast, contrast.mean())
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_published_leaves_two_thirds_of_a_colour_images_mean():
    x = images() + 5
    inside = np.s_[..., 4:-4, 4:-4]
    centred = x - LocalContrast(layout="published")._local_mean(x)
    assert torch.allclose(centred[inside].mean(), torch.tensor(10 / 3).double(), atol=0.05)
    centred = x - LocalContrast()._local_mean(x)
    assert centred[inside].mean().abs() < 0.01


def test_neither_brightness_nor_contrast_of_an_image_matters():
    x = images()
    y, _ = LocalContrast().apply(x)
    brighter, _ = LocalContrast().apply(7 * x + 3)
    assert torch.allclose(brighter, y, atol=1e-10)


def test_a_chequerboard_has_the_same_contrast_everywhere():
    """Mirrored, it goes on as itself: x less its local mean is (1 - m) x, of contrast |1 - m|."""
    board = (torch.arange(16)[:, None] + torch.arange(18)[None]) % 2 * 2.0 - 1
    y, _ = LocalContrast().apply(board.expand(1, 3, 16, 18))
    assert torch.allclose(y, board.expand_as(y), atol=1e-5)


def test_a_flat_channel_becomes_zero_and_its_image_stays_finite():
    x = images(dtype=torch.float32)
    x[1, 2] = 0.3
    y, _ = LocalContrast().apply(x)
    assert torch.isfinite(y).all() and y[1, 2].abs().max() < 1e-5 < 1 < y[1, 0].abs().max()


@pytest.mark.parametrize("layout", ["per channel", "published"])
def test_a_constant_image_is_refused_by_its_place(layout):
    x = images()
    x[2] = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)  # one colour, every channel flat
    with pytest.raises(UserError, match="image 2 is constant"):
        LocalContrast(layout=layout).apply(x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LocalContrast(size=8), r"LocalContrast\(size=8\): expected an odd number"),
        (lambda: LocalContrast(size=1), r"size=1\)"),
        (lambda: LocalContrast(sigma=0), r"LocalContrast\(sigma=0.0\)"),
        (lambda: LocalContrast(layout="per chanel"), "did you mean per channel"),
        (lambda: LocalContrast(9).apply(images(3, 4, 30)), "4x30.*at most 7"),
        (lambda: LocalContrast().undo(images(), {}), "cannot be undone.*lost"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_the_smallest_image_that_is_not_refused():
    assert LocalContrast(9).apply(images(3, 5, 5))[0].isfinite().all()
    assert LocalContrast(7).apply(images(3, 4, 30))[0].isfinite().all()
    assert not LocalContrast().invertible
