"""Features of one's own: the mean and the spread of each colour in each quarter of a picture.

KID and the other distances are then taken in this space, and their names say so: `KID[colours]`.
Features of the real images are kept, and computed again when this file changes.

    bascule evaluate RUN --features my_features.py:Colours
"""

import numpy as np

from bascule.features import FeatureExtractor


class Colours(FeatureExtractor):
    name = "colours"
    dim = 24

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """From uint8 (N, 3, H, H) to (N, 24)."""
        half = images.shape[-1] // 2
        x = images[:, :, : 2 * half, : 2 * half].reshape(len(images), 3, 2, half, 2, half) / 255
        of_quarters = [x.mean((3, 5)), x.std((3, 5))]
        return np.concatenate([part.reshape(len(images), 12) for part in of_quarters], 1)
