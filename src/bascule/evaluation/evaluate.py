"""Evaluates a set of fakes: all metrics, each with its floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from math import isfinite, nan

import numpy as np
from PIL import Image

from bascule.attributes import scores as attributes
from bascule.attributes.reading import AttributeClassifier
from bascule.attributes.scores import AttributeScores, attribute_scores
from bascule.core.arrays import Rows
from bascule.core.errors import UserError
from bascule.core.threads import beside
from bascule.core.user_code import code_of
from bascule.data.images import ImageSet, Progress
from bascule.evaluation import patches
from bascule.evaluation.evaluation import Evaluation, LeftOut, Scale, Value
from bascule.evaluation.neighbours import ROWS, neighbour_grid
from bascule.evaluation.of_reals import beside_features
from bascule.evaluation.own_labels import of_labels
from bascule.evaluation.patches import SPEC, has_patches, patch_distances
from bascule.features.cache import features_of
from bascule.features.extractor import Extractor, label
from bascule.metrics import support
from bascule.metrics.least import Sizes, too_few
from bascule.metrics.measured import (
    METRICS,
    ON_HELD_OUT,
    against_held_out,
    least,
    measure,
    take,
)
from bascule.metrics.metric import Keep, Measured, Metric, anew
from bascule.metrics.quantity import Better
from bascule.metrics.support import birthday, near_duplicate_threshold

STATISTICS = tuple(name for name, metric in METRICS.items() if metric.by_default)
SUPPORT, ATTRIBUTES, PATCHES = "support at least", "attributes", "SWD"
PIXELS = "pixels"  # in brackets, for metrics that use pixels and not features
# The least number of images for each; used to predict before training what will be left out.
LEAST: dict[str, Sizes] = {
    **{name: least(name) for name in (*STATISTICS, *ON_HELD_OUT)},
    SUPPORT: support.LEAST,
    PATCHES: patches.LEAST,
    ATTRIBUTES: attributes.LEAST,
}
Counter = Callable[[str], AbstractContextManager[Progress]]


def check_fakes(fakes: np.ndarray, images: ImageSet) -> None:
    """Raise :class:`UserError` for fakes that cannot be compared with ``images``."""
    if fakes.dtype != np.uint8 or fakes.ndim != 4 or fakes.shape[1:] != images.shape:
        expected = ", ".join(map(str, images.shape))
        raise UserError(
            f"fakes are {fakes.dtype} {fakes.shape}: expected uint8 (N, {expected}), prepared like "
            f"the images of {images.name!r}, which are {images.shape}"
        )


class _Kept:
    """Collects the values of some fakes, compared with ``images``, and what was left out."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.values: list[Value] = []
        self.left_out: list[LeftOut] = []
        self.notes: list[str] = []

    def put(self, name: str, space: str, measured: Measured | str, better: Better) -> None:
        """Keep a number; a text is the reason why there is none."""
        if isinstance(measured, str):
            self.left_out.append(LeftOut(name, measured))
        elif not isfinite(measured.value):
            self.left_out.append(LeftOut(name, "is not defined for these images"))
        else:
            self.values.append(value_of(name, space, self.images, measured, better))

    def told(self, subject: str, epoch: int | None, fakes: int) -> Evaluation:
        values, left_out = tuple(self.values), tuple(self.left_out)
        return Evaluation(subject, epoch, fakes, self.images.name, values, (), left_out)


def evaluate(
    fakes: np.ndarray,
    images: ImageSet,
    extractors: Sequence[Extractor],
    counter: Counter,
    classifier: AttributeClassifier | None = None,
    subject: str = "fakes",
    epoch: int | None = None,
    seed: int = 0,
    own: Sequence[Metric] = (),
    labels: bool = False,
) -> tuple[Evaluation, Image.Image]:
    """Measure ``fakes``, uint8 (N, 3, H, W), against training and held-out images of ``images``.

    extractors  every statistic is computed with the features of each, at least one
    counter     ``counter(what)`` is a context that gives a :data:`Progress` to report to
    classifier  if given, exact attributes are measured too
    own         user's metrics; those on pixels are computed once
    seed        decides which image is in which set
    labels      whether the labels of ``images`` are read from the fakes, too

    A statistic that needs more images than there are (:data:`LEAST`) is left out, with a reason.
    Returns the evaluation, and a picture of the fakes beside their nearest training images (by the
    first extractor). Raises :class:`UserError` for fakes of another size.
    """
    check_fakes(fakes, images)
    train, held_out = images.indices("train"), images.indices("held_out")
    lost = too_few(LEAST, sizes_of(images, len(fakes)))
    kept = _Kept(images)
    picture: Image.Image | None = None
    on_pixels = [metric for metric in own if metric.on == "pixels"]
    on_features = [metric for metric in own if metric.on == "features"]
    with beside() as begin:
        distances = begin(lambda: _patches(fakes, images, lost, seed))
        scores = begin(lambda: _scores(fakes, images, classifier, lost, seed))
        pixels: list[tuple[Metric, Measured | str]] = []
        if on_pixels:  # without them, the images stay on disk
            with counter("measuring pixels"):
                known, unseen = images.pixels[train], images.pixels[held_out]
                pixels = _own(on_pixels, fakes, known, unseen, seed, anew)
        for extractor in extractors:
            with counter(f"features of the images by {extractor.name}") as tell:
                real = features_of(images, extractor, tell)
            with counter(f"features of the fakes by {extractor.name}") as tell:
                fake = extractor(fakes, tell)
            with counter(f"measuring in the space of {extractor.name}"):
                twins = _on_features(kept, extractor, fake, real, lost, on_features, seed)
            if labels:
                with counter(f"reading the labels by {extractor.name}"):
                    _labels(kept, extractor, fake, real, seed)
            if picture is None:
                picture = neighbour_grid(fakes, images.pixels, train, fake, real[train], twins)
        for name, told in distances().items():
            kept.put(name, SPEC, told, "lower")
        for metric, value in pixels:
            space = f"{PIXELS};metric {code_of(metric)}"
            kept.put(f"{metric.name}[{PIXELS}]", space, value, metric.better)
        notes = tuple(kept.notes)
        if classifier is not None:
            with counter("reading the attributes"):
                found = scores()
            if isinstance(found, str):
                kept.put(ATTRIBUTES, classifier.spec, found, "lower")
            else:
                for name, measured, better in _numbers(found):
                    called = f"{name}[{classifier.style},{classifier.size}px]"
                    kept.put(called, classifier.spec, measured, better)
                notes += tuple(_absent(found))
    assert picture is not None, "at least one extractor"
    return replace(kept.told(subject, epoch, len(fakes)), notes=notes, seed=seed), picture


def _on_features(
    kept: _Kept,
    extractor: Extractor,
    fake: np.ndarray,
    real: np.ndarray,
    lost: Mapping[str, str],
    own: Sequence[Metric],
    seed: int,
) -> np.ndarray:
    """Add the numbers in one extractor's space; returns the pairs of fakes, closest first."""
    train, held_out = (real[kept.images.indices(part)] for part in ("train", "held_out"))
    keep = beside_features(kept.images, extractor)
    more = _own(own, fake, train, held_out, seed, keep)
    asked = [name for name in STATISTICS if name not in lost]
    found = measure(asked, fake, train, held_out, seed, keep)
    for name in STATISTICS:
        told = lost.get(name) or found[name]
        kept.put(label(name, extractor), extractor.spec, told, METRICS[name].better)
    _on_held_out(kept, extractor, fake, real, seed)
    bound, twins = _support(fake, train, keep)
    kept.put(label(SUPPORT, extractor), extractor.spec, bound, "higher")
    for metric, value in more:
        space = f"{extractor.spec};metric {code_of(metric)}"
        kept.put(label(metric.name, extractor), space, value, metric.better)
    return twins


def _labels(
    kept: _Kept, extractor: Extractor, fake: np.ndarray, real: np.ndarray, seed: int
) -> None:
    """Add the numbers of the labels, with their notes; ``real``: features of all images."""
    for found in of_labels(kept.images, extractor, real, fake, seed):
        space = f"{extractor.spec};{found.spec}"
        kept.put(label(found.name, extractor), space, found.measured, "lower")
        kept.notes.extend(found.notes)


def _patches(
    fakes: np.ndarray, images: ImageSet, lost: Mapping[str, str], seed: int
) -> Mapping[str, Measured | str]:
    """The distances between patches by label, or the reason why there are none."""
    if not has_patches(images):
        return {}
    return {PATCHES: lost[PATCHES]} if PATCHES in lost else patch_distances(fakes, images, seed)


def _scores(
    fakes: np.ndarray,
    images: ImageSet,
    classifier: AttributeClassifier | None,
    lost: Mapping[str, str],
    seed: int,
) -> AttributeScores | str:
    """What a classifier reads, or the reason why nothing can be said."""
    if classifier is None or ATTRIBUTES in lost:
        return lost.get(ATTRIBUTES, "no classifier")
    train = classifier.read_set(images).of(images.indices("train"))
    return attribute_scores(classifier.read(fakes), train, classifier.fresh, seed)


def _own(
    metrics: Sequence[Metric],
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int,
    keep: Keep,
) -> list[tuple[Metric, Measured | str]]:
    """The number of each user's metric, or the reason why there is none."""
    there = Sizes(len(fake), len(held_out), len(train))
    lost = too_few({metric.name: least(metric) for metric in metrics}, there)
    asked = [metric for metric in metrics if metric.name not in lost]
    found = take(asked, fake, train, held_out, seed, keep) if asked else {}
    return [(metric, lost.get(metric.name) or found[metric.name]) for metric in metrics]


def look(
    fakes: np.ndarray,
    images: ImageSet,
    extractor: Extractor,
    subject: str = "fakes",
    epoch: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """A short evaluation against held-out images only; a search can run it every few epochs.

    ``fakes``: uint8 (N, 3, H, W). A part of :func:`evaluate`, with the same labels.
    """
    check_fakes(fakes, images)
    kept = _Kept(images)
    _on_held_out(kept, extractor, extractor(fakes), features_of(images, extractor), seed)
    return replace(kept.told(subject, epoch, len(fakes)), seed=seed)


def sizes_of(images: ImageSet, fakes: int) -> Sizes:
    """The numbers of images of each kind."""
    held_out = int(images.held_out.sum())
    return Sizes(fakes, held_out, len(images) - held_out)


def _on_held_out(
    kept: _Kept, extractor: Extractor, fake: np.ndarray, real: np.ndarray, seed: int
) -> None:
    """Add the numbers against held-out images; ``fake`` and ``real`` are features of all images."""
    images = kept.images
    lost = too_few(LEAST, sizes_of(images, len(fake)))
    train, held_out = Rows(real, images.indices("train")), real[images.indices("held_out")]
    asked = [name for name in ON_HELD_OUT if name not in lost]
    keep = beside_features(images, extractor)
    found = against_held_out(fake, train, held_out, seed, asked, keep)
    for name, better in ON_HELD_OUT.items():
        kept.put(label(name, extractor), extractor.spec, lost.get(name) or found[name], better)


def value_of(name: str, space: str, images: ImageSet, measured: Measured, better: Better) -> Value:
    """A number with its scale; ``space``: the full identity of the features or pixels."""
    scale = Scale(name, space, images.digest, measured.n, measured.m, split=images.split)
    return Value(measured, scale, better)


def _support(fake: np.ndarray, train: np.ndarray, keep: Keep) -> tuple[Measured | str, np.ndarray]:
    """The lower 95 % bound of the support, or why there is none; and pairs of fakes, closest first.

    Its floor is the bound for as many training images.
    """
    n, threshold = min(len(fake), len(train)), 1.0
    why = support.LEAST.lacks(Sizes(len(fake), 0, len(train)))
    if not why:
        try:
            threshold = _kept(keep, "threshold", lambda: near_duplicate_threshold(train))
        except UserError as refusal:
            why = str(refusal)
    if n < 2:
        return why, np.empty((0, 2), np.int64)
    found = birthday(fake[:n], threshold, ROWS)
    if why:
        return why, found.closest
    floor = _kept(keep, f"of {n} reals", lambda: birthday(train[:n], threshold).at_least)
    measured = Measured(found.at_least, floor, nan, nan, n, len(train), 1)
    return measured, found.closest


def _kept(keep: Keep, what: str, compute: Callable[[], float]) -> float:
    return float(keep(f"{SUPPORT}: {what}", lambda: np.array(compute())))


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
