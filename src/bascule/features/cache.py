"""The cache of features of image sets, by content and not by name.

The key is the digest of the pixels and the extractor's spec. So features are computed again for
other pixels, another resize rule, other weights or another version of the code.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path

import numpy as np

from bascule.core import atomic
from bascule.core.arrays import map_array
from bascule.core.errors import UserError
from bascule.data.images import ImageSet, Progress
from bascule.data.places import root
from bascule.features.extractor import Extractor

PIECE = 4096  # rows in memory at once, where a file is checked


def features_of(
    images: ImageSet, extractor: Extractor, progress: Progress | None = None
) -> np.ndarray:
    """Features float32 (N, d) of all images of the set, in its order, with held-out images.

    If they are complete in the cache, they are a read-only memory map; otherwise they are computed
    and saved. If they cannot be saved (e.g. on a full disk), they are returned with a warning.
    """
    place = place_of(images, extractor)
    kept = _read(place, len(images))
    if kept is not None:
        return kept
    features = extractor(images.pixels, progress)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(place, lambda path: _save(path, features))
    except (UserError, OSError) as error:
        warnings.warn(f"features cannot be saved for the next time: {error}", stacklevel=2)
    return features


def place_of(images: ImageSet, extractor: Extractor) -> Path:
    """The file of the features: ``features/<digest of the pixels>/<name>-<hash>.npy``."""
    slug = re.sub(r"[^a-z0-9]+", "-", extractor.name.lower()).strip("-")
    identity = hashlib.sha256(f"{extractor.spec};float32".encode()).hexdigest()[:12]
    return root() / "features" / images.digest[:16] / f"{slug}-{identity}.npy"


def _read(place: Path, n: int) -> np.ndarray | None:
    """The features in the file ``place``; None if it is missing, damaged or incomplete."""
    try:
        features = map_array(place)
    except (OSError, ValueError):
        return None
    whole = (
        isinstance(features, np.ndarray)
        and features.dtype == np.float32
        and features.ndim == 2
        and len(features) == n
        and all(np.isfinite(features[at : at + PIECE]).all() for at in range(0, n, PIECE))
    )
    return features if whole else None


def _save(path: Path, features: np.ndarray) -> None:
    # To an open file, because np.save would append .npy to the name.
    with path.open("wb") as file:
        np.save(file, features)
