"""What D's logits say: can it tell, is it honest about it, and has it learnt by heart?

Every function takes logits, float (N,), high where D sees a real image; D(x) = sigmoid(logit).
``real`` are logits of real images, ``held_out`` of real images that training never sees,
``fake`` of generated ones. The two classes weigh one half each, however many logits each has.
Raises :class:`UserError` where an array is empty, not one-dimensional, or not finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, nan
from typing import Any

import numpy as np

from bascule.core.errors import UserError

CALIBRATION_BINS = 10


def auc(real: Any, fake: Any) -> float:
    """The chance that a real scores above a fake, ties counted half, in [0, 1].

    The Mann-Whitney U over its largest value n * m; 1/2 where D cannot tell.

    >>> auc([2.0, 1.0], [0.0, -1.0]), auc([1.0, 0.0], [1.0, 0.0])
    (1.0, 0.5)
    """
    from scipy.stats import rankdata

    r, f = _checked("real", real), _checked("fake", fake)
    ranks = rankdata(np.concatenate([r, f]))  # of ties: their mean rank
    u = ranks[: len(r)].sum() - len(r) * (len(r) + 1) / 2
    return float(u / (len(r) * len(f)))


def auc_at_least(found: float, n: int, confidence: float = 0.95) -> float:
    """What an :func:`auc` of ``n`` reals and as many fakes shows to be exceeded, in [0, 1].

    The Clopper-Pearson bound of n pairs, each image in one of them, of which the share ``found``
    (rounded down) is in the right order: 0.05^(1/n) where all are. It asks nothing of the two laws
    and is cautious, for an AUC looks at all n^2 pairs.
    """
    from scipy.special import betaincinv

    if not 0 <= found <= 1 or n < 1:
        raise UserError(f"AUC {found:g} of {n} images: expected a number in [0, 1], of 1 or more")
    right = int(found * n + 1e-9)
    return float(betaincinv(right, n - right + 1, 1 - confidence)) if right else 0.0


def accuracy(real: Any, fake: Any) -> float:
    """Balanced accuracy of the threshold D = 1/2, in [0, 1]; a logit of exactly 0 counts half."""
    r, f = _checked("real", real), _checked("fake", fake)
    right = (np.sign(r).mean() - np.sign(f).mean()) / 4  # of [-1/2, 1/2]
    return float(0.5 + right)


def ada_rt(train: Any) -> float:
    """r_t = E sign(logit) over training images, in [-1, 1].

    Karras et al. 2020 (ADA), equation 1. They ask it of augmented images; here D decides what
    it is asked about. Near 1 also where D simply wins, so it accuses nobody alone.
    """
    return float(np.sign(_checked("train", train)).mean())


def ada_rv(train: Any, held_out: Any, fake: Any) -> float:
    """r_v = (E train - E held_out) / (E train - E fake): 0 no over-fitting, 1 all of it.

    Karras et al. 2020 (ADA), equation 1. NaN where train and fake have one mean. Unbounded: near
    such a D the ratio is noise.
    """
    t, h, f = _checked("train", train), _checked("held_out", held_out), _checked("fake", fake)
    across = t.mean() - f.mean()
    return float((t.mean() - h.mean()) / across) if across != 0 else nan


def calibration_error(real: Any, fake: Any, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error of sigmoid(logit) at even odds, in [0, 1].

    Naeini et al. 2015: |share of reals - mean D| over equal bins of D, weighted by mass. The best
    D, p / (p + q), has 0; a finite sample adds about 0.5 * sqrt(bins / N).
    """
    p, is_real, weight = _even_odds(real, fake)
    place = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(place, weight * (is_real - p), minlength=bins)
    return float(np.abs(gap).sum())


def brier(real: Any, fake: Any) -> float:
    """Mean squared error of sigmoid(logit) at even odds (Brier 1950); 1/4 where D = 1/2."""
    p, is_real, weight = _even_odds(real, fake)
    return float((weight * (is_real - p) ** 2).sum())


def jsd_bound(held_out: Any, fake: Any) -> float:
    """A lower bound on the Jensen-Shannon divergence of the two laws, nats: ln 2 - L_D / 2.

    Goodfellow et al. 2014, from equation 4: no D does better than the divergence. Valid on images
    that D never trained on; may be negative, where it says nothing.
    """
    h, f = _checked("held_out", held_out), _checked("fake", fake)
    loss = np.logaddexp(0, -h).mean() + np.logaddexp(0, f).mean()
    return float(log(2) - loss / 2)


def tv_bound(held_out: Any, fake: Any) -> float:
    """A lower bound on their total variation: 2 * balanced accuracy - 1. As :func:`jsd_bound`."""
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
    """The :class:`Spread` of D over images with these logits; the std has divisor N."""
    from scipy.special import expit

    p = expit(_checked("logits", logits))
    mean, std = float(p.mean()), float(p.std())
    return Spread(mean, std, std / mean if mean > 0 else nan, float(p.min()), float(p.max()))


def _even_odds(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D of all images, whether each is real, and weights that give each class one half."""
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
