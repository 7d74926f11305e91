"""Statistics for drawing that are G's own, not an average over its past."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def use_standing_statistics(G: nn.Module, batches: Iterable[Tensor]) -> None:
    """BatchNorm statistics of G become their mean over forward passes of ``batches`` of latents.

    Standing statistics (Brock et al. 2019, section 3.1): those that training leaves behind are of
    a G that was still moving, and of small batches. Nothing else in G changes.
    """
    norms = [m for m in G.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    was_training = G.training
    G.eval()  # spectral normalisation must not move
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # every batch counts alike
        norm.train()
    try:
        with torch.no_grad():
            for z in batches:
                G(z)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        G.train(was_training)
