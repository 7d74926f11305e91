"""The window against values computed by hand."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.window import Window


def test_five_pixels_by_hand():
    """u, v = -1, -1/2, 0, 1/2, 1, so the factors along an axis are 0, 1 - 2^-p, 1, 1 - 2^-p, 0."""
    for power in (1, 10):
        y, kept = Window(power).apply(torch.ones(1, 1, 5, 5, dtype=torch.float64))
        axis = np.array([0, 1 - 2.0**-power, 1, 1 - 2.0**-power, 0])
        np.testing.assert_allclose(y[0, 0].numpy(), np.outer(axis, axis), atol=1e-15)
        assert kept == {}


def test_height_and_width_have_fades_of_their_own():
    y, _ = Window(2).apply(torch.ones(1, 1, 3, 5))
    expected = torch.tensor([[0, 0, 0, 0, 0], [0, 0.75, 1, 0.75, 0], [0, 0, 0, 0, 0]])
    assert torch.allclose(y[0, 0], expected)


def test_it_multiplies_every_channel_alike():
    x = torch.rand(2, 3, 12, 17, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y, _ = Window().apply(x)
    mask, _ = Window().apply(torch.ones(1, 1, 12, 17))
    assert torch.allclose(y, x * mask)
    for border in (y[..., 0, :], y[..., -1, :], y[..., 0], y[..., -1]):
        assert border.abs().max() == 0


def test_a_larger_power_spares_more():
    """Its mean over the square is (p / (p + 1))^2, an integral."""
    x = torch.ones(1, 1, 400, 300)
    for power in (2, 10, 50):
        mean = Window(power).apply(x)[0].mean().item()
        assert mean == pytest.approx((power / (power + 1)) ** 2, abs=0.006)


def test_refusals():
    with pytest.raises(UserError, match=r"Window\(power=0\): expected"):
        Window(0)
    with pytest.raises(UserError, match=r"power=2\.5 in Window"):
        Window(2.5)
    assert not Window().invertible
    with pytest.raises(UserError, match=r"Window\(power=10\) cannot be undone: it sets the border"):
        Window().undo(torch.ones(1, 1, 4, 4), {})
