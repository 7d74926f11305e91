"""The truncation trick: latents from the middle of their distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from bascule.core.errors import UserError


def truncated(n: int, z_dim: int, threshold: float, rng: torch.Generator) -> Tensor:
    """Latents (n, z_dim) from N(0, I) truncated to [-threshold, threshold].

    The truncation trick of Brock et al. 2019, section 3.1: less variety for better images. Drawn by
    the inverse distribution function, which has the same distribution as rejection sampling.
    Raises :class:`UserError` if ``threshold`` is not > 0.
    """
    return _within(torch.rand(n, z_dim, generator=rng, dtype=torch.float64), threshold)


def nearer(z: Tensor, threshold: float) -> Tensor:
    """Latents ~ N(0, I) moved to that distribution, each number to that of the same quantile."""
    return _within(torch.special.ndtr(z.double()), threshold)


def _within(u: Tensor, threshold: float) -> Tensor:
    """The quantiles ``u``, float64 in [0, 1], of the truncated normal distribution."""
    check_threshold(threshold)
    most = torch.special.ndtr(torch.tensor(threshold, dtype=torch.float64))
    z: Tensor = torch.special.ndtri(1 - most + (2 * most - 1) * u)
    return z.clamp(-threshold, threshold).float()


def check_threshold(threshold: float) -> None:
    """Raise :class:`UserError` unless ``threshold`` is > 0."""
    if not threshold > 0:
        raise UserError(f"threshold={threshold:g}: expected a number > 0")
