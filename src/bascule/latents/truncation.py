"""Fewer surprises: latents from the middle of their law."""

from __future__ import annotations

import torch
from torch import Tensor

from bascule.core.errors import UserError


def truncated(n: int, z_dim: int, threshold: float, rng: torch.Generator) -> Tensor:
    """(n, z_dim) of N(0, 1), every number within ``threshold`` of 0.

    The truncation trick of Brock et al. 2019, section 3.1: less variety for better pictures. Drawn
    by the inverse distribution function, which is in law what drawing again until it fits is.
    """
    if not threshold > 0:
        raise UserError(f"threshold={threshold:g}: expected a number > 0")
    most = torch.special.ndtr(torch.tensor(threshold, dtype=torch.float64))
    u = torch.rand(n, z_dim, generator=rng, dtype=torch.float64)
    z: Tensor = torch.special.ndtri(1 - most + (2 * most - 1) * u)
    return z.clamp(-threshold, threshold).float()
