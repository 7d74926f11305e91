"""W of a G with styles: whitened coordinates, inversion, refusals."""

import pytest
import torch

from bascule.core.errors import UserError
from bascule.latents.inversion import invert
from bascule.latents.standing_statistics import use_standing_statistics
from bascule.latents.styles import Whitened, with_styles
from bascule.models.dcgan import DCGAN
from bascule.models.stylegan2 import StyleGAN2


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def G():
    G = StyleGAN2(base=64, most=4, z_dim=6, w_dim=5, size=32).players(seeded())[0]
    use_standing_statistics(G, [torch.randn(2000, 6, generator=seeded(1))])
    return G.eval().requires_grad_(False)


def test_whitened_points_have_mean_0_and_variance_1_and_draw_the_same(G):
    space, z = Whitened(G), torch.randn(4000, 6, generator=seeded(2))
    v = space.of(z)
    assert v.mean(0).abs().max() < 0.1 and (v.var(0) - 1).abs().max() < 0.15
    assert torch.allclose(space.w(v), G.w_of(z), atol=1e-5)
    assert torch.allclose(space.draw(v[:3]), G(z[:3]), atol=1e-4)


def test_inversion_in_w_begins_from_its_points_and_gets_nearer(G):
    space = Whitened(G)
    pictures = G(torch.randn(2, 6, generator=seeded(3)))
    first = invert(space.draw, pictures, 6, seeded(4), steps=0, starts=20, begin=space.of)
    later = invert(space.draw, pictures, 6, seeded(4), steps=40, starts=20, begin=space.of)
    assert first[0].shape == (2, 5)
    points = space.of(torch.randn(20, 6, generator=seeded(4)))
    assert all((points - v).abs().sum(1).min() < 1e-4 for v in first[0])
    assert (later[1] < first[1]).all()


def test_a_g_without_styles_is_refused():
    G, _ = DCGAN(width=2, z_dim=4, size=32).players(seeded())
    with pytest.raises(UserError, match="the G of mine draws from z directly and has no W"):
        with_styles(G, "mine")
