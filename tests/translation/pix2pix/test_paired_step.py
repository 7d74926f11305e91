"""pix2pix's step against its equations."""

import copy

import pytest
import torch

from bascule.core.context import generator
from bascule.translation.pix2pix.model import Pix2Pix
from bascule.translation.pix2pix.step import PairedRules, Pairs, paired_step


@pytest.mark.parametrize("net", ["resnet", "unet"])
def test_a_step_is_the_equations(net):
    model = Pix2Pix(4, 1, 32, net=net, width_D=4, halvings=2)
    G, D = model.players(generator("nets"))
    opt_G, opt_D = (torch.optim.SGD(each.parameters(), 0.1) for each in (G, D))
    played = Pairs(G, D, opt_G, opt_D, torch.device("cpu"))
    g = copy.deepcopy(played)
    a, b = (torch.rand(2, 3, 32, 32, generator=generator(s)) * 2 - 1 for s in "ab")
    made = g.G(a)
    real, fake = g.D(torch.cat([a, b], 1)), g.D(torch.cat([a, made.detach()], 1))
    softplus = torch.nn.functional.softplus
    loss_D = (softplus(-real).mean() + softplus(fake).mean()) / 2
    slopes = torch.autograd.grad(loss_D, list(g.D.parameters()))
    with torch.no_grad():
        for weight, slope in zip(g.D.parameters(), slopes, strict=True):
            weight -= 0.1 * slope
    loss_G = softplus(-g.D(torch.cat([a, made], 1))).mean()
    pixels = (made - b).abs().mean()
    of_G = torch.autograd.grad(loss_G + 7 * pixels, list(g.G.parameters()))
    before = [p.detach().clone() for p in played.G.parameters()]

    found = paired_step(played, a, b, PairedRules("non-saturating", pixels=7.0))
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {"loss_D": loss_D.item(), "loss_G": loss_G.item(), "pixels": pixels.item()}, rel=1e-5
    )
    for new, old, slope in zip(played.G.parameters(), before, of_G, strict=True):
        assert torch.allclose(old - new, 0.1 * slope, atol=1e-5)


def test_the_published_unet_has_its_published_size():
    with torch.device("meta"):
        G, _ = Pix2Pix().players(torch.Generator("cpu"))
    assert sum(p.numel() for p in G.parameters()) == 54_413_955
