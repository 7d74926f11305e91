"""Padding and resampling by hand and by PyTorch's own, in the form of either device."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.models.resampling import (
    Down,
    Mirrored,
    MirroredConv2d,
    Up,
    _lowered,
    _mirrored,
    _raised,
    mirrored,
)
from counting import seeded

UPS, DOWNS = [Up(), _raised], [Down(), _lowered]  # of the CPU, and of CUDA


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def filtered(line: list[float], up: bool) -> list[float]:
    """One line by an explicit loop, edges repeated: [1, 3, 3, 1] / 8 at every second place, or
    [1, 3, 3, 1] / 4 over the line with zeros between its values."""
    kernel = [1, 3, 3, 1]
    padded = [line[0], *line, line[-1]]
    if not up:
        starts = range(0, len(line), 2)
        return [sum(k * padded[s + i] for i, k in enumerate(kernel)) / 8 for s in starts]
    spread = [v for value in padded for v in (value, 0.0)]
    starts = range(2 * len(line))
    return [sum(k * spread[s + i] for i, k in enumerate(kernel)) / 4 for s in starts]


@pytest.mark.parametrize("resample", [*UPS, *DOWNS])
def test_resampling_is_the_filter_1_3_3_1(resample):
    x, up = normal(2, 3, 6, 8), resample in UPS
    out = resample(x)
    for image, done in zip(x.flatten(0, 1), out.flatten(0, 1), strict=True):
        rows = torch.tensor([filtered(row, up) for row in image.tolist()])
        both = torch.tensor([filtered(column, up) for column in rows.T.tolist()]).T
        assert torch.allclose(done, both, atol=1e-6)


@pytest.mark.parametrize(("up", "down"), [*zip(UPS, DOWNS, strict=True)])
def test_down_is_the_transpose_of_up_and_flat_pictures_stay_flat(up, down):
    small, large = normal(2, 3, 4, 4).double(), normal(2, 3, 8, 8, seed=2).double()
    assert torch.allclose((up(small) * large).sum(), 4 * (small * down(large)).sum())
    flat = torch.full((1, 2, 8, 8), 0.7, dtype=torch.float64)
    assert torch.allclose(up(flat), flat[:, :, :1, :1])
    assert torch.allclose(down(flat), flat[:, :, :1, :1])


@pytest.mark.parametrize("resample", [*UPS, *DOWNS, lambda x: _mirrored(x, 2)])
def test_resampling_can_be_differentiated_twice(resample):
    x = normal(1, 2, 4, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(resample, x)
    assert torch.autograd.gradgradcheck(resample, x)


@pytest.mark.parametrize("margin", [1, 3])
def test_mirrored_is_reflection(margin):
    x = normal(2, 3, 5, 7)
    expected = F.pad(x, (margin,) * 4, "reflect")
    for made in (mirrored(x, margin), _mirrored(x, margin), Mirrored(margin)(x)):
        assert torch.equal(made, expected)


def test_a_convolution_on_mirrored_edges_is_that_of_pytorch():
    layer = MirroredConv2d(3, 4, 5)
    plain = torch.nn.Conv2d(3, 4, 5, padding=2, padding_mode="reflect")
    plain.load_state_dict(layer.state_dict())
    x = normal(2, 3, 6, 8)
    assert torch.equal(layer(x), plain(x))
