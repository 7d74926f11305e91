"""Training of attribute classifiers on renders, and their accuracy on unseen renders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.attributes.damage import imperfect
from bascule.attributes.network import Reader, seen
from bascule.attributes.renders import Renders
from bascule.core.context import generator
from bascule.core.threads import in_threads
from bascule.data.batches import epoch_order
from bascule.data.images import Progress

BATCH = 64
TOP_RATE = 4e-3  # the largest learning rate
SUPPORT = 10  # a category's recall counts only with so many renders
CHUNK = 250  # images in one forward pass while it is calibrated
READ_AT_ONCE = 50  # images; fewer stay in the processor's cache


@dataclass(frozen=True)
class Accuracy:
    """How well one attribute is recognised in unseen renders; shares in [0, 1].

    accuracy  share of renders that are classified correctly
    balanced  mean of this share over categories. An attribute that is "none" in nine of ten faces
              gains nothing if the answer is always "none".
    damaged   the balanced accuracy for the same renders with slight damage (``damage.imperfect``)
    """

    accuracy: float
    balanced: float
    damaged: float


def encoded(labels: Mapping[str, np.ndarray], categories: Mapping[str, tuple[str, ...]]) -> Tensor:
    """Category indices (N, attributes), int64, by ``categories``; -1 for unknown categories."""
    columns = []
    for name, known in categories.items():
        values, inverse = np.unique(labels[name], return_inverse=True)
        code = {category: k for k, category in enumerate(known)}
        columns.append(np.array([code.get(value, -1) for value in values.tolist()])[inverse])
    return torch.from_numpy(np.stack(columns, 1))


def learn(
    renders: Renders,
    categories: Mapping[str, tuple[str, ...]],
    epochs: int,
    learnt: Callable[[int], None],
) -> Reader:
    """Train with AdamW on the cross-entropy, averaged over attributes, with damaged images.

    The learning rate follows one cycle (Smith & Topin 2018). ``learnt(n)`` is called with the
    number of images after each batch. Deterministic for a given number of threads.
    """
    reader = Reader([len(known) for known in categories.values()], generator("reader weights"))
    reader = reader.to(memory_format=torch.channels_last).train()
    pixels, codes = torch.from_numpy(renders.pixels), encoded(renders.labels, categories)
    batch = min(BATCH, len(renders))
    optimiser = torch.optim.AdamW(reader.parameters(), lr=TOP_RATE, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, TOP_RATE, total_steps=epochs * (len(renders) // batch)
    )
    for epoch in range(epochs):
        for step, part in enumerate(epoch_order(len(renders), batch, 0, epoch)):
            x = imperfect(seen(pixels[part]), generator("imperfect", epoch, step))
            heads = zip(reader(x), codes[part].T, strict=True)
            loss = torch.stack([F.cross_entropy(logits, code) for logits, code in heads]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
            learnt(len(part))
    return reader.eval()


def logits(
    reader: Reader, pixels: np.ndarray, changed: Callable[[Tensor, int], Tensor] | None = None
) -> list[Tensor]:
    """The logits of ``reader`` for ``pixels``, uint8 (N, 3, H, H): (N, categories) by attribute.

    ``changed(x, start)`` may change each batch x (B, 3, H, H) in [-1, 1] first; ``start`` is the
    index of its first image.
    """

    def of_batch(start: int) -> Sequence[Tensor]:
        # np.array copies, because a tensor must not share a read-only memory map.
        x = seen(torch.from_numpy(np.array(pixels[start : start + at_once])))
        told: Sequence[Tensor] = reader(changed(x, start) if changed else x)
        return told

    at_once = CHUNK if changed else READ_AT_ONCE
    told = in_threads(of_batch, range(0, len(pixels), at_once))
    return [torch.cat(head) for head in zip(*told, strict=True)]


def accuracies(
    clean: list[Tensor],
    damaged: list[Tensor],
    renders: Renders,
    categories: Mapping[str, tuple[str, ...]],
) -> dict[str, Accuracy]:
    """The accuracy of each attribute, from the logits of clean and of damaged ``renders``."""
    codes = encoded(renders.labels, categories).T
    found = {}
    for name, one, other, truth in zip(categories, clean, damaged, codes, strict=True):
        right, still = one.argmax(1) == truth, other.argmax(1) == truth
        found[name] = Accuracy(
            float(right.float().mean()), _balanced(right, truth), _balanced(still, truth)
        )
    return found


def _balanced(right: Tensor, truth: Tensor) -> float:
    """Mean recall over categories with ``SUPPORT`` renders; 0 if fewer than two have it."""
    counts = {int(k): int(n) for k, n in zip(*truth.unique(return_counts=True), strict=True)}
    recalls = [right[truth == k].float().mean() for k, n in counts.items() if n >= SUPPORT]
    return float(torch.stack(recalls).mean()) if len(recalls) > 1 else 0.0


def adding_up(progress: Progress | None, total: int) -> Callable[[int], None]:
    """A function to call with numbers of images; it reports (their sum, ``total``)."""
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(done, total)

    return tell
