"""A trained attribute classifier, and its predictions for images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.learning import Accuracy, logits
from bascule.attributes.network import Reader, digest_of
from bascule.core.errors import UserError
from bascule.data.images import ImageSet, Progress
from bascule.features.cache import features_of

VERSION = 1  # of the training code; raise it when classifiers would become different


@dataclass(frozen=True, eq=False)
class Reading:
    """The predictions of a classifier for N images.

    labels             the category of each used attribute, (N,) text, also for images of no face
    out_of_vocabulary  bool (N,), images that no renderer would draw
    """

    labels: dict[str, np.ndarray]
    out_of_vocabulary: np.ndarray

    def __len__(self) -> int:
        return len(self.out_of_vocabulary)

    def of(self, indices: np.ndarray) -> Reading:
        """The predictions for some of the images."""
        labels = {name: told[indices] for name, told in self.labels.items()}
        return Reading(labels, self.out_of_vocabulary[indices])


@dataclass(frozen=True, eq=False)
class AttributeClassifier:
    """A trained classifier for one style at one size, with its measured accuracy.

    accuracy    of every attribute that varies, used or not
    used        the attributes with an accuracy and a balanced accuracy of at least 95 %
    categories  of every attribute that varies
    renders     the number of training renders
    detected    the share of each kind of impostor (:mod:`bascule.attributes.damage`) that is found
    fresh       its predictions for unseen renders, which serve as reals for floors of any n
    threshold   images with larger doubts (:func:`doubts`) are out of vocabulary
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
        """Its full identity; numbers of different specs must not be compared."""
        digest = digest_of(self.reader, np.float64(self.threshold).tobytes())
        return f"attributes;v{VERSION};{self.style},{self.size}px;weights {digest}"

    def read(self, images: np.ndarray) -> Reading:
        """The attributes of ``images``, uint8 RGB (N, 3, size, size).

        An image is out of vocabulary if its doubts (:func:`doubts`) are larger than those of 95 %
        of the fresh renders, each of which counts twice: as drawn, and slightly damaged. Raises
        UserError for no images, or for another size.
        """
        self._check(images)
        return self._reading(logits(self.reader, images))

    def _check(self, images: np.ndarray) -> None:
        expected = (3, self.size, self.size)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
            raise UserError(
                f"images are {images.dtype} {images.shape}; this classifier expects uint8 "
                f"(N, 3, {self.size}, {self.size})"
            )
        if not len(images):
            raise UserError("no images to read: give at least one")

    def read_set(self, images: ImageSet) -> Reading:
        """The attributes of all images of a set, in its order; kept in the cache of features.

        Raises as :meth:`read`.
        """
        self._check(images.pixels)
        told = torch.from_numpy(np.array(features_of(images, _Logits(self))))
        return self._reading(told.split([len(names) for names in self.categories.values()], 1))

    def _reading(self, told: Sequence[Tensor]) -> Reading:
        by_name = dict(zip(self.categories, told, strict=True))
        used = {name: by_name[name] for name in self.used}
        return reading_of(used, self.categories, self.threshold)


class _Logits:
    """The logits of a classifier as features (N, categories of all attributes) of images."""

    def __init__(self, classifier: AttributeClassifier) -> None:
        self.name = f"{classifier.style} {classifier.size}px"
        self.spec = f"{classifier.spec};logits"
        self.reader = classifier.reader

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return torch.cat(logits(self.reader, images), 1).numpy()


def doubts(told: Iterable[Tensor]) -> Tensor:
    """The uncertainty of each image, (N,), >= 0, from logits (N, categories) of used attributes.

    It is minus the logarithm of the largest softmax value, averaged over attributes (Hendrycks &
    Gimpel 2017, who have a single softmax).
    """
    return -torch.stack([one.log_softmax(1).amax(1) for one in told]).mean(0)


def reading_of(
    told: Mapping[str, Tensor], categories: Mapping[str, tuple[str, ...]], threshold: float
) -> Reading:
    """The predictions for logits ``told``, (N, categories) of each used attribute."""
    labels = {name: np.array(categories[name])[one.argmax(1).numpy()] for name, one in told.items()}
    return Reading(labels, (doubts(told.values()) > threshold).numpy())
