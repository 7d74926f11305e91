"""The evaluation of a translator, with baselines that need no translator.

A good KID alone says little: random real images of the target domain have a perfect one. So the
same measurements are made for three baselines: the untranslated images ("copy"), random training
images of the target domain ("random target"), and the images with the colours of the target domain
("colour transfer", Reinhard et al. 2001, in Lab). If the counterpart of each image is known, a
translation is compared with it: by pixels, by its rank among all counterparts, and by attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from PIL import Image

from bascule.attributes.reading import AttributeClassifier
from bascule.core.context import generator
from bascule.data.batches import as_float, as_uint8
from bascule.data.color import lab_to_rgb, rgb_to_lab
from bascule.data.images import DOMAIN, ImageSet, digest_of, in_chunks
from bascule.evaluation.evaluate import (
    LEAST,
    Counter,
    evaluate,
    sizes_of,
    value_of,
)
from bascule.evaluation.evaluation import Evaluation, LeftOut, Value
from bascule.evaluation.of_reals import beside_features
from bascule.features.cache import features_of
from bascule.features.extractor import Extractor, label
from bascule.metrics.least import too_few
from bascule.metrics.measured import METRICS, measure, over_pictures
from bascule.metrics.metric import Measured, Metric
from bascule.metrics.numbers import BASELINES
from bascule.metrics.paired import (
    as_jpeg,
    likeness,
    matched,
    pixel_error,
    ranks,
    shared_information,
)
from bascule.metrics.quantity import Better
from bascule.metrics.spread import mean_pairwise_distance, ratio
from bascule.translation.attributes import PairReader

NOISE = 2 / 255  # standard deviation, of pictures in [0, 1]
Way = Callable[[torch.Tensor], torch.Tensor]  # a map of images (N, 3, H, W) in [-1, 1]


@dataclass(frozen=True)
class Kinds:
    """The data of an evaluation: held-out images of the source domain, and the target domain.

    ``given``: uint8 (N, 3, H, W). ``labels``: the labels of ``given``, empty if there are none.
    ``truth``: the counterpart of each, uint8 (N, 3, H, W), or None if unknown.
    """

    given: np.ndarray
    other: ImageSet
    labels: Mapping[str, np.ndarray]
    truth: np.ndarray | None

    @staticmethod
    def of(images: ImageSet, n: int, paired: bool) -> Kinds:
        """At most ``n`` held-out images of ``images``, which contains both domains."""
        first = images.labels[DOMAIN] == "a"
        given = np.flatnonzero(first & images.held_out)[:n]
        pixels = np.ascontiguousarray(images.pixels[~first])
        other = ImageSet(
            name=f"{images.name}, second kind",
            pixels=pixels,
            held_out=images.held_out[~first],
            labels={},
            digest=digest_of(in_chunks(pixels), pixels.shape),
            credit=images.credit,
            split=images.split,
        )
        told = {k: v[given] for k, v in images.labels.items() if k != DOMAIN} if paired else {}
        truth = other.pixels[other.indices("held_out")][: len(given)] if paired else None
        return Kinds(np.array(images.pixels[given]), other, told, truth)


def evaluate_translation(
    kinds: Kinds,
    there: Way,
    back: Way | None,
    extractor: Extractor,
    counter: Counter,
    reader: PairReader | None = None,
    classifier: AttributeClassifier | None = None,
    subject: str = "translations",
    epoch: int | None = None,
    seed: int = 0,
    own: Sequence[Metric] = (),
) -> tuple[Evaluation, Image.Image]:
    """Measure the generator ``there`` on the held-out images of ``kinds``, quantised to 8 bits.

    ``back``: the inverse generator, for the cycle error. ``reader``: an attribute reader for the
    target domain, if the counterparts are known. ``classifier``: an attribute classifier, if the
    target domain has built-in faces. Measurements that need more images are left out, as in
    :func:`evaluate`.
    Returns the evaluation, and an image of translations next to their nearest training images.
    """
    x = as_float(torch.from_numpy(kinds.given))
    with counter("translating"):
        y = there(x)
    made = as_uint8(y).numpy()
    found, picture = evaluate(
        made, kinds.other, [extractor], counter, classifier, subject, epoch, seed, own
    )
    candidates = {"": made} | baselines(kinds, seed)
    values: list[Value] = []
    left_out: list[LeftOut] = []
    space = f"translation;{len(made)} pictures"

    def keep(name: str, of: str, what: Measured, better: Better, spec: str = space) -> None:
        told = f"{name} of {of}" if of else name
        values.append(value_of(f"{told}[{suffix}]", spec, kinds.other, what, better))

    suffix = f"translation,{kinds.other.size}px"
    flat = _flat(kinds.other.pixels[kinds.other.indices("held_out")])
    apart = mean_pairwise_distance(flat) if min(len(made), len(flat)) > 1 else 0.0
    best_ranks = None if kinds.truth is None else ranks(kinds.truth, kinds.truth)
    ceiling = reader.read(kinds.truth) if reader and kinds.truth is not None else None
    for of, pictures in candidates.items():
        values += _law(kinds, extractor, pictures, of, seed) if of else []
        if apart > 0:
            spread, m = ratio(_flat(pictures), apart), len(flat)
            keep("spread", of, Measured(spread, 1.0, nan, nan, len(pictures), m, 1), "floor")
        elif not of:
            why = "needs 2 translations, and 2 different held-out images of the second kind"
            left_out.append(LeftOut(f"spread[{suffix}]", why))
        if kinds.truth is None or best_ranks is None:
            continue
        for name, each, best, better in _against_truth(pictures, kinds.truth, best_ranks):
            keep(name, of, over_pictures(each, best), better)
        if reader is None or ceiling is None:
            continue
        for name, what in _attributes(reader.read(pictures), ceiling, kinds.labels):
            keep(name, of, what, "higher", reader.spec)
    if back is not None:
        with counter("translating back"):
            cycle = list(_cycle(x, y, back, seed))
        for name, each in cycle:
            keep(name, "", over_pictures(each, 0.0), "lower")
    return found.with_more(values, left_out), picture


def baselines(kinds: Kinds, seed: int = 0) -> dict[str, np.ndarray]:
    """The baselines by name: uint8 images of the shape of ``kinds.given``."""
    train = kinds.other.pixels[kinds.other.indices("train")]
    n = len(kinds.given)
    rng = generator("random target", seed)
    chosen = torch.randint(len(train), (n,), generator=rng).numpy()
    told = (kinds.given, np.array(train[chosen]), colour_transfer(kinds.given, train))
    return dict(zip(BASELINES, told, strict=True))


def colour_transfer(given: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``given`` with the mean and standard deviation of ``target`` in Lab, over all pixels."""
    ours, theirs = (rgb_to_lab(as_float(torch.from_numpy(np.array(x)))) for x in (given, target))

    def law(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = x.transpose(0, 1).flatten(1)
        return flat.mean(1).view(1, 3, 1, 1), flat.std(1).view(1, 3, 1, 1)

    (mean, std), (wanted, width) = law(ours), law(theirs)
    return as_uint8(lab_to_rgb((ours - mean) / std.clamp(min=1e-6) * width + wanted)).numpy()


def _law(
    kinds: Kinds, extractor: Extractor, pictures: np.ndarray, of: str, seed: int
) -> list[Value]:
    """KID and coverage of a baseline, if there are enough images."""
    real = features_of(kinds.other, extractor)
    train, held_out = (real[kinds.other.indices(split)] for split in ("train", "held_out"))
    lost = too_few(LEAST, sizes_of(kinds.other, len(pictures)))
    asked = [name for name in ("KID", "coverage") if name not in lost]
    keep = beside_features(kinds.other, extractor)
    found = measure(asked, extractor(pictures), train, held_out, seed, keep) if asked else {}
    return [
        value_of(
            label(f"{name} of {of}", extractor),
            extractor.spec,
            kinds.other,
            what,
            METRICS[name].better,
        )
        for name, what in found.items()
    ]


def _against_truth(
    made: np.ndarray, truth: np.ndarray, best: np.ndarray
) -> Iterator[tuple[str, np.ndarray, float, Better]]:
    """(name, value of each image, value of the truth itself, better direction).

    ``best``: the ranks of the truth itself.
    """
    yield "paired L1", pixel_error(made, truth), 0.0, "lower"
    yield "paired SSIM", likeness(made, truth), 1.0, "higher"
    place = ranks(made, truth)
    yield "R@1", place == 1, float((best == 1).mean()), "higher"
    yield "mean rank", place, float(best.mean()), "lower"


def _attributes(
    read: Mapping[str, np.ndarray],
    ceiling: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
) -> Iterator[tuple[str, Measured]]:
    """Shares of attributes read correctly, directly and after the best renaming of values.

    Each has the share of the truth itself as its floor.
    """
    kept = {name: read[name] == labels[name] for name in read}
    best = {name: ceiling[name] == labels[name] for name in read}
    renamed = {name: matched(read[name], labels[name]) for name in read}
    every = np.stack(list(best.values())).mean()
    yield "attributes kept", over_pictures(np.stack(list(kept.values())).mean(0), float(every))
    yield (
        "attributes matched",
        over_pictures(np.stack(list(renamed.values())).mean(0), float(every)),
    )
    for name in read:
        yield f"kept {name}", over_pictures(kept[name], float(best[name].mean()))
        yield f"matched {name}", over_pictures(renamed[name], float(best[name].mean()))
        told = shared_information(read[name], labels[name])
        most = shared_information(ceiling[name], labels[name])
        yield f"information on {name}", Measured(told, most, nan, nan, len(read[name]), 0, 1)


def _flat(pictures: np.ndarray) -> np.ndarray:
    """Images as vectors, (N, 3 H W) in [0, 1]."""
    return np.array(pictures, np.float64).reshape(len(pictures), -1) / 255


def _cycle(
    x: torch.Tensor, y: torch.Tensor, back: Way, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Mean absolute cycle error (N,), as a share of the range of pixels.

    Also with the translation rounded to 8 bits, compressed as JPEG of quality 75, and with faint
    noise. An error that grows then shows information hidden in invisible details (Chu et al. 2017).
    """
    rounded = as_uint8(y)
    noise = torch.randn(y.shape, generator=generator("cycle noise", seed)) * 2 * NOISE
    jpeg = torch.from_numpy(as_jpeg(rounded.numpy()))
    for name, between in (
        ("cycle L1", y),
        ("cycle L1 after 8 bits", as_float(rounded)),
        ("cycle L1 after JPEG", as_float(jpeg)),
        ("cycle L1 after noise", y + noise),
    ):
        again = back(between)
        yield name, ((again - x).abs().mean((1, 2, 3)) / 2).numpy()
