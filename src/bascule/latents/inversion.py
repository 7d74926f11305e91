"""Inversion: the latent for which G draws a given image, found by gradient descent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

Draw = Callable[[Tensor], Tensor]


def distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of each pair of images, (B,), averaged over scales 1, 1/2, 1/4, 1/8.

    For shifted edges, coarse scales have a useful gradient where single pixels have none.
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
    begin: Draw = lambda z: z,
) -> tuple[Tensor, Tensor]:
    """(z, distance): the latents (N, z_dim) for which G draws ``pictures`` best.

    pictures  (N, 3, H, W) in [-1, 1]
    starts    random latents; each descent starts from the best of them
    steps     of Adam on :func:`distance` plus ``prior`` times the mean square of z; the best step
              is kept. The second term keeps z where G was trained: it is the negative log density
              of N(0, I), up to a constant and a factor.
    tell      ``(done, total)``, called after each step
    begin     from random latents (starts, z_dim) to the first points of a search in another space
              that G draws from, such as W; there, too, points should have mean 0 and variance 1
    """
    z = torch.randn(starts, z_dim, generator=rng).to(pictures.device)
    with torch.no_grad():
        tries = begin(z)
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
