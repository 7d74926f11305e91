"""Standing statistics: BatchNorm statistics for drawing, computed for the present G."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def use_standing_statistics(G: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the BatchNorm statistics of G to their mean over ``batches`` of latents (B, z_dim).

    These are the standing statistics of Brock et al. 2019, section 3.1. Those from training are
    moving averages over earlier weights and small batches. Nothing else in G changes.
    """
    norms = [m for m in G.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    was_training = G.training
    G.eval()  # spectral normalisation must not change
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches have equal weight
        norm.train()
    try:
        with torch.no_grad():
            for z in batches:
                G(z)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        G.train(was_training)
