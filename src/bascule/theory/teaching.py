"""D alone: it learns to tell two laws from which it is shown fresh draws."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.gan.objectives import loss_D

Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]  # a batch of reals, a batch of fakes
Loss = Callable[[Tensor, Tensor], Tensor]


def teach(
    D: nn.Module, draw: Draw, steps: int, address: object, lr: float = 0.02, loss: Loss = loss_D
) -> nn.Module:
    """``D`` after ``steps`` of Adam on fresh batches, in place; the rate falls linearly to 0.

    No image is shown twice, so what D reaches is what it can do, not what it remembers.
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
    """Share of right answers, reals and fakes counted alike; a logit of 0 is half right."""
    right = ((logit_real.sign() + 1) / 2).mean() + ((1 - logit_fake.sign()) / 2).mean()
    return float(right / 2)
