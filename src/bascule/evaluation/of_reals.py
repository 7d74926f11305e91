"""Keeps what metrics compute of real images alone, beside their features in the cache.

Such are distances and kernels within the training images, whose cost grows with the square of their
number, and the floors. They are equal for all fakes that a set of images judges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

import bascule.metrics
from bascule.core import atomic
from bascule.core.arrays import read_arrays
from bascule.core.errors import UserError
from bascule.data.images import ImageSet
from bascule.features.cache import place_of
from bascule.features.extractor import Extractor
from bascule.metrics.metric import Keep


def beside_features(images: ImageSet, extractor: Extractor) -> Keep:
    """Keeps arrays in the folder of the features of ``images`` by ``extractor``.

    An array is found again for the same features, the same images held out, and the same source of
    all metrics. A file that is missing or damaged is made again; one that cannot be written, as in
    a folder that may only be read, is left out.
    """
    features = place_of(images, extractor)
    split = hashlib.sha256(np.packbits(images.held_out).tobytes()).hexdigest()

    def keep(what: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        key = hashlib.sha256(f"{what};{split};{_source()}".encode()).hexdigest()[:12]
        place = features.with_name(f"{features.stem}-{key}.npz")
        with suppress(OSError, ValueError, KeyError):
            return read_arrays(place)["of_reals"]  # the file has a check sum
        found = compute()
        with suppress(OSError, UserError):
            place.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(place, lambda path: _save(path, found), sync=False)
        return found

    return keep


@cache
def _source() -> str:
    """The digest of the source of all metrics: where a formula changed, nothing is found again."""
    files = sorted(Path(bascule.metrics.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _save(path: Path, of_reals: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, of_reals=of_reals)
