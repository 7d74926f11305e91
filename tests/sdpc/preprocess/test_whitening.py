"""Whitening against the published gains, numpy's FFT in float64, and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.whitening import Whiten

# Gains at normalised frequencies (u, v) of a 96x96 image, read at the FFT index round(96 u): as
# measured on the published code, and as Olshausen & Field's R(f) intends.
AT = [(0, 0), (0.125, 0), (0.25, 0), (0.49, 0), (0.25, 0.25), (0.35, 0.35), (0.49, 0.49)]
MEASURED = {
    "published": [0.013, 0.055, 0.119, 0.184, 0.275, 0.196, 0.007],
    "radial": [0, 0.125, 0.235, 0.195, 0.275, 0.183, 0.018],
}
SHAPES = [(16, 16), (24, 40), (15, 22), (13, 17)]


def images(height: int, width: int, channels: int = 3, dtype=torch.float64) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(3, channels, height, width, generator=rng, dtype=dtype) * 2 - 1


def R(f: np.ndarray, f0: float, n: float) -> np.ndarray:
    return f * np.exp(-((f / f0) ** n))


@pytest.mark.parametrize("layout", ["published", "radial"])
def test_gains_are_those_measured(layout):
    gains = Whiten(0.5, 4.0, layout).gains(96, 96)
    got = [gains[round(96 * u), round(96 * v)].item() for u, v in AT]
    np.testing.assert_allclose(got, MEASURED[layout], atol=6e-4)


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("floor", [0.0, 0.08])
@pytest.mark.parametrize(("f0", "n"), [(0.5, 4.0), (0.6, 2.0)])
def test_radial_is_numpys_filter(height, width, floor, f0, n):
    x = images(height, width)
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    expected = np.fft.ifft2(np.fft.fft2(x.numpy()) * np.maximum(R(f, f0, n), floor))
    assert np.abs(expected.imag).max() < 1e-14  # a radial filter is Hermitian
    y, kept = Whiten(f0, n, floor=floor).apply(x)
    np.testing.assert_allclose(y.numpy(), expected.real, atol=1e-13)
    assert kept == {}
    single, _ = Whiten(f0, n, floor=floor).apply(x.float())
    np.testing.assert_allclose(single.numpy(), expected.real, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_published_is_a_centred_filter_on_an_unshifted_spectrum(height, width):
    x = images(height, width)
    f = np.hypot(np.linspace(-0.5, 0.5, height)[:, None], np.linspace(-0.5, 0.5, width)[None])
    expected = np.fft.ifft2(np.fft.fft2(x.numpy()) * R(f, 0.5, 4)).real
    y, _ = Whiten(layout="published").apply(x)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("layout", ["published", "radial"])
def test_a_wave_comes_out_scaled_by_the_even_half_of_the_gains(layout):
    height, width, ky, kx = 24, 30, 3, 5
    whiten = Whiten(layout=layout)
    row, column = torch.arange(height)[:, None], torch.arange(width)[None]
    wave = torch.cos(2 * math.pi * (ky * row / height + kx * column / width)).double()
    y, _ = whiten.apply(wave[None, None] + 0.5)
    gains = whiten.gains(height, width)
    gain = (gains[ky, kx] + gains[-ky, -kx]) / 2
    assert torch.allclose(y[0, 0], gain * wave + 0.5 * gains[0, 0], atol=1e-6)
    if layout == "radial":
        f = math.hypot(ky / height, kx / width)
        assert gain.item() == pytest.approx(f * math.exp(-((f / 0.5) ** 4)), rel=1e-12)


def test_radial_takes_every_mean_away_and_published_does_not():
    x = images(16, 20) + torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    radial, _ = Whiten().apply(x)
    assert radial.mean(dim=(2, 3)).abs().max() < 1e-12
    published, _ = Whiten(layout="published").apply(x)
    of_mean = math.sqrt(0.5) * math.exp(-4)  # R at a corner, where the mean meets the filter
    assert torch.allclose(published.mean(dim=(2, 3)), of_mean * x.mean(dim=(2, 3)))


def test_a_flat_channel_stays_exactly_flat():
    x = torch.full((1, 3, 15, 22), 0.1)
    x[:, 1] = images(15, 22, dtype=torch.float32)[:1, 1]
    assert Whiten().apply(x)[0][:, ::2].abs().max() == 0
    assert torch.equal(Whiten(floor=0.25).apply(x)[0][:, ::2], 0.25 * x[:, ::2])


def test_it_whitens():
    """1/f noise: a fivefold fall of its spectrum is flat after, below the roll-off."""
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    f[0, 0] = 1
    noise = np.random.default_rng(0).standard_normal((64, 1, 64, 64))
    x = np.fft.ifft2(np.fft.fft2(noise) / f).real
    y = Whiten().apply(torch.from_numpy(x))[0].numpy()

    def amplitude(of, low, high):
        ring = (f >= low) & (f < high)
        return np.abs(np.fft.fft2(of))[..., ring].mean()

    assert amplitude(x, 0.02, 0.05) / amplitude(x, 0.2, 0.25) > 4
    assert amplitude(y, 0.02, 0.05) / amplitude(y, 0.2, 0.25) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("floor", [0.02, 0.2])
def test_a_floor_makes_it_invertible(height, width, floor):
    whiten = Whiten(floor=floor)
    assert whiten.invertible and not Whiten().invertible
    assert whiten.gains(height, width).min().item() == pytest.approx(floor)
    x = images(height, width)
    y, kept = whiten.apply(x)
    assert torch.allclose(whiten.undo(y, kept), x, atol=1e-12)
    y, kept = whiten.apply(x.float())
    assert torch.allclose(whiten.undo(y, kept), x.float(), atol=1e-5)


@pytest.mark.parametrize(("f0", "n"), [(0.5, 4.0), (0.3, 2.0), (0.9, 6.0), (5.0, 1.0)])
def test_peak_is_the_largest_gain(f0, n):
    found = minimize_scalar(lambda f: -R(f, f0, n), bounds=(0, math.sqrt(0.5)), method="bounded")
    assert Whiten(f0, n).peak == pytest.approx(-found.fun, rel=1e-4)
    # 4x4 to 64x64 spectra hold the corner, and come close to any peak inside.
    assert Whiten(f0, n).gains(64, 64).max().item() == pytest.approx(Whiten(f0, n).peak, rel=2e-3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Whiten(f0=0), r"Whiten\(f0=0.0\): expected a cut-off above 0"),
        (lambda: Whiten(f0=float("nan")), "f0=nan"),
        (lambda: Whiten(n=-1), r"Whiten\(n=-1.0\)"),
        (lambda: Whiten(layout="radia"), "unknown layout 'radia': did you mean radial"),
        (lambda: Whiten(layout="published", floor=0.1), "only the radial layout has a floor"),
        (lambda: Whiten(floor=-0.1), r"floor=-0.1\): expected"),
        (lambda: Whiten(floor=0.5), "peak, 0.275"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_without_a_floor_it_says_how_to_get_an_inverse():
    with pytest.raises(UserError, match=r"floor=0.0\) cannot be undone.*a floor above 0"):
        Whiten().undo(images(8, 8), {})
