"""A metric of one's own: how far pictures are from their mirror images.

The package measures held-out reals in the same way, which gives the metric its floor.
It stands in the table of `evaluate`, in notes, and in the predictions of `my_question.py`.

    bascule evaluate RUN --metric my_metric.py:Asymmetry
"""

import numpy as np

from bascule.metrics import Metric


class Asymmetry(Metric):
    name = "asymmetry"
    better = "floor"  # the nearer to that of held-out reals
    on = "pixels"  # uint8 (n, 3, H, W); "features", the default, are float64 (n, d)
    limits = (0.0, 255.0)
    explained = "the mean difference of a picture and its mirror image, in grey levels"

    def measure(self, fakes: np.ndarray, reals: np.ndarray) -> float:
        x = fakes.astype(np.float64)
        return float(np.abs(x - x[..., ::-1]).mean())
