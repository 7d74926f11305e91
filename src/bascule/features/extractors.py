"""The extractors by name. A network is built only when it is requested."""

from __future__ import annotations

from collections.abc import Callable

from bascule.core.errors import unknown
from bascule.features.dinov2 import DINOv2
from bascule.features.efficientnet import EfficientNetLite0
from bascule.features.extractor import Extractor
from bascule.features.inception import InceptionV3
from bascule.features.pixels import Pixels
from bascule.features.random_conv import RandomConv

DEFAULT = "efficientnet-lite0"
EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "efficientnet-lite0": EfficientNetLite0,
    "random-conv": RandomConv,
    "pixels": Pixels,
    "inception": InceptionV3,
    "dinov2-s": lambda: DINOv2("s"),
    "dinov2-b": lambda: DINOv2("b"),
    "dinov2-l": lambda: DINOv2("l"),
}


def extractor(name: str = DEFAULT) -> Extractor:
    """The extractor called ``name``.

    Raises UserError for an unknown name, or if a package or the weights of an optional network are
    missing.
    """
    if name not in EXTRACTORS:
        raise unknown("extractor", name, EXTRACTORS)
    return EXTRACTORS[name]()
