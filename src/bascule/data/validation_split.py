"""A set within a set: what may be trained on, cut once more, for choices that must not be judged.

Whoever chooses a recipe by its numbers needs images for choosing that neither train the trials nor
judge the choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.images import ImageSet, Progress, digest_of, in_chunks
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.source import DataSource


@dataclass(frozen=True)
class ValidationSplit(DataSource):
    """The training images of a set alone, of which the share ``held_out`` is held out.

    Near twins stay on one side. The images that the set itself holds out are not in it.
    """

    of: DataSource
    held_out: float = 0.2

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.held_out < 1:
            raise UserError(
                f"ValidationSplit(held_out={self.held_out}): expected a share within (0, 1)"
            )

    @property
    def size(self) -> int:
        return self.of.size

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images, in memory; those of ``of`` are made first where they must be."""
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
