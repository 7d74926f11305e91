"""Two image sets in one: the two domains of a translation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.images import DOMAIN, ImageSet, Progress, credits_of, digest_of, in_chunks
from bascule.data.source import DataSource, PairSource


@dataclass(frozen=True)
class TwoSets(PairSource):
    """The images of ``a``, then those of ``b``, of the same size and unpaired."""

    a: DataSource
    b: DataSource

    def __post_init__(self) -> None:
        check_fields(self)
        if self.a.size != self.b.size:
            raise UserError(
                f"TwoSets of {self.a.size} and {self.b.size} px: give both the same size"
            )

    @property
    def size(self) -> int:
        return self.a.size

    def load(self, progress: Progress | None = None) -> ImageSet:
        """Both sets, in memory; each keeps its held-out images. The only label is ``domain``."""
        sets = [self.a.load(progress), self.b.load(progress)]
        for images in sets:
            if len(images.indices("train")) < 2:
                raise UserError(f"{images.name} has a single training image: expected at least 2")
        pixels = np.concatenate([images.pixels for images in sets])
        names = np.repeat(["a", "b"], [len(images) for images in sets])
        splits = dict.fromkeys(images.split or "its own" for images in sets)
        return ImageSet(
            name=f"{sets[0].name} and {sets[1].name}",
            pixels=pixels,
            held_out=np.concatenate([images.held_out for images in sets]),
            labels={DOMAIN: names},
            digest=digest_of(in_chunks(pixels), pixels.shape),
            credit=credits_of(images.credit for images in sets),
            split=" and ".join(splits) if any(images.split for images in sets) else "",
        )
