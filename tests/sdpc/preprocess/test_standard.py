"""z-scores against scipy's, there and back."""

import numpy as np
import pytest
import torch
from scipy import stats

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.standard import Standardise


def images(channels: int = 3, dtype=torch.float64) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(5, channels, 9, 12, generator=rng, dtype=dtype)
    return x * torch.tensor([0.1, 1, 2, 5, 50], dtype=dtype).view(5, 1, 1, 1) - 0.4


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_scipys_zscore_over_the_whole_image(channels):
    x = images(channels)
    y, kept = Standardise().apply(x)
    for i, image in enumerate(x.numpy()):
        np.testing.assert_allclose(y[i], stats.zscore(image, axis=None, ddof=1), atol=1e-12)
        assert kept["mean"][i].item() == pytest.approx(image.mean())
        assert kept["std"][i].item() == pytest.approx(image.std(ddof=1))
    assert kept["mean"].shape == kept["std"].shape == (5, 1, 1, 1)


def test_a_hand_computed_image():
    """Pixels 1, 2, 3, 6: mean 3, squares about it 4 + 1 + 0 + 9 over 3, deviation sqrt(14/3)."""
    x = torch.tensor([1.0, 2, 3, 6]).view(1, 1, 2, 2)
    y, _ = Standardise().apply(x)
    assert torch.allclose(y.flatten(), torch.tensor([-2.0, -1, 0, 3]) / (14 / 3) ** 0.5)


def test_it_comes_back():
    assert Standardise().invertible
    x = images(dtype=torch.float32)
    y, kept = Standardise().apply(x)
    assert torch.allclose(Standardise().undo(y, kept), x, rtol=1e-5, atol=1e-5)
    assert torch.allclose(Standardise().undo(0 * y, kept), kept["mean"].expand_as(x))


def test_a_constant_image_is_refused_by_its_place():
    x = images()
    x[3] = 0.1
    with pytest.raises(UserError, match=r"^image 3 is constant: its standard deviation is 0"):
        Standardise().apply(x)


def test_a_constant_image_is_refused_even_where_its_mean_is_rounded():
    levels = [torch.full((1, 3, 9, 12), level) for level in (0.1, 0.123, 1 / 3, 0.61, 0.9)]
    assert any(x.std(dim=(1, 2, 3)) > 0 for x in levels)
    for x in levels:
        with pytest.raises(UserError, match="image 0 is constant"):
            Standardise().apply(x)


def test_an_image_of_one_colour_has_a_z_score():
    """Its channels differ, so the image as a whole is not constant: -1, 0, 1 over its deviation."""
    x = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    y, _ = Standardise().apply(x)
    deviation = (32 / 47) ** 0.5
    assert torch.allclose(y[0, :, 0, 0], torch.tensor([-1.0, 0, 1]) / deviation)
