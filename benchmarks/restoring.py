"""Do learnt codes denoise and inpaint faces better than filters without learning?

    python benchmarks/restoring.py RUN [RUN ...]      some minutes a run on one core

Denoising: noise with standard deviation sigma is added to preprocessed held-out faces, as in
`bascule evaluate RUN --sigma`. The result is the mean SSIM of the reconstruction with the clean
faces. The parameters of each method are chosen for each sigma on training faces, by SSIM with the
clean ones: the weight of total variation (Chambolle 2004), the strength of non-local means (Buades
et al. 2005), the factor of the thresholds for codes without feedback, and this factor and k_fb for
codes with feedback. Inpainting: the mean absolute error inside a hole in the middle, compared with
biharmonic inpainting (Damelin, Hoang 2018).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, inpaint_biharmonic
from torch import Tensor

from bascule.metrics.paired import pixel_error
from bascule.metrics.ssim import ssim
from bascule.runs.store import Store
from bascule.sdpc.abilities import PICTURES, inpainted
from bascule.sdpc.coder import AT_ONCE, Coder
from bascule.sdpc.load import coder_of
from bascule.sdpc.measure import noised
from bascule.sdpc.model import Network, infer

SIGMAS = (0.5, 1.0, 2.0)
CHOSEN_ON, JUDGED_ON = 16, 96
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # of TV, times sigma
STRENGTHS = (0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # h of non-local means, times sigma
PRICES = tuple(2 ** (i / 2) for i in range(10))  # 1 to 22, times the thresholds of the dictionaries
K_FB = (0.5, 1.0, 2.0, 4.0)
Rival = Callable[[Tensor, float], Tensor]  # noisy (N, 3, H, W), sigma -> clean


def each(y: Tensor, clean: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Apply ``clean``, a function of one image (H, W, 3), to all images of ``y``."""
    pictures = y.permute(0, 2, 3, 1).double().numpy()
    return torch.from_numpy(np.stack([clean(one) for one in pictures])).permute(0, 3, 1, 2).float()


def by_tv(weight: float) -> Rival:
    return lambda y, sigma: each(
        y, lambda one: denoise_tv_chambolle(one, weight * sigma, channel_axis=-1)
    )


def by_means(strength: float) -> Rival:
    def clean(y: Tensor, sigma: float) -> Tensor:
        def one(picture: np.ndarray) -> np.ndarray:
            return denoise_nl_means(
                picture, 5, 7, strength * sigma, fast_mode=False, sigma=sigma, channel_axis=-1
            )

        return each(y, one)

    return clean


def by_codes(coder: Coder, k_fb: float, price: float) -> Rival:
    net = coder.network
    layers = [replace(one, threshold=price * one.threshold) for one in net.layers]
    dearer = Network(layers, list(net.dictionaries), list(net.gains))
    how = coder.recipe.settle.replace(k_fb=k_fb)

    def clean(y: Tensor, sigma: float) -> Tensor:
        found = []
        for part in y.split(AT_ONCE):
            code = infer(dearer, part, how).maps[0]
            found.append(dearer.decode(code, 1, (y.shape[-2], y.shape[-1])))
        return torch.cat(found)

    return clean


def rivals(coder: Coder) -> dict[str, dict[str, Rival]]:
    """Kind -> parameters in words -> denoiser."""

    def codes(strengths: Sequence[float], prices: Sequence[float]) -> dict[str, Rival]:
        return {
            f"k_fb {k:g}, penalties x {price:.2g}": by_codes(coder, k, price)
            for k, price in product(strengths, prices)
        }

    return {
        "nothing": {"": lambda y, sigma: y},
        "total variation": {f"weight {w:g} sigma": by_tv(w) for w in WEIGHTS},
        "non-local means": {f"h {h:g} sigma": by_means(h) for h in STRENGTHS},
        "codes, no feedback": codes((0.0,), PRICES),
        "codes, feedback": codes(K_FB, PRICES[:5]),
    }


def noisy(y: Tensor, sigma: float) -> Tensor:
    """``y`` with the noise of `bascule evaluate --sigma`, added block by block."""
    parts = enumerate(y.split(AT_ONCE))
    return torch.cat([noised(part, sigma, 0, k * AT_ONCE) for k, part in parts])


def similar(a: Tensor, y: Tensor) -> float:
    return ssim(a, y, y.amax((1, 2, 3)) - y.amin((1, 2, 3))).mean().item()


def denoising(coder: Coder, train: Tensor, held_out: Tensor) -> Iterator[tuple[str, str, float]]:
    """(kind and sigma, chosen parameters, SSIM on held-out faces)."""
    every = rivals(coder)
    for sigma in SIGMAS:
        lesson, task = noisy(train, sigma), noisy(held_out, sigma)
        for kind, knobs in every.items():
            best = max(knobs, key=lambda k: similar(knobs[k](lesson, sigma), train))
            yield f"{kind}, sigma {sigma:g}", best, similar(knobs[best](task, sigma), held_out)


def completing(coder: Coder, pictures: np.ndarray) -> Iterator[tuple[str, str, float]]:
    """(kind, parameters, L1 in the hole)."""
    for k, layer in product((0.0, 4.0), (1, 2)):
        filled, before, cut = inpainted(coder, pictures, k, layer)
        truth = pictures[:, :, cut, cut]
        yield "hole, codes", f"k_fb {k:g}, layer {layer}", _error(filled[:, :, cut, cut], truth)
    yield "hole, colour around it", "", _error(before[:, :, cut, cut], truth)
    mask = np.zeros(pictures.shape[2:], bool)
    mask[cut, cut] = True
    smooth = np.stack(
        [inpaint_biharmonic(one.transpose(1, 2, 0), mask, channel_axis=-1) for one in pictures]
    ).transpose(0, 3, 1, 2)
    surface = np.rint(255 * smooth.clip(0, 1)).astype(np.uint8)
    yield "hole, biharmonic", "", _error(surface[:, :, cut, cut], truth)


def _error(a: np.ndarray, b: np.ndarray) -> float:
    return float(pixel_error(a, b).mean())


def told(coder: Coder) -> Sequence[tuple[str, str, float]]:
    images = coder.recipe.data.load()

    def prepared(kind: str, n: int) -> Tensor:
        pixels = np.array(images.pixels[images.indices(kind)[:n]])
        return coder.recipe.prepared(torch.from_numpy(pixels))[0]

    held_out = np.array(images.pixels[images.indices("held_out")[:PICTURES]])
    return [
        *denoising(coder, prepared("train", CHOSEN_ON), prepared("held_out", JUDGED_ON)),
        *completing(coder, held_out),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id or name of a run with codes")
    store = Store(Path(os.environ.get("BASCULE_RUNS", "runs")))
    for run in map(store.find, parser.parse_args().runs):
        print(f"\n{run.name}\n\n| what | knobs | value |\n|---|---|---|", flush=True)
        for what, knobs, value in told(coder_of(run)):
            print(f"| {what} | {knobs} | {value:.3f} |", flush=True)


if __name__ == "__main__":
    main()
