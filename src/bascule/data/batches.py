"""Batches: which images belong to which step, and the conversion between uint8 and [-1, 1].

The order of an epoch depends only on (seed, epoch). So a resumed run, a treated run and a user's
own DataLoader get the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from bascule.core.context import generator
from bascule.core.errors import UserError


def epoch_order(n: int, batch: int, seed: int, epoch: int) -> Tensor:
    """Indices into ``n`` images, int64 (n // batch, batch): one row for each step of ``epoch``.

    Each epoch shuffles all images again and leaves out the last, incomplete batch. Raises UserError
    if the batch is larger than the set.
    """
    _check(n, batch)
    order = torch.randperm(n, generator=generator(seed, "epoch order", epoch))
    steps = n // batch
    return order[: steps * batch].view(steps, batch)


class AddressedSampler(Sampler[list[int]]):
    """:func:`epoch_order` for PyTorch: ``DataLoader(data, batch_sampler=AddressedSampler(...))``.

    Call ``set_epoch(epoch)``, from 0, before each epoch. The same epoch always has the same order.
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
    """uint8 in 0..255 -> float32 in [-1, 1], x / 127.5 - 1, for any shape."""
    return x.float() / 127.5 - 1


def as_uint8(x: Tensor) -> Tensor:
    """Floats -> uint8 of the same shape: (x + 1) * 127.5, rounded and clipped to 0..255.

    It is the exact inverse of :func:`as_float` for all 256 values.
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
