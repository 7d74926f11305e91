"""How the faces of a generator are spread over attributes, next to the faces it learnt from.

Fakes and reals are read by one classifier, although the reals' exact labels are known: what the
classifier misreads, it misreads on both sides. A floor is what held-out reals score in the place
of the fakes; for built-in faces the classifier's own ``fresh`` reading is the best choice, for
there are 5,000 of them.
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
LEAST = Sizes(fakes=LEAST_IMAGES, held_out=0, train=LEAST_IMAGES)  # the floor's are fresh renders
IMAGES_PER_COMBINATION = 5


@dataclass(frozen=True)
class AttributeScores:
    """Every number beside its floor; images out of vocabulary count like any other.

    total_variation       of each attribute, in [0, 1], 0 where fakes and reals agree.
    mean_total_variation  over attributes.
    missing               of each attribute: categories that no fake has, with chance's share.
    missing_categories    their number, over all attributes.
    joint_over            the attributes whose combinations are counted.
    joint_coverage        share of the training reals whose combination some fake has.
    joint_in_vocabulary   the same, where fakes out of vocabulary cover nothing: a classifier must
                          call grain something, so it looks like variety.
    combinations          number of different combinations.
    out_of_vocabulary     share of pictures that no renderer would draw.
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
    """Scores of ``fake`` against ``train``, and of ``held_out`` in its place at the same n.

    n = min(fakes, held-out); larger readings are cut into disjoint sets of n, and means over them
    are told (:func:`~bascule.metrics.categories.beside_floor`). ``missing`` names what is absent
    from all fakes together. All three readings are by one classifier; ``seed`` settles which image
    goes into which set. Raises UserError for fewer than 50 images or readings of other attributes.
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
        np.column_stack([labels, one.out_of_vocabulary])  # in the last column
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
    """The attributes whose combinations ``n`` images can be asked to show.

    Parts only: a generator may well paint every shirt in every colour and yet know few faces. They
    are taken from the most evenly spread to the least (by the perplexity of their shares among the
    training reals), each if there are then still five images for each effective combination.
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
    """exp of the entropy: the number of equally frequent categories as hard to guess."""
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _coded(readings: Sequence[Reading], names: Sequence[str]) -> list[np.ndarray]:
    """Labels as numbers, one int array (N, attributes) a reading: far faster to count than text."""
    ends = np.cumsum([len(reading) for reading in readings])[:-1]
    columns = []
    for name in names:
        every = np.concatenate([reading.labels[name] for reading in readings])
        columns.append(np.unique(every, return_inverse=True)[1].reshape(-1))
    return np.split(np.stack(columns, 1), ends)
