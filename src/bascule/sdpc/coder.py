"""Fit, encode, decode and denoise images with a network of sparse deep predictive coding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.data.batches import as_uint8
from bascule.data.images import Progress
from bascule.sdpc.model import Codes, Inference, Network, infer
from bascule.sdpc.preprocess.chain import Kept
from bascule.sdpc.recipe import SDPCRecipe, SDPCTrainer
from bascule.training.hardware import resolve_auto
from bascule.training.loop import Callback, train
from bascule.training.state import State, begin

AT_ONCE = 32  # images per batch of inference


@dataclass(frozen=True)
class Coded:
    """Codes of images, and what preprocessing kept to undo it: see ``sdpc/preprocess/chain.py``."""

    codes: Codes
    kept: tuple[Kept, ...]


class Coder:
    """A network that is fitted to images, and then encodes, decodes or denoises images.

    Images are uint8 RGB arrays (N, 3, H, W), H = W = the size of the recipe. Outputs have the same
    form; they are grey if the recipe's space is grey.

    >>> coder = Coder(SDPCRecipe(epochs=5)).fit(pictures)
    >>> coded = coder.encode(others)
    >>> again = coder.decode(coded, layer=2)
    >>> clean = coder.denoise(noisy, layer=1, how=coder.recipe.settle.replace(k_fb=4.0))
    """

    def __init__(self, recipe: SDPCRecipe, state: State | None = None) -> None:
        """``state``: a trained state; None: not fitted yet."""
        self.recipe = resolve_auto(recipe)
        self.state = state

    @property
    def network(self) -> Network:
        if self.state is None:
            raise UserError("this coder is not fitted yet: call fit(pictures) first")
        return cast(SDPCTrainer, self.state.trainer).network

    def fit(self, pictures: np.ndarray, callbacks: tuple[Callback, ...] = ()) -> Self:
        """Learn dictionaries from ``pictures``, for the recipe's epochs and with its seed."""
        pixels = self._pixels(pictures)
        if len(pixels) < self.recipe.batch:
            raise UserError(
                f"{len(pixels)} pictures are fewer than one batch of {self.recipe.batch}: "
                "give more, or a recipe with a smaller batch"
            )
        self.state = begin(self.recipe)
        train(self.state, pixels, callbacks)
        return self

    def encode(
        self,
        pictures: np.ndarray,
        how: Inference | None = None,
        tell: Progress | None = None,
        start: Coded | None = None,
    ) -> Coded:
        """The codes of ``pictures``, inferred with the recipe's settings, or with ``how``.

        ``start``: codes of similar images, from which inference converges faster than from 0.
        """
        maps, iterations, settled, kept = [], [], [], []
        pixels = self._pixels(pictures)
        for part in parts(len(pixels), tell):
            x, left = self.recipe.prepared(pixels[part].to(self.recipe.device))
            near = None if start is None else [g[part] for g in start.codes.maps]
            codes = infer(self.network, x, how or self.recipe.settle, near)
            maps.append(codes.maps)
            iterations.append(codes.iterations)
            settled.append(codes.settled)
            kept.append(left)
        joined = tuple(torch.cat(one) for one in zip(*maps, strict=True))
        return Coded(
            Codes(joined, torch.cat(iterations), torch.cat(settled)),
            tuple(
                {name: torch.cat([step[name] for step in steps]) for name in steps[0]}
                for steps in zip(*kept, strict=True)
            ),
        )

    def decode(self, coded: Coded, layer: int = 1) -> np.ndarray:
        """The images decoded from the codes of ``layer``, counted from 1.

        Raises :class:`UserError` if the recipe's preprocessing cannot be undone.
        """
        n = len(self.network.layers)
        if not 1 <= layer <= n:
            raise UserError(f"layer={layer}: expected 1 to {n}")
        size = (self.recipe.data.size, self.recipe.data.size)
        found = []
        for part in parts(len(coded.codes.iterations)):
            x = self.network.decode(coded.codes.maps[layer - 1][part], layer, size)
            kept = tuple({name: v[part] for name, v in step.items()} for step in coded.kept)
            found.append(as_uint8(self.recipe.restored(x, kept)).expand(-1, 3, -1, -1).cpu())
        return torch.cat(found).numpy()

    def denoise(
        self,
        pictures: np.ndarray,
        layer: int = 1,
        how: Inference | None = None,
        tell: Progress | None = None,
    ) -> np.ndarray:
        """Noisy ``pictures``, encoded and decoded. Sparse codes do not represent most of the noise.

        With stronger feedback (``how.k_fb``), the prediction of the layers above counts more, and
        the image less.
        """
        return self.decode(self.encode(pictures, how, tell), layer)

    def _pixels(self, pictures: np.ndarray) -> Tensor:
        size = self.recipe.data.size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (3, size, size):
            raise UserError(
                f"pictures are {pictures.dtype} {pictures.shape}: expected uint8 "
                f"(N, 3, {size}, {size})"
            )
        # Copies a read-only memory map
        return torch.from_numpy(np.require(pictures, requirements="W"))


def pass_of(tell: Progress | None, place: int, passes: int) -> Progress | None:
    """Progress over all ``passes`` over the same images, for pass ``place``, counted from 0."""
    return tell and (lambda done, of: tell(place * of + done, passes * of))


def parts(n: int, tell: Progress | None = None) -> Iterator[slice]:
    """Slices of ``n`` images into batches."""
    for start in range(0, n, AT_ONCE):
        yield slice(start, start + AT_ONCE)
        if tell:
            tell(min(start + AT_ONCE, n), n)
