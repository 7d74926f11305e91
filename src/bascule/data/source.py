"""The base classes of image sets for recipes, of the package and of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bascule.core.fields import Open
from bascule.data.images import ImageSet, Progress


class DataSource(Open):
    """Where the images of a recipe come from, as a frozen dataclass; users set its fields.

    size  the side of the images in pixels, a field or a property

    A source of other images than RGB squares has a ``shape``, too: channels, height and width; and
    ``size`` is the shorter side.

    A class with ``size`` and ``load`` is a source even if it does not inherit from this one.
    """

    needs: ClassVar[tuple[str, ...]] = ("size", "load")

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The images.

        Equal sources must load equal images: a run resumes only with images of the same digest.
        ``progress`` may be called with (images done, images in all).
        :func:`bascule.data.images.from_dataset` makes an image set from any PyTorch dataset.
        """
        raise NotImplementedError


class PairSource(Open):
    """Where the two domains of images come from, for networks that translate between them.

    As :class:`DataSource`. The label ``domain`` says to which domain each image belongs, "a" or
    "b". A class must inherit from this one.

    paired     whether training image k of "a" and of "b" are counterparts
    has_truth  whether held-out image k of "a" and of "b" are counterparts
    """

    has_truth: ClassVar[bool] = False

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

    @property
    def paired(self) -> bool:
        return False

    def load(self, progress: Progress | None = None) -> ImageSet:
        """Both domains in one image set; each has held-out images of its own."""
        raise NotImplementedError


Data = DataSource | PairSource
