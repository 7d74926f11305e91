"""Inversion: a picture that G drew is found again; what it cannot draw stays far."""

import pytest
import torch

from bascule.latents.inversion import distance, invert
from bascule.models.dcgan import DCGAN


@pytest.fixture(scope="module")
def G():
    """An untrained G with livelier weights, so that latents matter."""
    net, _ = DCGAN(width=4, z_dim=4, size=32).players(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(5)
    return net.eval()


def test_distance_by_hand():
    """A difference of one everywhere is 1 at each scale; one of mean 0 only where it is seen."""
    x = torch.zeros(1, 3, 16, 16)
    assert distance(x + 1, x).tolist() == [1.0]
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert distance(x + board, x).tolist() == [0.25]


def test_what_G_drew_is_found_again(G):
    z = torch.randn(3, 4, generator=torch.Generator().manual_seed(5))
    told = []
    with torch.no_grad():
        pictures = G(z)
    found, far = invert(
        G, pictures, 4, torch.Generator().manual_seed(1), 150, 100, tell=lambda *x: told.append(x)
    )
    assert told[-1] == (150, 150)
    with torch.no_grad():
        torch.testing.assert_close(distance(G(found), pictures), far, rtol=1e-4, atol=1e-7)
        spread = distance(pictures, pictures.roll(1, 0))
    assert (far < spread / 20).all()


def test_the_result_depends_on_its_generator_alone_and_never_gets_worse(G):
    pictures = torch.zeros(2, 3, 32, 32)
    rngs = [torch.Generator().manual_seed(1) for _ in range(3)]
    few, more, again = (
        invert(G, pictures, 4, rng, steps, 50)[1]
        for rng, steps in zip(rngs, (0, 30, 30), strict=True)
    )
    assert torch.equal(more, again) and (more <= few).all()
