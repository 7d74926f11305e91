"""Everything that is measured of a set of fakes, each number beside its floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np
from PIL import Image

from bascule.attributes.classifier import AttributeClassifier
from bascule.attributes.scores import AttributeScores, attribute_scores
from bascule.data.images import ImageSet, Progress
from bascule.errors import Refusal
from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.evaluation.neighbours import ROWS, neighbour_grid
from bascule.evaluation.patches import SPEC, has_patches, patch_distances
from bascule.features.cache import features_of
from bascule.features.extractor import Extractor, label
from bascule.metrics.measured import METRICS, ON_HELD_OUT, Measured, against_held_out, measure
from bascule.metrics.support import birthday, near_duplicate_threshold

STATISTICS = (
    *("FD", "KID", "precision", "recall", "density", "coverage", "Vendi"),
    *("1-NN accuracy", "C_T", "authenticity"),
)
Better = Literal["lower", "higher", "floor"]
Counter = Callable[[str], AbstractContextManager[Progress]]


def check_fakes(fakes: np.ndarray, images: ImageSet) -> None:
    """Refuse fakes that cannot stand beside ``images``."""
    expected = (3, images.size, images.size)
    if fakes.dtype != np.uint8 or fakes.ndim != 4 or fakes.shape[1:] != expected:
        raise Refusal(
            f"fakes are {fakes.dtype} {fakes.shape}: expected uint8 (N, 3, {images.size}, "
            f"{images.size}), quantised as the images of {images.name!r} were"
        )


def evaluate(
    fakes: np.ndarray,
    images: ImageSet,
    extractors: Sequence[Extractor],
    counter: Counter,
    classifier: AttributeClassifier | None = None,
    subject: str = "fakes",
    epoch: int | None = None,
    seed: int = 0,
) -> tuple[Evaluation, Image.Image]:
    """Measure ``fakes``, uint8 (N, 3, H, W), against the train and held-out images of ``images``.

    Every statistic is taken in the space of each extractor; where ``classifier`` is given, the
    exact attributes too. ``counter(what)`` gives a context with a :data:`Progress` to tell. Returns
    the evaluation, and the fakes beside their nearest training images (by the first extractor).
    Raises :class:`Refusal` for fakes of another size, or fewer than a statistic needs.
    """
    check_fakes(fakes, images)
    train, held_out = images.indices("train"), images.indices("held_out")
    values: list[Value] = []
    picture: Image.Image | None = None

    def keep(name: str, space: str, measured: Measured, better: Better) -> None:
        values.append(value_of(name, space, images, measured, better))

    for extractor in extractors:
        with counter(f"features of the images by {extractor.name}") as tell:
            real = features_of(images, extractor, tell)
        with counter(f"features of the fakes by {extractor.name}") as tell:
            fake = extractor(fakes, tell)
        found = measure(STATISTICS, fake, real[train], real[held_out], seed)
        for name, measured in found.items():
            keep(label(name, extractor), extractor.spec, measured, METRICS[name].better)
        values += _held_out(images, extractor, fake, real, seed)
        twins = _support(fake, real[train])
        keep(label("support at least", extractor), extractor.spec, twins.measured, "higher")
        if picture is None:
            pixels = images.pixels[train]
            picture = neighbour_grid(fakes, pixels, fake, real[train], twins.closest)
    if has_patches(images):
        for name, measured in patch_distances(fakes, images, seed).items():
            keep(name, SPEC, measured, "lower")
    notes: tuple[str, ...] = ()
    if classifier is not None:
        with counter("reading the attributes"):
            scores = attribute_scores(
                classifier.read(fakes),
                classifier.read(images.pixels[train]),
                classifier.fresh,
                seed,
            )
        for name, measured, better in _numbers(scores):
            keep(
                f"{name}[{classifier.style},{classifier.size}px]", classifier.spec, measured, better
            )
        notes = tuple(_absent(scores))
    assert picture is not None, "at least one extractor"
    found_all = Evaluation(subject, epoch, len(fakes), images.name, tuple(values), notes)
    return found_all, picture


def look(
    fakes: np.ndarray,
    images: ImageSet,
    extractor: Extractor,
    subject: str = "fakes",
    epoch: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """The numbers against held-out images alone: what a search may afford after every few epochs.

    ``fakes``: uint8 (N, 3, H, W). Part of what :func:`evaluate` measures, by the same labels.
    """
    check_fakes(fakes, images)
    values = _held_out(images, extractor, extractor(fakes), features_of(images, extractor), seed)
    return Evaluation(subject, epoch, len(fakes), images.name, tuple(values))


def _held_out(
    images: ImageSet, extractor: Extractor, fake: np.ndarray, real: np.ndarray, seed: int
) -> list[Value]:
    """``fake`` and ``real``, of all images, are features."""
    train, held_out = real[images.indices("train")], real[images.indices("held_out")]
    found = against_held_out(fake, train, held_out, seed)
    return [
        value_of(label(name, extractor), extractor.spec, images, measured, ON_HELD_OUT[name])
        for name, measured in found.items()
    ]


def value_of(name: str, space: str, images: ImageSet, measured: Measured, better: Better) -> Value:
    """A number on its scale; ``space``: the whole identity of what it was taken in."""
    scale = Scale(name, space, images.digest, measured.n, measured.m)
    return Value(measured, scale, better)


@dataclass(frozen=True)
class _Twins:
    measured: Measured
    closest: np.ndarray  # pairs of fakes, closest first


def _support(fake: np.ndarray, train: np.ndarray) -> _Twins:
    """The 95 % lower bound of the support; its floor is what as many training images speak for."""
    n = min(len(fake), len(train))
    threshold = near_duplicate_threshold(train)
    found, floor = birthday(fake[:n], threshold, ROWS), birthday(train[:n], threshold)
    measured = Measured(found.at_least, floor.at_least, nan, nan, n, len(train), 1)
    return _Twins(measured, found.closest)


def _numbers(scores: AttributeScores) -> Iterator[tuple[str, Measured, Better]]:
    yield "out of vocabulary", scores.out_of_vocabulary, "lower"
    yield "mean TV", scores.mean_total_variation, "lower"
    for name, measured in scores.total_variation.items():
        yield f"TV of {name}", measured, "lower"
    yield "missing categories", scores.missing_categories, "lower"
    yield "joint coverage", scores.joint_coverage, "higher"
    yield "joint coverage in vocabulary", scores.joint_in_vocabulary, "higher"
    yield "combinations", scores.combinations, "floor"


def _absent(scores: AttributeScores) -> Iterator[str]:
    for name, found in scores.missing.items():
        if found.categories:
            chance = f"{found.by_chance:.2g}" if found.by_chance >= 0.01 else "fewer than 0.01"
            kinds = ", ".join(map(str, found.categories))
            yield f"no fake has {name} {kinds} (by chance, {chance} would be missing)"
    yield f"combinations are of {', '.join(scores.joint_over)}"
