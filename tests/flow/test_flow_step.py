"""The loss of a rectified flow and its gradient against a plain loop over images."""

import pytest
import torch

from bascule.core.context import StepContext
from bascule.flow.model import UNet
from bascule.flow.step import flow_loss
from counting import seeded

NOW = StepContext(seed=3, epoch=0, step=5)


def test_loss_and_gradients_are_those_of_a_plain_loop():
    net = UNet((8, 16), blocks=1, size=32).network(seeded())
    torch.nn.init.normal_(net.last.weight, std=0.1, generator=seeded(1))
    x = torch.rand(6, 3, 32, 32, generator=seeded(2)) * 2 - 1
    loss = flow_loss(net, x, NOW)
    ours = torch.autograd.grad(loss, list(net.parameters()))

    u = torch.randn(6, generator=NOW.rng("t"))
    noise = torch.randn(x.shape, generator=NOW.rng("noise"))
    plain = torch.zeros(())
    for image, n, a in zip(x, noise, u, strict=True):
        t = 1 / (1 + (-a).exp())
        seen = image + t * (n - image)
        velocity = net(seen[None], t[None])[0]
        plain = plain + ((velocity - (n - image)) ** 2).sum() / x.numel()
    theirs = torch.autograd.grad(plain, list(net.parameters()))
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_network_that_knows_the_image_pays_nothing():
    x = torch.zeros(4, 3, 8, 8)  # then the noise is what is seen, over t
    assert flow_loss(lambda seen, t: seen / t[:, None, None, None], x, NOW).item() < 1e-10


def test_the_best_constant_pays_the_variance():
    x = torch.zeros(64, 3, 16, 16)
    assert flow_loss(lambda seen, t: 0 * seen, x, NOW).item() == pytest.approx(1, rel=0.02)
