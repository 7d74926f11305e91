"""From one number a seed to an interval and a word: the rule, for one sample or for many at once.

A word is about the *typical run*, the middle (median) of the distribution over seeds. It needs all
of the following; otherwise it is *inconclusive*.

1. **Three seeds** (:data:`FEWEST`), each with a number.
2. **The interval** touches no edge of the claimed region. It is Student's t interval of the mean,
   or Welch's (1947) of the difference of two arms that share no past. Its level is
   :func:`level_of`. The standard deviation is at least ``least``, the error of the measure itself.
   Without any spread there is no interval. A number with two limits, such as a share, has its
   interval on the logit scale.
3. **The seeds agree**: the exact sign test of the median, or for two arms the exact rank-sum test,
   has a one-sided p of at most 5 % (:func:`agreement`). The sign test needs five seeds for that.
4. **The seeds do not fall apart** into two groups near an edge (:func:`gap`).

Why not a word about the mean: a rare collapse moves the mean and is not seen with a few seeds, and
no method excludes it (Bahadur and Savage 1956, The Annals of Mathematical Statistics 27). How often
these words are false is measured in ``benchmarks/false_words.py``.

Arrays have seeds in their last axis, so that :mod:`bascule.experiments.power` can simulate many
experiments at once.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
from scipy import special, stats

ALPHA = 0.05
FEWEST = 3  # seeds for a word
EXACT = 5  # from here on the sign test can have p <= 5 %
EQUAL = 1e-9  # relative to the numbers: a spread below it is rounding
NEAR_LIMIT = 1e-4  # of the range: where 0 and 1 are put on the logit scale
TOLERANCE = 1e-9  # of a p value, 1/20 against 5 %
Region = tuple[float, float]


def level_of(seeds: int, look: int = 1) -> float:
    """The confidence level of intervals: 95 % at the first look with five seeds or more.

    ``look``: which look at the results of an experiment this is, from 1. Every further look halves
    the error that is allowed (95 %, 97.5 %, 98.75 %, ...), so however often one looks, the sum over
    all looks is at most twice that of the first. Below five seeds, where the sign test cannot
    guard, it is halved once more.
    """
    allowed = ALPHA * 0.5 ** (look - 1)
    return 1 - (allowed / 2 if seeds < EXACT else allowed)


class Numbers(NamedTuple):
    """What a prediction measured on each seed.

    ours    (..., seeds): numbers, or those of the first arm if ``theirs`` are given
    theirs  (..., seeds): numbers of a second, independent arm; the claim is about the difference
    least   the smallest standard deviation that is believed, of ours and of theirs
    limits  the possible range of ours; infinite if unknown, or if a difference
    """

    ours: np.ndarray
    theirs: np.ndarray | None = None
    least: tuple[float, float] = (0.0, 0.0)
    limits: Region = (-inf, inf)

    @property
    def samples(self) -> list[np.ndarray]:
        """Ours, and theirs if there are any."""
        return [self.ours] if self.theirs is None else [self.ours, self.theirs]

    @property
    def seeds(self) -> int:
        """The number of seeds, of the arm that has fewer."""
        return min(int(x.shape[-1]) for x in self.samples)

    @property
    def mean(self) -> np.ndarray:
        """The mean, or the difference of the two means."""
        mean: np.ndarray = self.ours.mean(-1)
        return mean if self.theirs is None else mean - self.theirs.mean(-1)

    def on_scale(self) -> Numbers:
        """The same numbers on the scale of their interval, the logit if they have two limits."""
        if self.theirs is not None or not all(map(isfinite, self.limits)):
            return self
        low, high = self.limits
        share = np.clip((self.ours - low) / (high - low), NEAR_LIMIT, 1 - NEAR_LIMIT)
        slope = 1 / (share * (1 - share)).mean()
        least = (self.least[0] / (high - low) * float(slope), 0.0)
        # Rounded, so that numbers which differ by rounding errors alone are equal here, too.
        return Numbers(special.logit(share).round(9), None, least)

    def edge_on_scale(self, edge: float) -> float:
        """An edge of a region on the scale of the interval."""
        if self.theirs is not None or not all(map(isfinite, self.limits)):
            return edge
        low, high = self.limits
        return float(special.logit(np.clip((edge - low) / (high - low), 0, 1)))


def spread(numbers: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """The standard error of the mean, and its degrees of freedom; the error is NaN without spread.

    For two arms: B. L. Welch 1947, with the degrees of freedom of Satterthwaite 1946.
    """
    variances = []
    for x, least in zip(numbers.samples, numbers.least, strict=False):
        n = x.shape[-1]
        rounding = EQUAL * np.abs(x).max(-1)
        variance = x.var(-1, ddof=1)
        variance = np.where(variance > rounding**2, variance, 0.0)
        variances.append((np.maximum(variance, least**2) / n, n - 1))
    whole = sum(v for v, _ in variances)
    with np.errstate(invalid="ignore", divide="ignore"):
        free = whole**2 / sum(v**2 / df for v, df in variances)
        return np.where(whole > 0, np.sqrt(whole), np.nan), free


def bounds(numbers: Numbers, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the interval; NaN without spread."""
    scaled = numbers.on_scale()
    error, free = spread(scaled)
    half = stats.t.ppf((1 + level) / 2, free) * error
    low, high = scaled.mean - half, scaled.mean + half
    if scaled is numbers:
        return low, high
    start, end = numbers.limits
    low, high = (start + (end - start) * special.expit(x) for x in (low, high))
    return low, high


def p_of(numbers: Numbers, region: Region) -> np.ndarray:
    """The two-sided p of the mean against the nearest edge; NaN without spread or edge."""
    scaled = numbers.on_scale()
    error, free = spread(scaled)
    edges = [numbers.edge_on_scale(edge) for edge in region if isfinite(edge)]
    apart = [np.abs(scaled.mean - edge) for edge in edges if isfinite(edge)]
    if not apart:
        return np.full(np.shape(scaled.mean), np.nan)
    p: np.ndarray = 2 * stats.t.sf(np.min(apart, axis=0) / error, free)
    return p


def agreement(numbers: Numbers, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """The exact one-sided p that the typical run lies above ``edge``, and that it lies below.

    For one sample the sign test of the median; a number at the edge speaks for neither side. For
    two arms the rank-sum test of ``ours - edge`` against ``theirs`` (Mann and Whitney 1947; ties
    count half).
    """
    x, y = numbers.ours, numbers.theirs
    n = x.shape[-1]
    if y is None:
        above, below = (x > edge).sum(-1), (x < edge).sum(-1)
        return stats.binom.sf(above - 1, n, 0.5), stats.binom.sf(below - 1, n, 0.5)
    a, b = (x - edge)[..., :, None], y[..., None, :]
    wins = (a > b).sum((-1, -2)) + (a == b).sum((-1, -2)) / 2
    at_least = _rank_sum(n, y.shape[-1])
    pairs = n * y.shape[-1]
    return at_least[np.floor(wins).astype(int)], at_least[np.floor(pairs - wins).astype(int)]


@lru_cache
def _rank_sum(n: int, m: int) -> np.ndarray:
    """P(U >= u) of the Mann-Whitney statistic for u = 0 .. n m, without ties."""
    counts = np.zeros((m + 1, n * m + 1))  # of the first i of n: choices of k of m with sum u
    counts[0, 0] = 1
    # U is the sum of the partition that fits into an n x m box: the Gaussian binomial coefficient.
    for part in range(1, n + m + 1):
        for chosen in range(min(part, m), 0, -1):
            shift = part - chosen
            if shift <= n * m:
                counts[chosen, shift:] += counts[chosen - 1, : n * m + 1 - shift]
    found: np.ndarray = counts[m, ::-1].cumsum()[::-1] / counts[m].sum()
    return found


def gap(x: np.ndarray) -> np.ndarray:
    """The largest gap between neighbouring seeds if the seeds fall apart there, otherwise 0.

    They fall apart if the gap is a larger share of their range than in 99.9 % of normal samples
    of that size. Exact ties within both groups are taken for coarse counts, not for groups.
    """
    n = x.shape[-1]
    if n < FEWEST:
        return np.zeros(x.shape[:-1])
    ordered = np.sort(x, axis=-1)
    largest = np.diff(ordered, axis=-1).max(-1)
    whole = ordered[..., -1] - ordered[..., 0]
    rest = whole - largest
    apart = (largest > _share_of_gap(n) * whole) & (rest > EQUAL * np.abs(x).max(-1))
    return np.where(apart, largest, 0.0)


@lru_cache
def _share_of_gap(n: int) -> float:
    """The 99.9 % quantile of the largest gap in normal samples, as a share of their range."""
    ordered = np.sort(np.random.default_rng(n).normal(size=(100_000, n)), axis=-1)
    shares = np.diff(ordered, axis=-1).max(-1) / (ordered[:, -1] - ordered[:, 0])
    return float(np.quantile(shares, 0.999))


def is_apart(numbers: Numbers, region: Region) -> np.ndarray:
    """Whether the seeds fall apart into groups, by more than their distance to the nearest edge."""
    widest = np.max([gap(x) for x in numbers.samples], axis=0)
    if numbers.theirs is None:
        ends = numbers.ours.min(-1), numbers.ours.max(-1)
    else:
        a, b = numbers.ours, numbers.theirs
        ends = a.min(-1) - b.max(-1), a.max(-1) - b.min(-1)
    edges = [edge for edge in region if isfinite(edge)]
    inside = [(ends[0] <= edge) & (edge <= ends[1]) for edge in edges]
    near = [np.minimum(abs(ends[0] - edge), abs(ends[1] - edge)) for edge in edges]
    close = [i | (n < widest) for i, n in zip(inside, near, strict=True)]
    found: np.ndarray = (widest > 0) & np.any(close, axis=0) if edges else widest > 0
    return found


def words(numbers: Numbers, region: Region, level: float) -> np.ndarray:
    """1 where the claim is supported, -1 where it is refuted, 0 where neither."""
    low, high = bounds(numbers, level)
    start, end = region
    with np.errstate(invalid="ignore"):
        inside, under, over = (start <= low) & (high <= end), high < start, end < low
    n, m = numbers.ours.shape[-1], 0 if numbers.theirs is None else numbers.theirs.shape[-1]
    best = 0.5**n if not m else 1 / special.comb(n + m, n)  # the smallest possible p
    if best <= ALPHA + TOLERANCE:
        above_start, below_start = _agrees(numbers, start)
        above_end, below_end = _agrees(numbers, end)
        inside, under, over = (
            inside & above_start & below_end,
            under & below_start,
            over & above_end,
        )
    none = np.isnan(low) | (numbers.seeds < FEWEST) | is_apart(numbers, region)
    found: np.ndarray = np.where(none, 0, inside.astype(int) - (under | over))
    return found


def _agrees(numbers: Numbers, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether the seeds agree that the typical run lies above an edge, and below it."""
    if not isfinite(edge):
        return np.array(True), np.array(True)
    above, below = agreement(numbers, edge)
    return above <= ALPHA + TOLERANCE, below <= ALPHA + TOLERANCE
