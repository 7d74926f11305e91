"""Upper bounds for any D that distinguishes reals from fakes by their noise.

The Bayes-optimal observer knows both distributions and answers "real" where the density of reals is
higher. Its accuracy, AUC and loss bound those of every D **on fresh images**, for equal priors.
Images have ``n`` independent numbers (64 x 64 x 3 = 12,288), and noise is Gaussian and independent.
A strength is its standard deviation: a number, a distribution from which one value per image is
drawn (:class:`bascule.core.schedules.Uniform`), or a tuple of these for independent noises that are
added, so that their variances add.

- :func:`two_images`: which of two known images has noise been added to?
- :func:`known_image`: one known image; which of two noise distributions was added? This is the
  easiest case, so it also bounds the case of an unknown image. If D sees a whole batch with one
  shared strength (batch normalisation), use ``n`` times the batch size.
- :func:`manifold_logits`: the image is one of a known set. This is the exact best D for a training
  set, and so for a D that has memorised it.

With 12,288 numbers even 10 % more noise is detected almost surely, and clean images are always
distinguished from noisy ones. If a trained D fails at this, the reason is the D, not the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import hypot, inf, lgamma, log, sqrt

import numpy as np
from scipy import special, stats

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Cosine, Schedule, Uniform, check_strength

# Strength of one noise, or of several independent ones that are added
Noise = Schedule | tuple[Schedule, ...]
Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bound:
    """What the best D reaches on fresh images: bounds of accuracy, AUC and loss_D for any D.

    ``loss_D`` is in nats (the sum of both terms). ``D_x`` and ``D_Gz`` are the means of this D, not
    bounds.
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

    ``distance``: Euclidean, over all pixels. The best D projects on the line between the images,
    which gives Phi(d / (2 sigma)) and Phi(d / (sqrt(2) sigma)).
    """
    if distance < 0 or not 0 < sigma < inf:
        raise UserError(
            f"two_images(distance={distance}, sigma={sigma}): expected distance >= 0 and sigma > 0"
        )
    ratio = distance / sigma
    return float(stats.norm.cdf(ratio / 2)), float(stats.norm.cdf(ratio / sqrt(2)))


def two_levels(sigma_real: float, sigma_fake: float, n: int) -> tuple[float, float]:
    """Best (accuracy, AUC) for one known image with noise of two known strengths, both > 0.

    The squared distance to the image is distributed as sigma² chi²_n. The accuracy follows from the
    point where the two densities cross. The AUC follows from the ratio of two such distances, which
    has an F(n, n) distribution. For large n the accuracy is about Phi(sqrt(n/2) ln(ratio)).
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
    """The bound for one known image of ``n`` numbers, with the noise ``real`` or ``fake``.

    A strength of 0 is the clean image itself, which is distinguished from any noise. For a schedule
    over epochs, pass its value at one epoch. The bound is computed by quadrature over the root mean
    square of the noise, which is a sufficient statistic. It is accurate to about 1e-4 (AUC) and
    1e-6 (the rest).
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
    """The density of the root mean square of ``n`` noise values of strength ``noise``.

    For a fixed strength it is that of sigma / sqrt(n) times chi_n. For a uniform strength, the
    integral over sigma is a difference of two incomplete gamma functions, almost constant between
    its ends. For a sum, quadrature over the total strength is used.
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
    """Exact logits of the best D if the clean image is one of ``images``, all equally likely.

    ``y``: (B, n); ``images``: (N, n); returns (B,), ln p_real(y) - ln p_fake(y), where p is the
    mixture of N Gaussians around the images. Strengths must be > 0. If the noise is much smaller
    than the distances between images, it is the likelihood ratio at the nearest one.
    """
    if not (0 < sigma_real < inf and 0 < sigma_fake < inf):
        raise UserError(
            f"manifold_logits(sigma_real={sigma_real}, sigma_fake={sigma_fake}): expected "
            "numbers > 0 (without noise the images have no density)"
        )
    if y.ndim != 2 or images.ndim != 2 or y.shape[1] != images.shape[1] or not len(images):
        raise UserError(
            f"manifold_logits of shapes {y.shape} and {images.shape}: expected (B, n) and (N, n)"
        )
    centre = images.mean(0, dtype=np.float64)  # centred, so that no digits cancel below
    a, b = y - centre, images - centre
    squared = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    n = y.shape[1]

    def log_density(sigma: float) -> np.ndarray:
        total: np.ndarray = special.logsumexp(-squared / (2 * sigma**2), axis=1) - n * log(sigma)
        return total

    ratio: np.ndarray = log_density(sigma_real) - log_density(sigma_fake)
    return ratio


def check_noise(owner: str, name: str, noise: Noise) -> None:
    """Raises :class:`UserError` for a strength < 0 or over time, or > 2 random strengths."""
    for law in _laws(noise):
        check_strength(owner, name, law)
        if isinstance(law, Anneal | Cosine):
            raise UserError(f"{owner}({name}={law}): it changes over time; give one value")
    if len(_parts(noise)[1]) > 2:
        raise UserError(f"{owner}({name}={noise}): expected at most two random strengths")


def _laws(noise: Noise) -> tuple[Schedule, ...]:
    return noise if isinstance(noise, tuple) else (noise,)


def _parts(noise: Noise) -> tuple[float, Ranges]:
    """The total strength of all fixed noises, and the ranges of the random ones."""
    ranges = sorted(_range(law) for law in _laws(noise))
    fixed = hypot(*(low for low, high in ranges if low == high))
    return fixed, tuple((low, high) for low, high in ranges if low < high)


def _range(law: Schedule) -> tuple[float, float]:
    if isinstance(law, Uniform):
        return law.low, law.high
    assert not isinstance(law, Anneal | Cosine)  # check_noise refuses it
    return float(law), float(law)


def _corners(ranges: Ranges) -> list[float]:
    """The strengths at the corners of the ranges, where the density has kinks."""
    return sorted({hypot(*corner) for corner in product(*ranges)})


def _known_strength(level: np.ndarray, sigma: np.ndarray | float, n: int) -> np.ndarray:
    density: np.ndarray = stats.chi.pdf(level * sqrt(n) / sigma, n) * sqrt(n) / sigma
    return density


def _summed(level: np.ndarray, fixed: float, ranges: Ranges, n: int) -> np.ndarray:
    """The density of ``level``, averaged over the strength rho of the random noises.

    Only strengths near the level matter; elsewhere the density is below 1e-16 of its peak.
    Gauss-Legendre quadrature between neighbouring corners.
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
    """The density of the root of the sum of squares of one or two uniform strengths.

    In polar coordinates it is rho times the angle of the circle's arc inside the rectangle of both
    ranges, divided by its area.
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
    """Gauss-Legendre nodes and weights over all relevant levels.

    Around each of ``ends``, the ends of the distributions, panels are half a standard deviation of
    the measured level wide. Panels also end where the densities cross (``more``), since a kink
    would reduce the accuracy. Elsewhere their width grows with the level, because near 0 the
    density of a sum vanishes but its logarithm still varies.
    """
    spread = np.arange(-12, 12.5, 0.5) / sqrt(2 * n)
    wide = max(ends) * np.geomspace(1e-4, 1, 25)
    panels = np.concatenate([[0.0], wide, *(e * (1 + spread) for e in sorted(ends)), more])
    edges = np.unique(np.maximum(panels, 0.0))
    x, w = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()


def _auc(score: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """P(score of a real > score of a fake) for weighted points; ties count half."""
    _, place = np.unique(score.round(12), return_inverse=True)
    real, fake = np.bincount(place, p), np.bincount(place, q)
    return float(real @ (np.cumsum(fake) - fake / 2))
