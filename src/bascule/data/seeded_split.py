"""An image set whose held-out images are chosen anew from a seed.

A set holds out the same images for every seed. So an interval over seeds does not include how much
results depend on that choice (Bouthillier et al. 2021, "Accounting for Variance in Machine Learning
Benchmarks"). An experiment with ``vary=("split",)`` uses this class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bascule.core.fields import check_fields
from bascule.core.shapes import Shape, shape_of
from bascule.data.images import ImageSet, Progress
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.source import DataSource


@dataclass(frozen=True)
class SeededSplit(DataSource):
    """The images of the set ``of``, of which as many as before are held out, chosen by ``seed``.

    They are chosen among all images, also where the held-out images of ``of`` were given by hand.
    Near duplicates are never on both sides of the split. Where groups of them do not fit, fewer
    images are held out. Pixels, labels and digest are those of the set ``of``.
    """

    of: DataSource
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def shape(self) -> Shape:
        return shape_of(self.of)

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images; the set ``of`` is made first if needed."""
        images = self.of.load(progress)
        # Half an image more, so that rounding never costs the last one.
        share = (int(images.held_out.sum()) + 0.5) / len(images)
        held_out = held_out_split(near_duplicate_groups(images.pixels), share, self.seed)
        return replace(images, held_out=held_out, split=f"seed {self.seed}")
