"""A validation split: the training images of a set, split again for choosing a recipe.

To choose a recipe by its results, one needs images that neither train the trials nor evaluate the
chosen recipe at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.core.shapes import Shape, shape_of
from bascule.data.images import ImageSet, Progress, digest_of, in_chunks
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.source import DataSource


@dataclass(frozen=True)
class ValidationSplit(DataSource):
    """Only the training images of the set ``of``; a share of them is held out for validation.

    of        the set; its own held-out images are not included
    held_out  the share of held-out images, in (0, 1)

    Near duplicates are never on both sides of the split.
    """

    of: DataSource
    held_out: float = 0.2

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.held_out < 1:
            raise UserError(
                f"ValidationSplit(held_out={self.held_out}): expected a share between 0 and 1"
            )

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def shape(self) -> Shape:
        return shape_of(self.of)

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images, in memory; the set ``of`` is made first if needed."""
        whole = self.of.load(progress)
        kept = whole.indices("train")
        pixels = np.ascontiguousarray(whole.pixels[kept])
        return ImageSet(
            name=whole.name,
            pixels=pixels,
            held_out=held_out_split(near_duplicate_groups(pixels), self.held_out),
            labels={name: values[kept] for name, values in whole.labels.items()},
            digest=digest_of(in_chunks(pixels), pixels.shape),
            credit=whole.credit,
        )
