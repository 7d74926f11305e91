"""Settle a generator's images in dictionaries: does feedback act as a prior for faces?

The layers of a network that was trained on faces predict faces. A generator's images are encoded
with increasing feedback, and the decoded images are measured like the originals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bascule.attributes import scores as attributes
from bascule.attributes.reading import AttributeClassifier
from bascule.attributes.scores import attribute_scores
from bascule.data.images import ImageSet, Progress
from bascule.features.cache import features_of
from bascule.features.extractor import Extractor, label
from bascule.metrics.least import Sizes
from bascule.metrics.measured import least, measure
from bascule.metrics.metric import Measured
from bascule.sdpc.coder import Coder, pass_of


def measure_settled(
    coder: Coder,
    fakes: np.ndarray,
    images: ImageSet,
    extractor: Extractor,
    k_fb: Sequence[float],
    classifier: AttributeClassifier | None = None,
    seed: int = 0,
    tell: Progress | None = None,
) -> Iterator[tuple[str, Measured | str]]:
    """Measure ``fakes``, uint8 (N, 3, H, W), settled at each ``k_fb`` and decoded from each layer.

    Returns numbers by label: KID against training images and, with a ``classifier``, mean TV and
    the share out of vocabulary. The floor is the number of the original held-out images. A text
    instead of a number is the reason why it is left out.
    """
    real = features_of(images, extractor)
    train, held_out = images.indices("train"), images.indices("held_out")
    known = classifier.read(images.pixels[train]) if classifier else None
    there = Sizes(len(fakes), len(held_out), len(train))
    no_kid, no_scores = least("KID").lacks(there), attributes.LEAST.lacks(there)
    for place, k in enumerate(k_fb):
        how = coder.recipe.settle.replace(k_fb=float(k))
        coded = coder.encode(fakes, how, pass_of(tell, place, len(k_fb)))
        for layer in range(1, len(coder.network.layers) + 1):
            again = coder.decode(coded, layer)
            way = f"layer {layer} at k_fb={k:g}"
            found = extractor(again)
            kid = no_kid or measure("KID", found, real[train], real[held_out], seed)["KID"]
            yield label(f"KID of {way}", extractor), kid
            if classifier is None or known is None:
                continue
            if no_scores:
                yield f"mean TV of {way}[settled]", no_scores
                yield f"out of vocabulary of {way}[settled]", no_scores
                continue
            scores = attribute_scores(classifier.read(again), known, classifier.fresh, seed)
            yield f"mean TV of {way}[settled]", scores.mean_total_variation
            yield f"out of vocabulary of {way}[settled]", scores.out_of_vocabulary
