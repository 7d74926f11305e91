"""How well any D can tell noise: bounds that no training can beat.

The Bayes-optimal observer knows both laws and answers "real" where the real's density is higher.
Its accuracy, AUC and loss bound those of every D **on fresh images**, at even odds. Images here
have ``n`` independent numbers (64 x 64 x 3 = 12,288), noise is Gaussian and independent, and a
strength is a number or a law that is drawn once an image (:class:`bascule.core.schedules.Uniform`),
or a tuple of these: independent noises that are added, so that the squares of their strengths add.

- :func:`two_images`: which of two known images is under the noise?
- :func:`known_image`: one known image; which law of strengths noised it? It is the easiest case,
  so it bounds the case of an unknown image too. A D that sees a whole batch that shares one draw
  (batch normalisation) is bounded with ``n`` times the batch size.
- :func:`manifold_logits`: the image is one of a known set. The exact best D for a training set,
  hence for a D that has memorised it.

At 12,288 numbers even 10 % more noise is told almost surely, and clean images are told from
noisy ones always: a D that does not see it is limited by what it is, not by the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import hypot, inf, lgamma, log, sqrt

import numpy as np
from scipy import special, stats

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Cosine, Schedule, Uniform, check_strength

Noise = Schedule | tuple[Schedule, ...]  # the strength of one noise, or of several that are added
Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bound:
    """What the best D reaches: no D has more accuracy or AUC, or less loss_D, on fresh images.

    ``loss_D`` in nats (sum of both terms); ``D_x`` and ``D_Gz`` are this D's own means, no bounds.
    """

    accuracy: float
    auc: float
    loss_D: float
    D_x: float
    D_Gz: float


BLIND = Bound(0.5, 0.5, 2 * log(2), 0.5, 0.5)
CERTAIN = Bound(1.0, 1.0, 0.0, 1.0, 0.0)
EMPTY = np.zeros(0)


def two_images(distance: float, sigma: float) -> tuple[float, float]:
    """Best (accuracy, AUC) for two known images, ``distance`` apart, under noise ``sigma``.

    ``distance``: Euclidean, over all pixels. Phi(d / 2 sigma) and Phi(d / sqrt(2) sigma): the
    best D looks along the line between them.
    """
    if distance < 0 or not 0 < sigma < inf:
        raise UserError(
            f"two_images(distance={distance}, sigma={sigma}): expected distance >= 0 and sigma > 0"
        )
    ratio = distance / sigma
    return float(stats.norm.cdf(ratio / 2)), float(stats.norm.cdf(ratio / sqrt(2)))


def two_levels(sigma_real: float, sigma_fake: float, n: int) -> tuple[float, float]:
    """Best (accuracy, AUC) for one known image under noise of two known strengths, both > 0.

    The squared distance to the image is sigma² chi²_n: the accuracy follows from its distribution
    at the point where the densities cross, the AUC from the ratio of two, which is F(n, n).
    For large n the accuracy is about Phi(sqrt(n/2) ln(ratio)).
    """
    _check_n("two_levels", n, least=1)
    low, high = sorted((float(sigma_real), float(sigma_fake)))
    if not 0 < low <= high < inf:
        raise UserError(f"two_levels({sigma_real}, {sigma_fake}): expected two numbers > 0")
    if low == high:
        return 0.5, 0.5
    crossing = n * log(high**2 / low**2) / (1 / low**2 - 1 / high**2)
    told_low = stats.chi2.cdf(crossing / low**2, n)
    told_high = stats.chi2.sf(crossing / high**2, n)
    return float((told_low + told_high) / 2), float(stats.f.sf(low**2 / high**2, n, n))


def known_image(real: Noise, fake: Noise, n: int) -> Bound:
    """The bound for one known image of ``n`` numbers, noised by ``real`` or by ``fake``.

    A strength of 0 is the clean image itself, which is told from any noise. A law that moves with
    the epochs has a bound at each: give its value there. By quadrature over the root mean square
    of the noise, which carries all that can be known; good to about 1e-4 (AUC) and 1e-6 (the rest).
    """
    for name, noise in (("real", real), ("fake", fake)):
        check_noise("known_image", name, noise)
    _check_n("known_image", n, least=2)
    sides = [_parts(real), _parts(fake)]
    if sides[0] == sides[1]:
        return BLIND
    if (0.0, ()) in sides:
        return CERTAIN
    ends = {hypot(fixed, rho) for fixed, ranges in sides for rho in _corners(ranges)}
    x, weight = _nodes(ends, n)
    gap = level_density(x, real, n) - level_density(x, fake, n)
    k = np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1]))
    crossings = x[k] - gap[k] * (x[k + 1] - x[k]) / (gap[k + 1] - gap[k])
    x, weight = _nodes(ends, n, crossings)
    p = weight * level_density(x, real, n)
    q = weight * level_density(x, fake, n)
    p, q = p / p.sum(), q / q.sum()
    seen = p + q > 0
    p, q = p[seen], q[seen]
    best = p / (p + q)
    return Bound(
        accuracy=float(np.maximum(p, q).sum() / 2),
        auc=_auc(best, p, q),
        loss_D=float(-special.rel_entr(p, p + q).sum() - special.rel_entr(q, p + q).sum()),
        D_x=float(p @ best),
        D_Gz=float(q @ best),
    )


def level_density(level: np.ndarray, noise: Noise, n: int) -> np.ndarray:
    """Density of the root mean square of ``n`` noises whose strength follows ``noise``.

    One strength: sigma / sqrt(n) times a chi_n. A uniform one: the integral over sigma is a
    difference of two incomplete gamma functions, and so almost flat between its ends. A sum: by
    quadrature over its strength.
    """
    fixed, ranges = _parts(noise)
    if not ranges:
        return _known_strength(level, fixed, n)
    if fixed or len(ranges) > 1:
        return _summed(level, fixed, ranges, n)
    ((low, high),) = ranges
    radius = level * sqrt(n)
    half = (n - 1) / 2
    with np.errstate(divide="ignore"):
        share = special.gammaincc(half, radius**2 / (2 * high**2))
        if low > 0:
            share = share - special.gammaincc(half, radius**2 / (2 * low**2))
    scale = np.exp(lgamma(half) - lgamma(n / 2)) * sqrt(n / 2)
    density: np.ndarray = scale * np.maximum(share, 0.0) / (high - low)
    return density


def manifold_logits(
    y: np.ndarray, images: np.ndarray, sigma_real: float, sigma_fake: float
) -> np.ndarray:
    """Exact logits of the best D when a clean image is any of ``images``, equally likely.

    ``y``: (B, n); ``images``: (N, n); returns (B,), ln p_real(y) - ln p_fake(y), where p is the
    mixture of N Gaussians around the images. Strengths > 0. For noise far below the distances
    between images it is the likelihood ratio at the nearest one.
    """
    if not (0 < sigma_real < inf and 0 < sigma_fake < inf):
        raise UserError(
            f"manifold_logits(sigma_real={sigma_real}, sigma_fake={sigma_fake}): expected "
            "numbers > 0 (without noise the law of the images has no density)"
        )
    if y.ndim != 2 or images.ndim != 2 or y.shape[1] != images.shape[1] or not len(images):
        raise UserError(
            f"manifold_logits of shapes {y.shape} and {images.shape}: expected (B, n) and (N, n)"
        )
    centre = images.mean(0, dtype=np.float64)  # small numbers, so that no digits cancel below
    a, b = y - centre, images - centre
    squared = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    n = y.shape[1]

    def log_density(sigma: float) -> np.ndarray:
        total: np.ndarray = special.logsumexp(-squared / (2 * sigma**2), axis=1) - n * log(sigma)
        return total

    ratio: np.ndarray = log_density(sigma_real) - log_density(sigma_fake)
    return ratio


def check_noise(owner: str, name: str, noise: Noise) -> None:
    """Refuse strengths below 0, laws that move, and sums of more than two laws that vary."""
    for law in _laws(noise):
        check_strength(owner, name, law)
        if isinstance(law, Anneal | Cosine):
            raise UserError(f"{owner}({name}={law}): it moves; give its value at one epoch")
    if len(_parts(noise)[1]) > 2:
        raise UserError(f"{owner}({name}={noise}): expected at most two laws that vary")


def _laws(noise: Noise) -> tuple[Schedule, ...]:
    return noise if isinstance(noise, tuple) else (noise,)


def _parts(noise: Noise) -> tuple[float, Ranges]:
    """The strength of all noises that are fixed, together, and the ranges of those that vary."""
    ranges = sorted(_range(law) for law in _laws(noise))
    fixed = hypot(*(low for low, high in ranges if low == high))
    return fixed, tuple((low, high) for low, high in ranges if low < high)


def _range(law: Schedule) -> tuple[float, float]:
    if isinstance(law, Uniform):
        return law.low, law.high
    assert not isinstance(law, Anneal | Cosine)  # check_noise refuses it
    return float(law), float(law)


def _corners(ranges: Ranges) -> list[float]:
    """The strengths at the corners of what varies, where its density has its kinks."""
    return sorted({hypot(*corner) for corner in product(*ranges)})


def _known_strength(level: np.ndarray, sigma: np.ndarray | float, n: int) -> np.ndarray:
    density: np.ndarray = stats.chi.pdf(level * sqrt(n) / sigma, n) * sqrt(n) / sigma
    return density


def _summed(level: np.ndarray, fixed: float, ranges: Ranges, n: int) -> np.ndarray:
    """The density of ``level``, averaged over the strength rho of what varies.

    Only strengths near the level matter (else it is below 1e-16 of its peak); Gauss-Legendre
    between two corners at a time.
    """
    tail = 12 / sqrt(2 * n)
    near = [
        np.sqrt(np.maximum((level * np.exp(t)) ** 2 - fixed**2, 0)) for t in (-tail, tail + 40 / n)
    ]
    x, w = np.polynomial.legendre.leggauss(64)
    density = np.zeros_like(level)
    for least, most in pairwise(_corners(ranges)):
        low, high = (np.clip(rho, least, most)[:, None] for rho in near)
        half = (high - low) / 2
        rho = np.maximum(low + half * (1 + x), 1e-300)
        known = _known_strength(level[:, None], np.hypot(fixed, rho), n)
        density += (half * w * _radius_density(rho, ranges) * known).sum(1)
    return density


def _radius_density(rho: np.ndarray, ranges: Ranges) -> np.ndarray:
    """Density of the root of the sum of squares of one or two uniform strengths.

    In polar coordinates: rho times the angle at which a circle lies in the rectangle of both.
    For two U(0, s): pi/2 rho / s² up to s, and (pi/2 - 2 arccos(s/rho)) rho / s² up to sqrt(2) s.
    """
    (a, b), *rest = ranges
    if not rest:
        return np.full_like(rho, 1 / (b - a))
    ((c, d),) = rest
    first, last = (np.arccos(np.minimum(end / rho, 1)) for end in (b, a))
    least, most = (np.arcsin(np.minimum(end / rho, 1)) for end in (c, d))
    angle = np.minimum(last, most) - np.maximum(first, least)
    density: np.ndarray = rho * np.maximum(angle, 0) / ((b - a) * (d - c))
    return density


def _check_n(owner: str, n: int, least: int) -> None:
    if n < least:
        raise UserError(f"{owner}(n={n}): expected at least {least} numbers an image")


def _nodes(ends: set[float], n: int, more: np.ndarray = EMPTY) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights over all levels that matter.

    Panels are half a standard deviation of the measured level wide around each of ``ends``, where
    a law ends, and end where the densities cross (``more``), since a kink would cost accuracy.
    Elsewhere they grow with the level: a sum's density vanishes at 0, where its logarithm does not.
    """
    spread = np.arange(-12, 12.5, 0.5) / sqrt(2 * n)
    wide = max(ends) * np.geomspace(1e-4, 1, 25)
    panels = np.concatenate([[0.0], wide, *(e * (1 + spread) for e in sorted(ends)), more])
    edges = np.unique(np.maximum(panels, 0.0))
    x, w = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()


def _auc(score: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """P(score of a real > score of a fake), ties counted half, for weighted points."""
    _, place = np.unique(score.round(12), return_inverse=True)
    real, fake = np.bincount(place, p), np.bincount(place, q)
    return float(real @ (np.cumsum(fake) - fake / 2))
