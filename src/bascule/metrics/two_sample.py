"""The 1-nearest-neighbour two-sample test.

Lopez-Paz & Oquab 2017; Xu et al. 2018 for the halves. Each image is classified as real or fake by
its nearest other image in both sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Sample
from bascule.metrics.neighbours import nearest, nearest_others
from bascule.metrics.points import pair
from bascule.metrics.quantity import SHARE

TIE = 1e-9  # relative difference


@dataclass(frozen=True)
class OneNN:
    """Shares of images that are classified correctly, in [0, 1].

    0.5 if the distributions are equal, 1 if the sets are separate. Below 0.5, images are nearer to
    the other set than to their own: copies. For a collapsed generator, the fake half is near 1 and
    the real half may be near 0.
    """

    accuracy: float
    real_half: float
    fake_half: float


def one_nn(real: np.ndarray, fake: np.ndarray) -> OneNN:
    """Leave-one-out accuracy over ``real`` and ``fake``, both (n, d), n >= 2.

    The sets must have equal size, or 0.5 has no meaning; take a random part of the larger one. If
    the nearest images of both sets are equally far (to 1e-9), an image counts half.
    """
    real, fake = pair(real, fake, ("real", "fake"), at_least=2)
    if len(real) != len(fake):
        raise UserError(
            f"{len(real)} reals and {len(fake)} fakes: the 1-NN test needs equal numbers; "
            "take a random part of the larger set"
        )
    halves = [_half(real, fake), _half(fake, real)]
    return OneNN((halves[0] + halves[1]) / 2, *halves)


def _half(own: np.ndarray, other: np.ndarray) -> float:
    """The share of ``own`` that is classified correctly."""
    near, far = nearest_others(own)[0][:, 0], nearest(own, other)[0][:, 0]
    tie = np.isclose(near, far, rtol=TIE, atol=0.0)
    return float(np.where(tie, 0.5, near < far).mean())


def _test(sample: Sample) -> OneNN:
    return one_nn(sample.reference.alike(len(sample.x)), sample.x)


class Accuracy(Metric):
    """The share of images that the 1-NN test classifies correctly."""

    name = "1-NN accuracy"
    better = "floor"
    limits = SHARE
    ideal = 0.5
    place = 110

    def judge(self, sample: Sample) -> float:
        return sample.once(_test).accuracy


class RealHalf(Metric):
    """The share of reals that the 1-NN test classifies as real."""

    name = "1-NN real half"
    better = "floor"
    limits = SHARE
    ideal = 0.5
    by_default = False
    place = 120

    def judge(self, sample: Sample) -> float:
        return sample.once(_test).real_half


class FakeHalf(Metric):
    """The share of fakes that the 1-NN test classifies as fake."""

    name = "1-NN fake half"
    better = "floor"
    limits = SHARE
    ideal = 0.5
    by_default = False
    place = 130

    def judge(self, sample: Sample) -> float:
        return sample.once(_test).fake_half
