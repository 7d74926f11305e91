"""One training step of a rectified flow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bascule.core.context import StepContext


def flow_loss(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, context: StepContext
) -> Tensor:
    """The squared error of the velocity from images x (B, 3, H, W) in [-1, 1] to noise; a scalar.

    E |velocity((1 - t) x + t n, t) - (n - x)|² per number, with n ~ N(0, I) (Liu et al. 2023,
    "Flow straight and fast", equation 1). One t for each image, sigmoid(N(0, 1)): times in the
    middle, where the prediction is hardest, are more frequent (Esser et al. 2024, equation 19).
    """
    t = torch.randn(len(x), generator=context.rng("t")).sigmoid().to(x.device)
    noise = torch.randn(x.shape, generator=context.device_rng("noise"), device=x.device)
    at = t[:, None, None, None]
    between = (1 - at) * x + at * noise
    return (velocity(between, t).float() - (noise - x)).square().mean()
