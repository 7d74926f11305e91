"""Everything that is measured of a translator, beside what asks nothing of a translator.

A good KID alone says little: real pictures of the other kind, taken at random, have a perfect one.
So the same numbers are taken of three baselines: the untranslated pictures ("copy"), training
pictures of the other kind at random ("random target"), and the pictures with the colours of the
other kind ("colour transfer", Reinhard et al. 2001, in Lab). Where each picture's counterpart is
known, translations are compared with it pixel by pixel, among the others, and attribute by
attribute.
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
Way = Callable[[torch.Tensor], torch.Tensor]  # pictures (N, 3, H, W) in [-1, 1] to others


@dataclass(frozen=True)
class Kinds:
    """The two sets of a translation: held-out pictures of the first, and the second as a set.

    ``given``: uint8 (N, 3, H, W). ``labels``: those of ``given``, and ``truth`` the counterpart of
    each; empty and None where there are none.
    """

    given: np.ndarray
    other: ImageSet
    labels: Mapping[str, np.ndarray]
    truth: np.ndarray | None

    @staticmethod
    def of(images: ImageSet, n: int, paired: bool) -> Kinds:
        """At most ``n`` held-out pictures of ``images``, which is of both kinds."""
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
    """Measure the translator ``there`` on the held-out pictures of ``kinds``, quantised to 8 bits.

    ``back``: what leads back, for the cycle error; ``reader``: of attributes of the second kind,
    where the truth is known; ``classifier``: where the second kind are built-in faces. What needs
    more pictures than there are is left out, as :func:`evaluate` does.
    Returns the evaluation, and translations beside their nearest training pictures.
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
    """What asks nothing of a translator, uint8 as many as ``kinds.given``."""
    train = kinds.other.pixels[kinds.other.indices("train")]
    n = len(kinds.given)
    rng = generator("random target", seed)
    chosen = torch.randint(len(train), (n,), generator=rng).numpy()
    told = (kinds.given, np.array(train[chosen]), colour_transfer(kinds.given, train))
    return dict(zip(BASELINES, told, strict=True))


def colour_transfer(given: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``given`` with the mean and deviation of ``target`` in Lab, over all pixels."""
    ours, theirs = (rgb_to_lab(as_float(torch.from_numpy(np.array(x)))) for x in (given, target))

    def law(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = x.transpose(0, 1).flatten(1)
        return flat.mean(1).view(1, 3, 1, 1), flat.std(1).view(1, 3, 1, 1)

    (mean, std), (wanted, width) = law(ours), law(theirs)
    return as_uint8(lab_to_rgb((ours - mean) / std.clamp(min=1e-6) * width + wanted)).numpy()


def _law(
    kinds: Kinds, extractor: Extractor, pictures: np.ndarray, of: str, seed: int
) -> list[Value]:
    """KID and coverage of a baseline, where there are enough pictures."""
    real = features_of(kinds.other, extractor)
    train, held_out = (real[kinds.other.indices(split)] for split in ("train", "held_out"))
    lost = too_few(LEAST, sizes_of(kinds.other, len(pictures)))
    asked = [name for name in ("KID", "coverage") if name not in lost]
    found = measure(asked, extractor(pictures), train, held_out, seed) if asked else {}
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
    """Name, value of each picture, that of the truth itself, and which is better.

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
    """Shares of attributes read right, and after the best renaming; each beside the truth's."""
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
    """Pictures as points, (N, 3 H W) in [0, 1]."""
    return np.array(pictures, np.float64).reshape(len(pictures), -1) / 255


def _cycle(
    x: torch.Tensor, y: torch.Tensor, back: Way, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Mean absolute error (N,) of the way there and back, as a share of the range.

    Then once more with the translation rounded to 8 bits, as JPEG of quality 75, and with faint
    noise: what is lost then was hidden in what no one sees (Chu et al. 2017).
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
