"""The split into low frequencies and band: exact, and with nothing low left in the band."""

import numpy as np
import pytest
import torch
from scipy import fft
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.bands import Bands

SHAPES = [(16, 16, 8), (24, 40, 8), (24, 40, 4), (15, 30, 5), (8, 8, 8), (12, 18, 1)]


def images(height: int, width: int, channels: int = 3, dtype=torch.float32) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(3, channels, height, width, generator=rng, dtype=dtype) * 2 - 1


@pytest.mark.parametrize(("height", "width", "low"), SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_low_and_band_give_the_image_back(height, width, low, channels):
    x = images(height, width, channels)
    bands = Bands(low)
    band, kept = bands.apply(x)
    assert bands.invertible and list(kept) == ["low"]
    assert kept["low"][0].numel() == channels * low * low
    assert torch.allclose(bands.undo(band, kept), x, atol=1e-6)
    assert band.shape == x.shape


def cells(x: np.ndarray, low: int) -> np.ndarray:
    """Means over low x low cells, by reshaping."""
    *batch, height, width = x.shape
    return x.reshape(*batch, low, height // low, low, width // low).mean(axis=(-3, -1))


@pytest.mark.parametrize(("height", "width", "low"), SHAPES)
def test_low_is_the_cells_means_and_the_band_has_none(height, width, low):
    x = images(height, width, dtype=torch.float64)
    band, kept = Bands(low).apply(x)
    np.testing.assert_allclose(kept["low"].numpy(), cells(x.numpy(), low), atol=1e-14)
    np.testing.assert_allclose(cells(band.numpy(), low), 0, atol=1e-13)


@pytest.mark.parametrize(("height", "width", "low"), SHAPES)
def test_up_is_a_bilinear_surface_through_nodes_at_the_cells_centres(height, width, low):
    """The nodes, found by least squares, explain it wholly: it is torch's bilinear upsampling."""
    smooth = Bands(low).up(images(low, low, 1, torch.float64)[:1], height, width)
    at_nodes = torch.eye(low * low, dtype=torch.float64).view(-1, 1, low, low)
    surfaces = F.interpolate(at_nodes, size=(height, width), mode="bilinear").flatten(1).T
    nodes = np.linalg.lstsq(surfaces.numpy(), smooth.flatten().numpy(), rcond=None)[0]
    np.testing.assert_allclose(surfaces.numpy() @ nodes, smooth.flatten().numpy(), atol=1e-12)


def test_two_cells_by_hand():
    """Means a, b over two cells of two pixels. Nodes m -+ d have cell means m -+ 3/4 d: the level
    outer pixel is at d, the inner one, a quarter of the way to the other node, at d/2."""
    a, b = -0.5, 1.0
    m, d = (a + b) / 2, (b - a) / 2 / 0.75
    along = torch.tensor([m - d, m - d / 2, m + d / 2, m + d])
    low = torch.tensor([[a, b], [a, b]]).view(1, 1, 2, 2)
    assert torch.allclose(Bands(2).up(low, 4, 4)[0, 0], along.expand(4, 4), atol=1e-6)


def test_a_constant_image_has_no_band():
    band, kept = Bands(4).apply(torch.full((1, 3, 12, 20), 0.3))
    assert band.abs().max() < 1e-6 and torch.allclose(kept["low"], torch.tensor(0.3))


def test_less_of_the_low_frequencies_is_left_than_by_plain_bilinear():
    """Of 1/f noise at 64x64, in the DCT modes that 8x8 samples can carry: 5 % against 11 %."""
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    f[0, 0] = 1
    noise = np.random.default_rng(0).standard_normal((20, 1, 128, 128))
    x = torch.from_numpy(np.fft.ifft2(np.fft.fft2(noise) / f).real[..., :64, :64].copy())
    x -= x.mean(dim=(2, 3), keepdim=True)  # the mean is gone from either band

    def low_energy(of: torch.Tensor) -> float:
        return float((fft.dctn(of.numpy(), axes=(2, 3), norm="ortho")[..., :8, :8] ** 2).sum())

    band, kept = Bands(8).apply(x)
    plain = x - F.interpolate(kept["low"], size=(64, 64), mode="bilinear")
    assert low_energy(band) / low_energy(x) == pytest.approx(0.05, abs=0.01)
    assert low_energy(plain) / low_energy(x) == pytest.approx(0.11, abs=0.015)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bands(0), r"Bands\(low=0\): expected"),
        (lambda: Bands(8.5), r"low=8\.5 in Bands"),
        (
            lambda: Bands(8).apply(images(60, 64)),
            "60x64 pixels do not split.*; use height 56 or 64, or low=4$",
        ),
        (
            lambda: Bands(8).apply(images(5, 90)),
            "5x90.*use height 8 and width 88 or 96, or low=5$",
        ),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()
