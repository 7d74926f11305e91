"""Draws images with a rectified flow: integrates velocities from noise to an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Solver = Literal["euler", "heun"]
EVALUATIONS: dict[Solver, int] = {"euler": 1, "heun": 2}  # of the network, for one step
AT_ONCE = 32  # images, to bound the memory


def integrate(
    velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int, solver: Solver
) -> Tensor:
    """Solve dx/dt = velocity(x, t) from ``noise`` (B, ...) at t = 1 to t = 0, in equal steps.

    ``velocity`` takes x (B, ...) and t (B,). The error of Euler's method falls like 1/steps, that
    of Heun's like 1/steps².
    """
    x, step = noise, 1 / steps
    for k in range(steps, 0, -1):
        now, later = (x.new_full((x.shape[0],), at / steps) for at in (k, k - 1))
        v = velocity(x, now)
        if solver == "heun":
            v = (v + velocity(x - step * v, later)) / 2
        x = x - step * v
    return x


class Sampler(nn.Module):
    """Latents (N, 3 * size²) ~ N(0, I) -> images (N, 3, size, size) in [-1, 1], through ``net``."""

    def __init__(self, net: nn.Module, size: int, steps: int, solver: Solver) -> None:
        super().__init__()
        self.net, self.size, self.steps, self.solver = net, size, steps, solver

    def forward(self, z: Tensor) -> Tensor:
        noise = z.unflatten(1, (3, self.size, self.size))

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            v: Tensor = self.net(x, t)
            return v.float()

        whole = torch.compiler.is_compiling()  # an exported network takes any number of images
        each = [noise] if whole else noise.split(AT_ONCE)
        parts = [integrate(velocity, n, self.steps, self.solver) for n in each]
        return torch.cat(parts).clamp(-1, 1)
