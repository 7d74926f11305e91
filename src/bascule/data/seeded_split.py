"""An image set whose held-out images are chosen anew from a seed, or one fold after the other.

A set holds out the same images for every seed. So an interval over seeds does not include how much
results depend on that choice (Bouthillier et al. 2021, "Accounting for Variance in Machine Learning
Benchmarks"). An experiment with ``vary=("split",)`` uses this class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.core.fields import added_field, brief, check_fields
from bascule.core.shapes import Shape, shape_of
from bascule.data.images import ImageSet, Progress
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.source import DataSource

MOST_FOLDS = 100


@dataclass(frozen=True)
class SeededSplit(DataSource):
    """The images of the set ``of``, of which as many as before are held out, chosen by ``seed``.

    They are chosen among all images, also where the held-out images of ``of`` were given by hand.
    Near duplicates are never on both sides of the split. Where groups of them do not fit, fewer
    images are held out. Pixels, labels and digest are those of the set ``of``.

    folds  0, or into how many parts of about equal size all images are cut, always the same ones;
           then the part ``seed % folds`` is held out
    """

    of: DataSource
    seed: int = 0
    folds: int = added_field(0, quiet=True)

    __repr__ = brief

    def __post_init__(self) -> None:
        check_fields(self)
        if self.folds != 0 and not 2 <= self.folds <= MOST_FOLDS:
            raise UserError(
                f"SeededSplit(folds={self.folds}): expected 2 to {MOST_FOLDS}, or 0 for a share"
            )

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def shape(self) -> Shape:
        return shape_of(self.of)

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images; the set ``of`` is made first if needed."""
        images = self.of.load(progress)
        groups = near_duplicate_groups(images.pixels)
        if self.folds:
            fold = self.seed % self.folds
            held_out = folds_of(groups, self.folds) == fold
            return replace(images, held_out=held_out, split=f"fold {fold} of {self.folds}")
        # Half an image more, so that rounding never costs the last one.
        share = (int(images.held_out.sum()) + 0.5) / len(images)
        held_out = held_out_split(groups, share, self.seed)
        return replace(images, held_out=held_out, split=f"seed {self.seed}")


def folds_of(groups: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each image, int64 (N,), from 0; images of one group are in one fold.

    Groups come in a pseudo-random order that is always the same, the large ones first, and each
    joins the smallest fold so far. Raises UserError for fewer groups than folds.
    """
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < folds:
        raise UserError(
            f"{len(names)} different images, near duplicates aside, make no {folds} folds: give "
            "more images, or fewer folds"
        )
    order = sorted(range(len(names)), key=lambda k: (-sizes[k], address("fold", names[k])))
    filled, chosen = np.zeros(folds, np.int64), np.zeros(len(names), np.int64)
    for k in order:
        chosen[k] = filled.argmin()
        filled[chosen[k]] += sizes[k]
    return chosen[inverse.reshape(-1)]
