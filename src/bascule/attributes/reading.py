"""What a trained classifier is, and what it reads in images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.learning import Accuracy, logits
from bascule.attributes.network import Reader, digest_of
from bascule.core.errors import UserError

VERSION = 1  # of the code of classifiers: raised when one would come out different


@dataclass(frozen=True, eq=False)
class Reading:
    """What a classifier reads in N images.

    labels             each used attribute's category, (N,) text, also of images that are no face.
    out_of_vocabulary  bool (N,): pictures that no renderer would draw.
    """

    labels: dict[str, np.ndarray]
    out_of_vocabulary: np.ndarray

    def __len__(self) -> int:
        return len(self.out_of_vocabulary)


@dataclass(frozen=True, eq=False)
class AttributeClassifier:
    """A trained reader of one style at one size, with the table of what it can be trusted with.

    accuracy    of every attribute that varies, used or not.
    used        the attributes read with plain and balanced accuracy of at least 95 %.
    categories  of every attribute that varies.
    renders     how many it was trained on.
    detected    share of each kind of impostor (:mod:`bascule.attributes.damage`) that is refused.
    fresh       its reading of renders that nobody trained on: reals for floors at any n.
    """

    style: str
    size: int
    accuracy: dict[str, Accuracy]
    used: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    renders: int
    detected: dict[str, float]
    fresh: Reading
    threshold: float
    reader: Reader

    @cached_property
    def spec(self) -> str:
        """Its whole identity: numbers of two specs never share an axis or a column."""
        digest = digest_of(self.reader, np.float64(self.threshold).tobytes())
        return f"attributes;v{VERSION};{self.style},{self.size}px;weights {digest}"

    def read(self, images: np.ndarray) -> Reading:
        """The attributes of ``images``, uint8 (N, 3, size, size).

        An image is out of vocabulary when the classifier doubts it (:func:`doubts`) more than 95 %
        of the fresh renders, of which each counts twice, as drawn and slightly damaged.
        """
        expected = (3, self.size, self.size)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
            raise UserError(
                f"images are {images.dtype} {images.shape}: this classifier reads uint8 "
                f"(N, 3, {self.size}, {self.size})"
            )
        if not len(images):
            raise UserError("no images to read: give at least one")
        told = dict(zip(self.categories, logits(self.reader, images), strict=True))
        return reading_of({name: told[name] for name in self.used}, self.categories, self.threshold)


def doubts(told: Iterable[Tensor]) -> Tensor:
    """How unsure the logits ``told``, (N, categories) for each used attribute, are of each image.

    (N,), at least 0: minus the logarithm of the largest softmax, averaged over attributes
    (Hendrycks & Gimpel 2017, with several heads in the place of their one).
    """
    return -torch.stack([one.log_softmax(1).amax(1) for one in told]).mean(0)


def reading_of(
    told: Mapping[str, Tensor], categories: Mapping[str, tuple[str, ...]], threshold: float
) -> Reading:
    labels = {name: np.array(categories[name])[one.argmax(1).numpy()] for name, one in told.items()}
    return Reading(labels, (doubts(told.values()) > threshold).numpy())
