"""Batches: which images make which step, and the exact road between bytes and [-1, 1].

The order of an epoch is a pure function of (seed, epoch), so a resumed run, a treated arm and a
user's own DataLoader all see the very same batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from bascule.core.context import generator
from bascule.core.errors import UserError


def epoch_order(n: int, batch: int, seed: int, epoch: int) -> Tensor:
    """Indices into ``n`` images, int64 (n // batch, batch): one row per step of ``epoch``.

    Each epoch shuffles all images afresh and leaves out the last, incomplete batch. Refuses a
    batch larger than the set.
    """
    _check(n, batch)
    order = torch.randperm(n, generator=generator(seed, "epoch order", epoch))
    steps = n // batch
    return order[: steps * batch].view(steps, batch)


class AddressedSampler(Sampler[list[int]]):
    """:func:`epoch_order` for a torch DataLoader: ``DataLoader(data, batch_sampler=this)``.

    Call ``set_epoch(epoch)`` before each epoch, counted from 0: an epoch asked for twice comes
    out twice the same.
    """

    def __init__(self, n: int, batch: int, seed: int) -> None:
        _check(n, batch)
        self.n, self.batch, self.seed, self.epoch = n, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n // self.batch

    def __iter__(self) -> Iterator[list[int]]:
        yield from epoch_order(self.n, self.batch, self.seed, self.epoch).tolist()


def as_float(x: Tensor) -> Tensor:
    """uint8 in 0..255 -> float32 in [-1, 1], any shape: exactly x / 127.5 - 1."""
    return x.float() / 127.5 - 1


def as_uint8(x: Tensor) -> Tensor:
    """Floats -> uint8 of the same shape: (x + 1) * 127.5 rounded, and clipped to 0..255.

    The exact inverse of :func:`as_float` on all 256 levels.
    """
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _check(n: int, batch: int) -> None:
    if batch < 1:
        raise UserError(f"batch={batch}: expected at least 1 image per batch")
    if n < batch:
        raise UserError(
            f"batch={batch} does not fit a set of {n} images: "
            f"choose a batch of at most {n}, or add images"
        )
