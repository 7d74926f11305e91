"""What spoils a picture: slight faults that leave it a face, and impostors that do not."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from bascule.attributes.damage import IMPOSTORS, average, blurred, halves, imperfect, shuffled


def faces(n: int = 4, size: int = 32) -> Tensor:
    """Smooth pictures within [-0.7, 0.7], each another."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand((n, 3, 4, 4), generator=rng) * 1.4 - 0.7
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_blur_is_torchvisions_with_a_width_of_its_own_for_each_image() -> None:
    x = torch.rand((2, 3, 24, 24), generator=rng()) * 2 - 1
    found = blurred(x, torch.tensor([0.7, 1.0]))
    for image, once, sigma in zip(x, found, (0.7, 1.0), strict=True):
        inner = (slice(None), slice(4, -4), slice(4, -4))  # torchvision reflects at the border
        expected = gaussian_blur(image, [7, 7], [sigma] * 2)
        assert torch.allclose(once[inner], expected[inner], atol=1e-6)
    assert torch.allclose(blurred(x, torch.zeros(2)), x)


def test_slight_faults_are_slight_and_a_function_of_the_generator() -> None:
    x = faces(64)
    once, again = imperfect(x, rng(1)), imperfect(x, rng(1))
    assert torch.equal(once, again) and not torch.equal(once, imperfect(x, rng(2)))
    assert once.shape == x.shape and once.abs().max() <= 1
    straight = (once - x).square().mean((1, 2, 3)).sqrt()
    mirrored = (once - x.flip(-1)).square().mean((1, 2, 3)).sqrt()
    nearer = torch.minimum(straight, mirrored)
    assert nearer.mean() > 0.01 and nearer.max() < 0.25
    assert 16 < (mirrored < straight).sum() < 48  # half of them mirrored


def test_each_image_has_faults_of_its_own() -> None:
    apart = imperfect(faces(1).expand(8, -1, -1, -1), rng()).flatten(1)
    assert (torch.cdist(apart, apart) + torch.eye(8)).min() > 0.1


def test_average_and_halves_are_of_neighbours() -> None:
    x = torch.arange(3.0)[:, None, None, None].expand(3, 3, 8, 8)
    assert average(x, rng())[:, 0, 0, 0].tolist() == [1.0, 0.5, 1.5]
    assert halves(x, rng())[1, 0, 0].tolist() == [1.0] * 4 + [0.0] * 4


def test_shuffled_tiles_are_the_same_tiles_elsewhere() -> None:
    x = torch.arange(64.0).view(1, 1, 8, 8).expand(2, 3, 8, 8)
    found = shuffled(x, rng())
    assert not torch.equal(found, x)
    assert torch.equal(found[0, 0].flatten().sort().values, torch.arange(64.0))
    tiles = found[0, 0].unfold(0, 2, 2).unfold(1, 2, 2)
    assert (tiles[..., 0, 1] - tiles[..., 0, 0]).eq(1).all()  # each still one piece


@pytest.mark.parametrize("size", [8, 20, 33])
def test_every_impostor_keeps_shape_and_range_and_is_no_copy(size: int) -> None:
    x = faces(6, size)
    for kind, changed in {**IMPOSTORS, "imperfect": imperfect}.items():
        found = changed(x, rng())
        assert found.shape == x.shape and found.abs().max() <= 1, kind
        assert (found - x).abs().mean() > 0.01, kind
