"""What a recipe's data are: the base classes of image sets, of the package and of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bascule.core.fields import Open
from bascule.data.images import ImageSet, Progress


class DataSource(Open):
    """Where images come from, as a frozen dataclass; its fields are what may be set.

    ``size``: the side of the images, in pixels, a field or a property. A class that has both names
    need not inherit from this one.
    """

    needs: ClassVar[tuple[str, ...]] = ("size", "load")

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images. Equal sources must load equal images: a run goes on only with those that it
        began with, by their digest. ``progress`` may be told (images done, images in all).

        :func:`bascule.data.images.from_dataset` makes an image set of any PyTorch dataset.
        """
        raise NotImplementedError


class PairSource(Open):
    """Where two kinds of pictures come from, for nets that turn one into the other.

    As :class:`DataSource`, and the label ``domain`` says of each image which kind it is, "a" or
    "b". A class must inherit from this one.
    """

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

    def load(self, progress: Progress | None = None) -> ImageSet:
        """Both kinds in one image set; each keeps its own held-out images."""
        raise NotImplementedError


Data = DataSource | PairSource
