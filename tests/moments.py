"""What the tests of rules share: images, moments, and a game that is small enough for a rule."""

import math

import torch
from torch import nn
from torch.nn.utils import skip_init

from bascule.core.context import Services, StepContext
from bascule.gan.game import Game

RNG = torch.Generator().manual_seed(0)
REAL, FAKE = torch.rand(2, 16, 3, 24, 24, generator=RNG).mul(2).sub(1).unbind()
BEFORE, FROM = (
    StepContext(0, 1, 100),
    StepContext(0, 2, 200),
)  # the rules of the tests act from epoch 2


def moment(
    step=200, epoch=2, memory=None, judge=None, pictures=None, owner="rule", **seen
) -> StepContext:
    """A moment at which ``owner`` asks; ``seen``: the scalars of the step before, as numbers."""
    scalars = {name: torch.tensor(float(value)) for name, value in seen.items()}
    services = Services({} if memory is None else memory, scalars, judge, pictures)
    return StepContext(0, epoch, step, services=services).owned_by(owner)


def linear_game() -> Game:
    """A G and a D of one linear layer each, and Adam with moments to lose."""

    def players(rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        pair = skip_init(nn.Linear, 2, 12), skip_init(nn.Linear, 12, 1)  # no global draws
        for net in pair:
            for weight in net.parameters():
                nn.init.normal_(weight, generator=rng)
        return pair

    G, D = players(torch.Generator().manual_seed(0))
    opt_G, opt_D = (torch.optim.Adam(net.parameters(), lr=1e-3) for net in (G, D))
    for net, optimizer in ((G, opt_G), (D, opt_D)):
        net(torch.ones(3, net.in_features)).sum().backward()
        optimizer.step()
    return Game(G, D, opt_G, opt_D, z_dim=2, device=torch.device("cpu"), fresh=players)


def is_normal(noise: torch.Tensor, sigma: float) -> bool:
    """Whether ``noise`` looks N(0, sigma): its moments lie within 5 standard errors."""
    x = noise.double() / sigma
    n = x.numel()
    return bool(
        abs(x.mean()) < 5 / math.sqrt(n)
        and abs(x.std() - 1) < 5 / math.sqrt(2 * n)
        and abs((x**4).mean() - 3) < 5 * math.sqrt(96 / n)
    )


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()
