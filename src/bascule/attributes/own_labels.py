"""Reading the labels of a user's own image set, such as its class folders, from features.

For each label a multinomial logistic regression learns from the training images. It sees the
features of an extractor, standardised, and minimises the mean cross-entropy and ``PENALTY / 2``
times the squared weights. The problem is convex, so L-BFGS finds its one solution, in float64, with
nothing drawn at random. How well it reads is measured on held-out images.

Only texts are read, and of these only values that ``LEAST_OF_VALUE`` training images have. Images
with another value, or without one, do not take part.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.kept import kept
from bascule.data.images import DOMAIN, ImageSet
from bascule.data.places import root
from bascule.features.extractor import Extractor

VERSION = 1  # raise it when other weights would be learnt
LEAST_OF_VALUE = 10  # training images
LEAST_HELD_OUT = 20  # images whose label is known, to measure how well it is read
MOST_IMAGES = 5000  # that are learnt from
PENALTY = 0.01
STEPS = 200
Fitted = tuple[Tensor, Tensor, Tensor]  # weights (d + 1, values), mean (d,) and std (d,)


@dataclass(frozen=True, eq=False)
class OwnLabel:
    """A label that may be read.

    values  what it may be, sorted, at least two
    codes   int64 (N,), of each image of the set the index of its value, or -1
    """

    name: str
    values: tuple[str, ...]
    codes: np.ndarray

    def known(self, images: ImageSet, split: str) -> np.ndarray:
        """The indices of the images of ``split``, "train" or "held_out", that have a value."""
        chosen = images.indices("train" if split == "train" else "held_out")
        found: np.ndarray = chosen[self.codes[chosen] >= 0]
        return found


def own_labels(images: ImageSet) -> list[OwnLabel]:
    """The labels of ``images`` that may be read."""
    found = []
    train = images.indices("train")
    for name, told in images.labels.items():
        if told.dtype.kind != "U" or name == DOMAIN:
            continue
        values, counts = np.unique(told[train], return_counts=True)
        values = values[(counts >= LEAST_OF_VALUE) & (values != "")]
        if len(values) > 1:
            at = np.searchsorted(values, told).clip(max=len(values) - 1)
            codes = np.where(values[at] == told, at, -1)
            found.append(OwnLabel(name, tuple(values.tolist()), codes))
    return found


@dataclass(frozen=True, eq=False)
class LabelReader:
    """Reads one label from features.

    accuracy  the share of the held-out images that it reads right
    balanced  the mean of this share over values
    tested    the number of these images
    """

    label: OwnLabel
    weights: Tensor
    mean: Tensor
    std: Tensor
    accuracy: float
    balanced: float
    tested: int

    def read(self, features: np.ndarray) -> np.ndarray:
        """The index of the most likely value, int64 (N,), for features (N, d)."""
        return _read(self.weights, self.mean, self.std, features)


def label_reader(
    label: OwnLabel, images: ImageSet, extractor: Extractor, features: np.ndarray
) -> LabelReader:
    """The reader of ``label`` from the cache, or learnt in seconds and cached.

    ``features``: float32 (N, d) of all images by ``extractor``.
    """
    train, test = label.known(images, "train"), label.known(images, "held_out")
    if len(train) > MOST_IMAGES:
        train = train[np.linspace(0, len(train) - 1, MOST_IMAGES).astype(int)]
    place = root() / "attributes" / f"own-{_identity(label, images, extractor)}.pt"

    def learn() -> Fitted:
        return _learnt(features[train], label.codes[train], len(label.values))

    def opened(plain: list[Tensor]) -> Fitted:
        weights, mean, std = plain
        if weights.shape != (features.shape[1] + 1, len(label.values)) or len(mean) != len(std):
            raise ValueError("weights of another shape")
        return weights, mean, std

    fitted = kept("label reader", place, learn, list, opened)
    right = _read(*fitted, features[test]) == label.codes[test]
    each = [right[label.codes[test] == k] for k in np.unique(label.codes[test])]
    balanced = float(np.mean([one.mean() for one in each])) if each else 0.0
    return LabelReader(
        label, *fitted, float(right.mean()) if len(test) else 0.0, balanced, len(test)
    )


def digest_of(label: OwnLabel) -> str:
    """Eight digits that stand for a label's values, for scales of numbers."""
    return hashlib.sha256(repr(label.values).encode() + label.codes.tobytes()).hexdigest()[:8]


def _identity(label: OwnLabel, images: ImageSet, extractor: Extractor) -> str:
    rules = (VERSION, PENALTY, MOST_IMAGES, extractor.spec, images.digest, digest_of(label))
    told = repr(rules).encode() + np.packbits(images.held_out).tobytes()
    return hashlib.sha256(told).hexdigest()[:16]


def _standardised(features: np.ndarray, mean: Tensor, std: Tensor) -> Tensor:
    x = (torch.from_numpy(np.asarray(features, np.float64)) - mean) / std
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


def _read(weights: Tensor, mean: Tensor, std: Tensor, features: np.ndarray) -> np.ndarray:
    return (_standardised(features, mean, std) @ weights).argmax(1).numpy()


def _learnt(features: np.ndarray, codes: np.ndarray, values: int) -> Fitted:
    """The last row of the weights, which has no penalty, is added to all."""
    raw = torch.from_numpy(features.astype(np.float64))
    mean, std = raw.mean(0), raw.std(0).clamp(min=1e-6)
    x, y = _standardised(features, mean, std), torch.from_numpy(codes)
    weights = torch.zeros(x.shape[1], values, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        fit = torch.nn.functional.cross_entropy(x @ weights, y)
        found: Tensor = fit + PENALTY / 2 * weights[:-1].square().sum()
        found.backward()
        return found

    search.step(loss)
    return weights.detach(), mean, std
