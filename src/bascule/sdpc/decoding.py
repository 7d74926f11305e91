"""How well images are decoded from their codes: an upper bound for any generator of codes.

Held-out images are encoded, and decoded from several parts of the code, from the low-pass alone to
all of it. The decoded images are measured like those of a generator.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import nan

import numpy as np
import torch

from bascule.attributes.reading import AttributeClassifier, Reading
from bascule.core.errors import UserError
from bascule.data.batches import as_uint8
from bascule.data.images import ImageSet, Progress
from bascule.features.cache import features_of
from bascule.features.extractor import Extractor, label
from bascule.metrics.least import Sizes
from bascule.metrics.measured import least, measure, over_pictures
from bascule.metrics.metric import Measured
from bascule.metrics.numbers import LOW_PASS, SPLIT
from bascule.metrics.paired import likeness, pixel_error
from bascule.sdpc.coder import Coder, parts
from bascule.sdpc.model import infer


def decoded(
    coder: Coder, pictures: np.ndarray, tell: Progress | None = None
) -> tuple[dict[str, np.ndarray], float]:
    """``pictures``, uint8 (N, 3, H, W), decoded in each way, and seconds of inference per image.

    "low-pass": only what preprocessing kept, with codes of 0. "layer 1", "layer 2", ...: the codes
    of that layer. "split": the complete input of the network, which is exact except for rounding.
    Raises :class:`UserError` if the recipe's preprocessing cannot be undone.
    """
    if not all(step.invertible for step in coder.recipe.preprocess):
        raise UserError(
            "the preprocessing of this network cannot be undone, so nothing can be decoded"
        )
    ways: dict[str, list[np.ndarray]] = {}
    seconds, side = 0.0, coder.recipe.data.size
    for part in parts(len(pictures), tell):
        pixels = torch.from_numpy(np.array(pictures[part]))
        y, kept = coder.recipe.prepared(pixels.to(coder.recipe.device))
        began = time.perf_counter()
        codes = infer(coder.network, y, coder.recipe.settle)
        seconds += time.perf_counter() - began
        seen = {LOW_PASS: torch.zeros_like(y)}
        for layer, g in enumerate(codes.maps, 1):
            seen[f"layer {layer}"] = coder.network.decode(g, layer, (side, side))
        for way, x in (seen | {SPLIT: y}).items():
            again = as_uint8(coder.recipe.restored(x, kept)).expand(-1, 3, -1, -1).cpu().numpy()
            ways.setdefault(way, []).append(again)
    return {way: np.concatenate(each) for way, each in ways.items()}, seconds / len(pictures)


def measure_decoding(
    coder: Coder,
    images: ImageSet,
    n: int,
    extractor: Extractor,
    classifier: AttributeClassifier | None = None,
    seed: int = 0,
    tell: Progress | None = None,
) -> Iterator[tuple[str, Measured | str]]:
    """Measurements by label of at most ``n`` held-out images, decoded in every way.

    The floor is the number of the original images. A text instead of a number is the reason why it
    is left out.

    ``KID`` is against training images; ``paired L1`` and ``SSIM`` are against the image itself.
    With a ``classifier`` there are also ``attributes read``, the share of reliable attributes that
    are still read correctly, and ``out of vocabulary``. ``milliseconds`` is the time of inference
    per image, on this machine.
    """
    places = images.indices("held_out")[:n]
    given = np.array(images.pixels[places])
    pictures, seconds = decoded(coder, given, tell)
    real = features_of(images, extractor)
    train, held_out = real[images.indices("train")], real[places]
    untouched = classifier.read(given) if classifier else None
    why = least("KID").lacks(Sizes(len(given), len(given), len(train)))

    def right(reading: Reading) -> np.ndarray:
        told = [reading.labels[name] == images.labels[name][places] for name in reading.labels]
        share: np.ndarray = np.mean(told, 0)
        return share

    for way, again in pictures.items():
        kid = why or measure("KID", extractor(again), train, held_out, seed)["KID"]
        yield label(f"KID of {way}", extractor), kid
        yield f"paired L1 of {way}[decoded]", over_pictures(pixel_error(again, given), 0.0)
        yield f"SSIM of {way}[decoded]", over_pictures(likeness(again, given), 1.0)
        if classifier is None or untouched is None:
            continue
        read = classifier.read(again)
        kept = over_pictures(right(read), right(untouched).mean())
        yield f"attributes read of {way}[decoded]", kept
        odd = over_pictures(read.out_of_vocabulary, untouched.out_of_vocabulary.mean())
        yield f"out of vocabulary of {way}[decoded]", odd
    milliseconds = Measured(1000 * seconds, nan, nan, nan, len(given), len(given), 1)
    yield "milliseconds[decoded]", milliseconds
