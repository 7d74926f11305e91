"""Metrics of D's logits: does D separate reals from fakes, is it calibrated, has it memorised?

All functions take logits, float (N,), high where D sees a real image; D(x) = sigmoid(logit).
``real`` are logits of real images, ``held_out`` of reals that training never sees, ``fake`` of
generated images. Both classes have weight one half, for any numbers of logits. Raise
:class:`UserError` if an array is empty, not one-dimensional, or not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, nan
from typing import Any

import numpy as np

from bascule.core.errors import UserError

CALIBRATION_BINS = 10


def auc(real: Any, fake: Any) -> float:
    """The probability that a real has a higher logit than a fake, ties counted half, in [0, 1].

    The Mann-Whitney U divided by its maximum n * m; 1/2 if D cannot tell reals from fakes.

    >>> auc([2.0, 1.0], [0.0, -1.0]), auc([1.0, 0.0], [1.0, 0.0])
    (1.0, 0.5)
    """
    from scipy.stats import rankdata

    r, f = _checked("real", real), _checked("fake", fake)
    ranks = rankdata(np.concatenate([r, f]))  # ties have their mean rank
    u = ranks[: len(r)].sum() - len(r) * (len(r) + 1) / 2
    return float(u / (len(r) * len(f)))


def auc_at_least(found: float, n: int, confidence: float = 0.95) -> float:
    """A lower confidence bound of the true AUC, from an :func:`auc` of ``n`` reals and ``n`` fakes.

    In [0, 1]. It is the Clopper-Pearson bound for n independent pairs, of which the share ``found``
    (rounded down) has the right order; 0.05^(1/n) if all have. It needs no assumptions about the
    distributions. It is conservative, because an AUC uses all n^2 pairs.
    """
    from scipy.special import betaincinv

    if not 0 <= found <= 1 or n < 1:
        raise UserError(f"AUC {found:g} of {n} images: expected a number in [0, 1], of 1 or more")
    right = int(found * n + 1e-9)
    return float(betaincinv(right, n - right + 1, 1 - confidence)) if right else 0.0


def accuracy(real: Any, fake: Any) -> float:
    """Balanced accuracy with the threshold D = 1/2, in [0, 1]; a logit of exactly 0 counts half."""
    r, f = _checked("real", real), _checked("fake", fake)
    right = (np.sign(r).mean() - np.sign(f).mean()) / 4  # in [-1/2, 1/2]
    return float(0.5 + right)


def ada_rt(train: Any) -> float:
    """r_t = E sign(logit) over training images, in [-1, 1].

    Karras et al. 2020 (ADA), equation 1, where the images are augmented; here the caller decides.
    It is also near 1 if D wins without overfitting, so it does not prove overfitting alone.
    """
    return float(np.sign(_checked("train", train)).mean())


def ada_rv(train: Any, held_out: Any, fake: Any) -> float:
    """r_v = (E train - E held_out) / (E train - E fake): 0 without overfitting, 1 with the most.

    Karras et al. 2020 (ADA), equation 1. NaN if train and fake have equal means. It is unbounded:
    if these means are almost equal, the ratio is noise.
    """
    t, h, f = _checked("train", train), _checked("held_out", held_out), _checked("fake", fake)
    across = t.mean() - f.mean()
    return float((t.mean() - h.mean()) / across) if across != 0 else nan


def calibration_error(real: Any, fake: Any, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error of sigmoid(logit), both classes weighted equally, in [0, 1].

    Naeini et al. 2015: |share of reals - mean D| over equal bins of D, weighted by their mass. For
    the optimal D, p / (p + q), it is 0; a finite sample adds about 0.5 * sqrt(bins / N).
    """
    p, is_real, weight = _even_odds(real, fake)
    place = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(place, weight * (is_real - p), minlength=bins)
    return float(np.abs(gap).sum())


def brier(real: Any, fake: Any) -> float:
    """Mean squared error of sigmoid(logit), with equal weights (Brier 1950); 1/4 for D = 1/2."""
    p, is_real, weight = _even_odds(real, fake)
    return float((weight * (is_real - p) ** 2).sum())


def jsd_bound(held_out: Any, fake: Any) -> float:
    """A lower bound of the Jensen-Shannon divergence of reals and fakes in nats: ln 2 - L_D / 2.

    Goodfellow et al. 2014, from equation 4: no D exceeds the divergence. Valid only for images that
    D was not trained on. A negative bound says nothing.
    """
    h, f = _checked("held_out", held_out), _checked("fake", fake)
    loss = np.logaddexp(0, -h).mean() + np.logaddexp(0, f).mean()
    return float(log(2) - loss / 2)


def tv_bound(held_out: Any, fake: Any) -> float:
    """A lower bound of the total variation: 2 * balanced accuracy - 1. See :func:`jsd_bound`."""
    return 2 * accuracy(held_out, fake) - 1


@dataclass(frozen=True)
class Spread:
    """How D = sigmoid(logit) varies over one set of images; ``cv`` is std / mean."""

    mean: float
    std: float
    cv: float
    min: float
    max: float


def spread(logits: Any) -> Spread:
    """The :class:`Spread` of D over images with these logits; std has divisor N."""
    from scipy.special import expit

    p = expit(_checked("logits", logits))
    mean, std = float(p.mean()), float(p.std())
    return Spread(mean, std, std / mean if mean > 0 else nan, float(p.min()), float(p.max()))


def _even_odds(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D for all images, whether each is real, and weights that sum to one half for each class."""
    from scipy.special import expit

    r, f = _checked("real", real), _checked("fake", fake)
    sizes = (len(r), len(f))
    weight = np.repeat([0.5 / len(r), 0.5 / len(f)], sizes)
    return expit(np.concatenate([r, f])), np.repeat([1.0, 0.0], sizes), weight


def _checked(name: str, logits: Any) -> np.ndarray:
    x = np.asarray(logits, np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise UserError(f"{name} logits have shape {x.shape}: expected (N,) with N >= 1")
    if not np.isfinite(x).all():
        raise UserError(f"{(~np.isfinite(x)).sum()} of {len(x)} {name} logits are not finite")
    return x
