"""Walks from latent to latent. Latents are (z_dim,) or (N, z_dim), drawn from N(0, I)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Kind = Literal["slerp", "linear"]
KINDS = get_args(Kind)


def linear(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point at ``t`` in [0, 1] of the straight line; it comes nearer to 0 than its ends."""
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point at ``t`` in [0, 1] of the great arc, whose length stays that of its ends.

    White 2016 ("Sampling generative networks"), section 2.1: in many dimensions N(0, I) lives near
    a sphere, and the middle of a straight line does not. Where both point the same way or opposite
    ways there is no one arc, and it is the line.
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1)
    angle = cosine.acos().unsqueeze(-1)
    sine = angle.sin()
    arc = ((1 - t) * angle).sin() / sine * a + (t * angle).sin() / sine * b
    return torch.where(sine < 1e-4, linear(a, b, t), arc)


def walk(stops: Tensor, frames: int, kind: Kind = "slerp") -> Tensor:
    """Round trip through ``stops`` (K, z_dim): (K * frames, z_dim), ``frames`` from each stop on.

    It ends one frame before the first stop, so that a film of it runs round without a jolt.
    """
    between = slerp if kind == "slerp" else linear
    ends = stops.roll(-1, 0)
    steps = [between(stops, ends, k / frames) for k in range(frames)]
    return torch.stack(steps, 1).flatten(0, 1)
