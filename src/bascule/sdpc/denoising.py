"""Denoising: images with noise, encoded and decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from bascule.core.context import generator
from bascule.data.batches import as_float, as_uint8
from bascule.data.grid import grid
from bascule.data.images import Progress
from bascule.metrics.ssim import ssim
from bascule.sdpc.coder import Coder, pass_of


@dataclass(frozen=True)
class Denoised:
    """Images uint8 (N, 3, H, W): ``given``, and the noisy and denoised ones by name."""

    given: np.ndarray
    pictures: dict[str, np.ndarray]

    def ssim(self) -> dict[str, float]:
        """Name -> mean SSIM with the given images."""
        clean = as_float(torch.from_numpy(self.given))
        return {
            name: ssim(as_float(torch.from_numpy(made)), clean, 2.0).mean().item()
            for name, made in self.pictures.items()
        }

    def sheet(self) -> Image.Image:
        """One row per image: the given one, then all others."""
        columns = [self.given, *self.pictures.values()]
        return grid(
            torch.from_numpy(np.stack(columns, 1).reshape(-1, *self.given.shape[1:])), len(columns)
        )


def denoised(
    coder: Coder,
    pictures: np.ndarray,
    sigma: float,
    k_fb: Sequence[float],
    seed: int = 0,
    tell: Progress | None = None,
) -> Denoised:
    """Add noise to ``pictures``, uint8 (N, 3, H, W), and denoise them with each layer and ``k_fb``.

    The noise is Gaussian with standard deviation ``sigma``, on the scale [-1, 1]. The noisy images
    are clipped and rounded to bytes, as in a camera.
    """
    pictures = np.array(pictures)
    noisy = pictures
    made: dict[str, np.ndarray] = {}
    if sigma:
        x = as_float(torch.from_numpy(pictures))
        noise = torch.randn(x.shape, generator=generator("noise to take away", seed))
        noisy = as_uint8(x + sigma * noise).numpy()
        made["noisy"] = noisy
    for place, k in enumerate(k_fb):
        how = coder.recipe.settle.replace(k_fb=float(k))
        coded = coder.encode(noisy, how, pass_of(tell, place, len(k_fb)))
        for layer in range(1, len(coder.network.layers) + 1):
            made[f"layer{layer}-kfb{k:g}"] = coder.decode(coded, layer)
    return Denoised(pictures, made)
