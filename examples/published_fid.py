"""The FID of published tables: all fakes against all training images, in a single computation.

By itself, the package computes FD in sets of as many fakes as there are held-out images, so that
its floor is of the same size. Published numbers are not, and FID depends on the number of images.
With `--extractor inception` and 50,000 fakes, "FD of all" is the FID of tables for CIFAR-10. Its
floor is the FID of the held-out images: 3.15 for the test set of CIFAR-10.

    bascule evaluate RUN -n 50000 --extractor inception --metric published_fid.py:FDOfAll
"""

import numpy as np

from bascule.metrics import Metric
from bascule.metrics.frechet import frechet_distance


class FDOfAll(Metric):
    name = "FD of all"
    limits = (0.0, float("inf"))
    cut = "whole"
    explained = "the Fréchet distance of all fakes to all training images, as in published tables"

    def measure(self, fakes: np.ndarray, reals: np.ndarray) -> float:
        return frechet_distance(fakes, reals)
