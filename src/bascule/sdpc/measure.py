"""Measure a network on images that it was not trained on: costs, sparsity and denoising.

All measurements are on preprocessed images y, the input of the network, as in Boutin et al. 2021.
Their standard deviation is 1 if the recipe standardises them. Noise with standard deviation sigma
is added to y, and the reconstruction of each layer is compared with the clean y.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, nan

import numpy as np
import torch
from torch import Tensor

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.data.images import Progress
from bascule.metrics.metric import Measured
from bascule.metrics.ssim import ssim
from bascule.sdpc.coder import AT_ONCE, Coder
from bascule.sdpc.model import Inference, energies, infer

OWN = "own k_fb"  # in labels: inference as in training
K_FB = (0.0, 1.0, 2.0, 3.0, 4.0)
SIGMAS = (0.0, 0.5, 1.0, 2.0)


def way(k_fb: float, sigma: float | None = None) -> str:
    """The text in the brackets of a label: "k_fb=1", or "k_fb=1,sigma=0.5"."""
    return f"k_fb={k_fb:g}" + ("" if sigma is None else f",sigma={sigma:g}")


def measure_coding(
    coder: Coder,
    pictures: np.ndarray,
    k_fb: Sequence[float] = K_FB,
    sigmas: Sequence[float] = SIGMAS,
    seed: int = 0,
    tell: Progress | None = None,
) -> dict[str, Measured]:
    """Measurements by label, each the mean over ``pictures``, uint8 (N, 3, H, W).

    Without noise, with inference as in training and at each ``k_fb``: ``cost``, ``error of layer
    i``, ``active of layer i`` and ``iterations`` (see :func:`bascule.sdpc.step.sdpc_step`). For
    each ``k_fb`` and each sigma: ``SSIM of layer i``; its floor is the SSIM of the noisy image. The
    noise of an image depends only on ``seed``, the image's index and sigma.
    """
    for sigma in sigmas:
        if not 0 <= sigma < inf:
            raise UserError(f"sigma={sigma:g}: expected a number >= 0")
    ways = {OWN: coder.recipe.settle}
    ways |= {way(k): coder.recipe.settle.replace(k_fb=float(k)) for k in k_fb}
    steps = len(ways) + len(k_fb) * len(sigmas)
    found: dict[str, list[Tensor]] = {}
    floors: dict[str, list[Tensor]] = {}

    def keep(into: dict[str, list[Tensor]], label: str, values: Tensor) -> None:
        into.setdefault(label, []).append(values.double().cpu())

    blocks = range(0, len(pictures), AT_ONCE)
    for block, start in enumerate(blocks):
        pixels = torch.from_numpy(np.array(pictures[start : start + AT_ONCE]))
        y, _ = coder.recipe.prepared(pixels.to(coder.recipe.device))
        done = block * steps
        for told, how in ways.items():
            for name, values in _settled(coder, y, how):
                keep(found, f"{name}[{told}]", values)
            done += 1
            if tell:
                tell(done, steps * len(blocks))
        span = y.amax((1, 2, 3)) - y.amin((1, 2, 3))
        for sigma in sigmas:
            noisy = noised(y, sigma, seed, start)
            itself = ssim(noisy, y, span)
            for k in k_fb:
                codes = infer(coder.network, noisy, coder.recipe.settle.replace(k_fb=float(k)))
                for layer, g in enumerate(codes.maps, 1):
                    again = coder.network.decode(g, layer, (y.shape[-2], y.shape[-1]))
                    label = f"SSIM of layer {layer}[{way(k, sigma)}]"
                    keep(found, label, ssim(again, y, span))
                    keep(floors, label, itself)
                done += 1
                if tell:
                    tell(done, steps * len(blocks))
    return {label: _measured(values, floors.get(label)) for label, values in found.items()}


def noised(y: Tensor, sigma: float, seed: int, start: int) -> Tensor:
    """Images (B, C, H, W), the first with index ``start``, plus noise of deviation ``sigma``."""
    rng = generator("coding noise", seed, start, sigma)
    return y + sigma * torch.randn(y.shape, generator=rng).to(y)


def _settled(coder: Coder, y: Tensor, how: Inference) -> Iterator[tuple[str, Tensor]]:
    codes = infer(coder.network, y, how)
    parts = energies(coder.network, y, codes.maps, how)
    yield "cost", parts[..., [0, 2]].sum((1, 2))
    yield "iterations", codes.iterations
    for i, g in enumerate(codes.maps):
        yield f"error of layer {i + 1}", parts[:, i, 0]
        yield f"active of layer {i + 1}", (g > 0).double().mean((1, 2, 3))


def _measured(values: list[Tensor], floors: list[Tensor] | None) -> Measured:
    """Mean and standard error over images."""
    (value, se), n = _mean(values), len(torch.cat(values))
    floor, floor_se = _mean(floors) if floors else (nan, nan)
    return Measured(value, floor, se, floor_se, n, n, n)


def _mean(values: list[Tensor]) -> tuple[float, float]:
    every = torch.cat(values)
    n = len(every)
    return every.mean().item(), (every.std() / n**0.5).item() if n > 1 else nan
