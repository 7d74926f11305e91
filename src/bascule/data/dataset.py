"""Any PyTorch dataset as the images of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.images import ImageSet, Progress, from_dataset
from bascule.data.source import DataSource


@dataclass(frozen=True)
class FromDataset(DataSource):
    """The images of a map-style PyTorch dataset, of ``size`` pixels a side.

    ``of``: a class or a function at the top of a file of yours, called without arguments, or a
    dataset that has a name there. What its items may be:
    :func:`bascule.data.images.from_dataset`. They are read at each start, and must be the same
    every time: do not augment them here.
    """

    of: Any
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images, in memory. Raises UserError where ``of`` makes no dataset of such images."""
        name = getattr(self.of, "__name__", type(self.of).__name__)
        dataset = self.of
        if not hasattr(dataset, "__getitem__") or isinstance(dataset, type):
            try:
                dataset = dataset()
            except TypeError as error:
                raise UserError(
                    f"{name} makes no dataset: {error}; give a function without arguments that does"
                ) from error
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise UserError(f"{name} makes no dataset: expected one with a length and items")
        images = from_dataset(name, dataset)
        if images.size != self.size:
            raise UserError(
                f"the images of {name} are {images.size} px, not {self.size} px: resize them in "
                f"the dataset, or set data.size={images.size} and model.size={images.size}"
            )
        return images
