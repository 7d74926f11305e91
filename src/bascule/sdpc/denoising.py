"""Noise on pictures, and what is left of it in what their codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from bascule.core.context import generator
from bascule.data.batches import as_float, as_uint8
from bascule.metrics.ssim import ssim
from bascule.sdpc.coder import Coder, Progress, pass_of
from bascule.training.grid import grid


@dataclass(frozen=True)
class Denoised:
    """Pictures uint8 (N, 3, H, W): as ``given``, and by name what was made of them."""

    given: np.ndarray
    pictures: dict[str, np.ndarray]

    def ssim(self) -> dict[str, float]:
        """The mean SSIM of what was made with what was given."""
        clean = as_float(torch.from_numpy(self.given))
        return {
            name: ssim(as_float(torch.from_numpy(made)), clean, 2.0).mean().item()
            for name, made in self.pictures.items()
        }

    def sheet(self) -> Image.Image:
        """A row a picture: as given, then everything that was made of it."""
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
    """``pictures``, uint8 (N, 3, H, W), with Gaussian noise of deviation ``sigma`` in [-1, 1], cut
    to bytes as a camera would, and what the codes of each layer make of them at each ``k_fb``."""
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
