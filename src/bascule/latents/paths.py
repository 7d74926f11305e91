"""Interpolation between latents, which are (z_dim,) or (N, z_dim), drawn from N(0, I)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Kind = Literal["slerp", "linear"]
KINDS = get_args(Kind)


def linear(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Linear interpolation, t in [0, 1]; between its ends the norm is smaller."""
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation along the great arc, t in [0, 1]; it keeps the norm of its ends.

    White 2016 ("Sampling generative networks"), section 2.1: in many dimensions, samples of N(0, I)
    lie near a sphere, but the middle of a straight line does not. Where a and b have the same or
    opposite directions, the arc is not unique and the result is linear.
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1)
    angle = cosine.acos().unsqueeze(-1)
    sine = angle.sin()
    arc = ((1 - t) * angle).sin() / sine * a + (t * angle).sin() / sine * b
    return torch.where(sine < 1e-4, linear(a, b, t), arc)


def walk(stops: Tensor, frames: int, kind: Kind = "slerp") -> Tensor:
    """A closed walk through ``stops`` (K, z_dim): (K * frames, z_dim), ``frames`` per stop.

    It ends one frame before the first stop, so a film of it can repeat without a jump.
    """
    between = slerp if kind == "slerp" else linear
    ends = stops.roll(-1, 0)
    steps = [between(stops, ends, k / frames) for k in range(frames)]
    return torch.stack(steps, 1).flatten(0, 1)
