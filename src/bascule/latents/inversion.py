"""Which latent draws a given picture? Found by descent, since G has no inverse."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

Draw = Callable[[Tensor], Tensor]


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of each pair of images, (B,), averaged over scales 1, 1/2, 1/4, 1/8.

    Coarse scales pull where pixels of a shifted edge would cancel.
    """
    scales = []
    for _ in range(4):
        scales.append((x - y).square().mean((1, 2, 3)))
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return torch.stack(scales).mean(0)


def invert(
    G: Draw,
    pictures: Tensor,
    z_dim: int,
    rng: torch.Generator,
    steps: int = 300,
    starts: int = 500,
    lr: float = 0.05,
    prior: float = 1e-3,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Tensor, Tensor]:
    """(z, distance) of the latents (N, z_dim) that draw ``pictures`` (N, 3, H, W) best, in [-1, 1].

    From the best of ``starts`` random latents, ``steps`` of Adam on :func:`distance` plus
    ``prior`` times the mean square of z, which keeps it where G has learnt to draw (the negative
    log of N(0, I), but for a constant). Of every descent its best step is kept.
    """
    tries = torch.randn(starts, z_dim, generator=rng).to(pictures.device)
    with torch.no_grad():
        drawn = torch.cat([G(part) for part in tries.split(100)])
        z = torch.stack([tries[distance(drawn, one.expand_as(drawn)).argmin()] for one in pictures])
    z.requires_grad_()
    optimizer = torch.optim.Adam([z], lr)
    best, least = z.detach().clone(), torch.full((len(z),), torch.inf, device=z.device)
    for step in range(steps + 1):
        found = distance(G(z), pictures)
        better = found.detach() < least
        best[better], least[better] = z.detach()[better], found.detach()[better]
        optimizer.zero_grad()
        (found + prior * z.square().mean(1)).sum().backward()
        optimizer.step()
        tell(step, steps)
    return best, least
