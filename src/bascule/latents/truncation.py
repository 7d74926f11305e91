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
    if not threshold > 0:
        raise UserError(f"threshold={threshold:g}: expected a number > 0")
    most = torch.special.ndtr(torch.tensor(threshold, dtype=torch.float64))
    u = torch.rand(n, z_dim, generator=rng, dtype=torch.float64)
    z: Tensor = torch.special.ndtri(1 - most + (2 * most - 1) * u)
    return z.clamp(-threshold, threshold).float()
