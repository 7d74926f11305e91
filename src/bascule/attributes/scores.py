"""How a generator's faces are distributed over attributes, compared with the training images.

One classifier reads fakes and reals, although exact labels of the reals are known. So its errors
affect both sides. A floor is the score of held-out reals in place of the fakes. For built-in faces,
the classifier's own ``fresh`` predictions are the best choice, since there are 5,000 of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bascule.attributes.reading import Reading
from bascule.core.errors import UserError
from bascule.metrics.categories import (
    Missing,
    beside_floor,
    joint_coverage,
    missing,
    out_of_vocabulary,
    total_variation,
)
from bascule.metrics.least import Sizes
from bascule.metrics.metric import Measured

LEAST_IMAGES = 50
LEAST = Sizes(fakes=LEAST_IMAGES, held_out=0, train=LEAST_IMAGES)  # floors use fresh renders
IMAGES_PER_COMBINATION = 5


@dataclass(frozen=True)
class AttributeScores:
    """Scores with their floors; images out of vocabulary count like all others.

    total_variation       distance of each attribute's distributions, in [0, 1], 0 if equal
    mean_total_variation  its mean over attributes
    missing               for each attribute, the categories that no fake has, with the share that
                          is expected by chance
    missing_categories    their number, over all attributes
    joint_over            the attributes whose combinations are counted
    joint_coverage        share of the training reals whose combination some fake has
    joint_in_vocabulary   the same without fakes that are out of vocabulary. The classifier must
                          give every image some category, so noise would look like variety.
    combinations          number of different combinations among the fakes
    out_of_vocabulary     share of images that no renderer would draw
    """

    total_variation: dict[str, Measured]
    mean_total_variation: Measured
    missing: dict[str, Missing]
    missing_categories: Measured
    joint_over: tuple[str, ...]
    joint_coverage: Measured
    joint_in_vocabulary: Measured
    combinations: Measured
    out_of_vocabulary: Measured


def attribute_scores(
    fake: Reading, train: Reading, held_out: Reading, seed: int = 0
) -> AttributeScores:
    """Scores of ``fake`` against ``train``, and floors from ``held_out`` at the same n.

    n = min(fakes, held-out). Larger sets are cut into disjoint sets of n; results are means over
    these (:func:`~bascule.metrics.categories.beside_floor`); ``seed`` decides which image is in
    which set. ``missing`` uses all fakes together. All three must be predictions of one
    classifier.
    Raises UserError for fewer than 50 images, or for different attributes.
    """
    readings = {"fakes": fake, "training reals": train, "held-out reals": held_out}
    names = tuple(train.labels)
    for what, reading in readings.items():
        if len(reading) < LEAST_IMAGES:
            raise UserError(
                f"{len(reading)} {what}: attribute scores need at least {LEAST_IMAGES} images of "
                "each kind; give more"
            )
        if tuple(reading.labels) != names:
            raise UserError(
                f"the {what} were read for {', '.join(reading.labels)}, the training reals for "
                f"{', '.join(names)}: read all with one classifier"
            )
    fakes, reals, others = _coded([fake, train, held_out], names)
    fakes, others = (
        np.column_stack([labels, one.out_of_vocabulary])  # the last column
        for labels, one in ((fakes, fake), (others, held_out))
    )
    n = min(len(fake), len(held_out))
    over = joint_attributes(train, n)
    columns = [names.index(name) for name in over]

    def measured(value: Callable[[np.ndarray], float]) -> Measured:
        return beside_floor(value, fakes, others, len(train), seed)

    def covered(x: np.ndarray) -> float:
        return joint_coverage(x[:, columns], reals[:, columns]).coverage

    def covered_by_faces(x: np.ndarray) -> float:
        faces = x[x[:, -1] == 0]
        return covered(faces) if len(faces) else 0.0

    def apart(x: np.ndarray) -> float:
        return float(np.mean([total_variation(x[:, k], reals[:, k]) for k in range(len(names))]))

    def absent(x: np.ndarray) -> float:
        return float(sum(len(missing(x[:, k], reals[:, k]).categories) for k in range(len(names))))

    return AttributeScores(
        total_variation={
            name: measured(lambda x, k=k: total_variation(x[:, k], reals[:, k]))  # type: ignore[misc]
            for k, name in enumerate(names)
        },
        mean_total_variation=measured(apart),
        missing={name: missing(fake.labels[name], train.labels[name]) for name in names},
        missing_categories=measured(absent),
        joint_over=over,
        joint_coverage=measured(covered),
        joint_in_vocabulary=measured(covered_by_faces),
        combinations=measured(
            lambda x: float(joint_coverage(x[:, columns], reals[:, columns]).combinations)
        ),
        out_of_vocabulary=beside_floor(
            out_of_vocabulary, fake.out_of_vocabulary, held_out.out_of_vocabulary, len(train), seed
        ),
    )


def joint_attributes(train: Reading, n: int) -> tuple[str, ...]:
    """The attributes whose combinations can be counted with ``n`` images.

    Only parts, if there are any: a generator may paint every shirt in every colour and still know
    few faces. They are taken in order of the perplexity of their distribution in the training
    reals, largest first. Each is taken if there are still five images per effective combination.
    """
    parts = [name for name in train.labels if name.endswith("Variant")] or list(train.labels)
    spread = {name: _perplexity(train.labels[name]) for name in parts}
    taken: list[str] = []
    combinations = 1.0
    for name in sorted(parts, key=lambda name: -spread[name]):
        if combinations * spread[name] * IMAGES_PER_COMBINATION <= n or not taken:
            taken.append(name)
            combinations *= spread[name]
    return tuple(taken)


def _perplexity(labels: np.ndarray) -> float:
    """exp(entropy): the number of equally frequent categories with the same entropy."""
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _coded(readings: Sequence[Reading], names: Sequence[str]) -> list[np.ndarray]:
    """Labels as integers, one array (N, attributes) per reading: much faster than text."""
    ends = np.cumsum([len(reading) for reading in readings])[:-1]
    columns = []
    for name in names:
        every = np.concatenate([reading.labels[name] for reading in readings])
        columns.append(np.unique(every, return_inverse=True)[1].reshape(-1))
    return np.split(np.stack(columns, 1), ends)
