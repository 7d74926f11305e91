"""Reading the attributes of the two styles of :class:`bascule.translation.pairs.CartoonPair`.

Each style has a reader, which is trained only on faces from training vectors. So its accuracy can
be measured on the test faces, which it has not seen. This accuracy is the ceiling for the
attributes of translations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.kept import kept
from bascule.attributes.learning import BATCH, adding_up, learn, logits
from bascule.attributes.network import Reader, digest_of
from bascule.attributes.renders import Renders
from bascule.core.context import generator
from bascule.data import cache
from bascule.data.images import DOMAIN, Progress
from bascule.data.places import root
from bascule.translation.pairs import ATTRIBUTES, STYLES, CartoonPair

VERSION = 1
RENDERS = 2000  # training faces per style
EPOCHS = 6


@dataclass(frozen=True, eq=False)
class PairReader:
    """Reads the seven attributes of one style at one size."""

    side: str
    size: int
    reader: Reader

    @cached_property
    def spec(self) -> str:
        """Its complete identity. Numbers with different specs never share an axis or a column."""
        told = f"cartoon-pair {self.side},{self.size}px"
        return f"attributes;v{VERSION};{told};weights {digest_of(self.reader)}"

    def read(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Attribute -> values (N,), read from images, uint8 (N, 3, size, size)."""
        told = zip(ATTRIBUTES.items(), logits(self.reader, pictures), strict=True)
        return {name: np.array(known)[one.argmax(1).numpy()] for (name, known), one in told}


def pair_reader(
    side: str,
    size: int,
    progress: Progress | None = None,
    renders: int = RENDERS,
    epochs: int = EPOCHS,
) -> PairReader:
    """The reader of style "a" or "b" at ``size`` px: from the cache, or trained and cached.

    Training takes one or two minutes at 64 px on one core. ``progress`` is called with (images
    done, images in total).
    """
    told = "-".join(map(str, (VERSION, cache.made("pair", _rules(renders, epochs)).name)))
    place = root() / "attributes" / f"pair-{side}-{size}px-{told}.pt"
    reader = kept(
        "attribute reader",
        place,
        lambda: _trained(side, size, renders, epochs, progress),
        lambda reader: reader.state_dict(),
        _opened,
    )
    return PairReader(side, size, reader)


def _rules(renders: int, epochs: int) -> dict[str, object]:
    return {"styles": STYLES, "attributes": ATTRIBUTES, "renders": renders, "epochs": epochs}


def _trained(side: str, size: int, renders: int, epochs: int, progress: Progress | None) -> Reader:
    images = CartoonPair(n=renders, tests=2, size=size, paired=True).load()
    mine = (images.labels[DOMAIN] == side) & ~images.held_out
    labels = {name: values[mine] for name, values in images.labels.items() if name != DOMAIN}
    tell = adding_up(progress, epochs * (renders - renders % min(BATCH, renders)))
    return learn(Renders(np.array(images.pixels[mine]), labels), ATTRIBUTES, epochs, tell)


def _opened(weights: dict[str, Tensor]) -> Reader:
    reader = Reader([len(known) for known in ATTRIBUTES.values()], generator("reader weights"))
    reader.load_state_dict(weights)
    return reader.to(memory_format=torch.channels_last).eval()
