"""HSV against skimage, both ways, in every sector of the hue and on its degenerate points."""

import itertools

import numpy as np
import pytest
import torch
from skimage import color

from bascule.core.errors import UserError
from bascule.data.color import (
    from_space,
    hsv_to_rgb,
    lab_to_rgb,
    rgb_to_hsv,
    rgb_to_lab,
    to_space,
)


def as_image(pixels) -> torch.Tensor:
    """(N, 3) in [0, 1] -> (1, 3, 1, N) in [-1, 1]."""
    return torch.as_tensor(np.asarray(pixels)).T[None, :, None] * 2 - 1


def as_pixels(x: torch.Tensor) -> np.ndarray:
    return ((x[0, :, 0].T + 1) / 2).numpy()


# Black, white, greys, the six pure hues, every tie between channels, both ends of red.
CORNERS = np.array(list(itertools.product([0.0, 0.25, 0.5, 1.0], repeat=3)))
ANY = np.random.default_rng(0).random((4000, 3))


@pytest.mark.parametrize("pixels", [CORNERS, ANY], ids=["corners", "any"])
def test_rgb_to_hsv_agrees_with_skimage(pixels):
    got = as_pixels(rgb_to_hsv(as_image(pixels)))
    np.testing.assert_allclose(got, color.rgb2hsv(pixels), atol=1e-12)


@pytest.mark.parametrize("pixels", [CORNERS, ANY], ids=["corners", "any"])
def test_hsv_to_rgb_agrees_with_skimage(pixels):
    got = as_pixels(hsv_to_rgb(as_image(pixels)))
    np.testing.assert_allclose(got, color.hsv2rgb(pixels), atol=1e-12)


def test_bytes_in_float32_agree_with_skimage_and_come_back():
    levels = np.random.default_rng(1).integers(0, 256, (4000, 3)).astype(np.uint8)
    x = as_image(levels.astype(np.float32) / 255)
    assert x.dtype == torch.float32
    hsv = rgb_to_hsv(x)
    expected = color.rgb2hsv(levels)
    # Dark pixels with a spread of one level amplify a float32 rounding by 255.
    np.testing.assert_allclose(as_pixels(hsv), expected, atol=2e-5)
    assert (as_pixels(hsv_to_rgb(hsv)) * 255).round().astype(np.uint8).tolist() == levels.tolist()


def test_named_colours():
    """Hand-made: hue in turns, saturation, value."""
    red, yellow, blue = [1.0, 0, 0], [1.0, 1, 0], [0.0, 0, 1]
    dark_cyan, black, grey = [0, 0.5, 0.5], [0.0, 0, 0], [0.5, 0.5, 0.5]
    got = as_pixels(rgb_to_hsv(as_image([red, yellow, blue, dark_cyan, black, grey])))
    expected = [[0, 1, 1], [1 / 6, 1, 1], [4 / 6, 1, 1], [0.5, 1, 0.5], [0, 0, 0], [0, 0, 0.5]]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_hue_stays_below_one_turn():
    """A red with the slightest blue lies a hair below one turn; float32 must not reach it."""
    x = torch.tensor([1.0, -1.0, -1.0 + 2**-23]).view(1, 3, 1, 1)
    assert -1 <= rgb_to_hsv(x)[0, 0].item() < 1


def test_stray_values_wrap_in_hue_and_clamp_in_saturation_and_value():
    hsv = torch.tensor(as_image(ANY[:100]).numpy())
    for turns in (-2, 1):
        shifted = hsv + torch.tensor([2.0 * turns, 0, 0]).view(1, 3, 1, 1)
        assert torch.allclose(hsv_to_rgb(shifted), hsv_to_rgb(hsv), atol=1e-9)
    stray = hsv.clone()
    stray[:, 1:] = 3 * hsv[:, 1:]
    held = stray.clone()
    held[:, 1:] = stray[:, 1:].clamp(-1, 1)
    assert stray.abs().max() > 1
    assert torch.equal(hsv_to_rgb(stray), hsv_to_rgb(held))
    assert hsv_to_rgb(100 * torch.randn(2, 3, 8, 8)).abs().max() <= 1


@pytest.mark.parametrize("convert", [rgb_to_hsv, hsv_to_rgb])
def test_derivatives_are_right_and_finite(convert):
    x = as_image(ANY[:20] * 0.9 + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(convert, (x,), eps=1e-7, atol=1e-5)
    corners = as_image(CORNERS).requires_grad_()
    convert(corners).sum().backward()
    assert torch.isfinite(corners.grad).all()


def test_spaces_by_name():
    x = as_image(ANY[:50])
    assert torch.equal(to_space(x, "rgb"), x) and torch.equal(from_space(x, "rgb"), x)
    assert torch.equal(to_space(x, "hsv"), rgb_to_hsv(x))
    assert torch.allclose(from_space(to_space(x, "hsv"), "hsv"), x, atol=1e-12)
    for of in (to_space, from_space):
        with pytest.raises(UserError, match=r"unknown colour space 'hsl'.*hsv, rgb"):
            of(x, "hsl")


def test_lab_is_scikit_images_and_comes_back():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    x[0, :, 0, 0], x[0, :, 0, 1] = -1, 1  # black and white
    ours = rgb_to_lab(x)
    theirs = color.rgb2lab(((x + 1) / 2).permute(0, 2, 3, 1).numpy(), illuminant="D65")
    assert np.abs(ours.permute(0, 2, 3, 1).numpy() - theirs).max() < 1e-2
    assert ours[0, :, 0, 1].tolist() == pytest.approx([100, 0, 0], abs=1e-2)
    assert (lab_to_rgb(ours) - x).abs().max() < 1e-6
    assert lab_to_rgb(torch.tensor([150.0, 0.0, 0.0]).view(1, 3, 1, 1)).max() == 1  # clipped
