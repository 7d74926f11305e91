"""Train a D alone to distinguish two distributions, on fresh samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.gan.objectives import loss_D

# Returns a batch of reals and a batch of fakes
Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]


def teach(
    D: nn.Module, draw: Draw, steps: int, address: object, lr: float = 0.02, loss: Loss = loss_D
) -> nn.Module:
    """Train ``D`` in place for ``steps`` of Adam; the learning rate falls linearly to 0.

    Every batch is a fresh sample, so D cannot memorise.
    """
    optimizer = torch.optim.Adam(D.parameters(), lr)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        real, fake = draw(generator("teach", address, step))
        optimizer.zero_grad()
        loss(D(real), D(fake)).backward()
        optimizer.step()
    return D


@torch.no_grad()
def accuracy(logit_real: Tensor, logit_fake: Tensor) -> float:
    """The share of correct answers, mean over reals and fakes; a logit of 0 counts half."""
    right = ((logit_real.sign() + 1) / 2).mean() + ((1 - logit_fake.sign()) / 2).mean()
    return float(right / 2)
