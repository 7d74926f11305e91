"""Any PyTorch dataset as the data of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.images import ImageSet, Progress, from_dataset
from bascule.data.source import DataSource


@dataclass(frozen=True)
class FromDataset(DataSource):
    """The images of a map-style PyTorch dataset.

    of    a class or function at the top level of a user's file, which makes the dataset when called
          without arguments; or a dataset that has a name there
    size  the side of the images in pixels

    Items are as in :func:`bascule.data.images.from_dataset`. They are read at each start and must
    be the same every time: do not augment them in the dataset.
    """

    of: Any
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images, in memory. Raises UserError if ``of`` does not make such a dataset."""
        name = name_of(self.of)
        images = from_dataset(name, dataset_of(self.of))
        if images.size != self.size:
            raise UserError(
                f"the images of {name} are {images.size} px, not {self.size} px: resize them in "
                f"the dataset, or set data.size={images.size} and model.size={images.size}"
            )
        return images


def name_of(of: Any) -> str:
    """The name of a class, a function or a dataset in error lines."""
    return str(getattr(of, "__name__", type(of).__name__))


def dataset_of(of: Any) -> Any:
    """The dataset that ``of`` is, or makes when called; see :class:`FromDataset`.

    Raises :class:`UserError` if it does not make an object with a length and items.
    """
    dataset = of
    if not hasattr(dataset, "__getitem__") or isinstance(dataset, type):
        try:
            dataset = dataset()
        except TypeError as error:
            raise UserError(
                f"{name_of(of)} makes no dataset: {error}; give a function that needs no arguments"
            ) from error
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise UserError(
            f"{name_of(of)} makes no dataset: expected an object with __len__ and __getitem__"
        )
    return dataset
