"""How large an effect must be to get a verdict, and how many seeds that takes.

Everything is simulated with the rule itself (:func:`bascule.experiments.inference.words`) and with
normal seeds, so a change of the rule changes these numbers, too. An effect is the distance of the
true number from the edge of its claim, in standard deviations over seeds: of the number itself, or
for two arms without a shared past of one arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import inf

import numpy as np
from scipy import stats

from bascule.experiments.inference import FEWEST, Numbers, level_of, words

ENOUGH = 0.8  # the customary power
MOST_SEEDS = 50  # more are not counted
DRAWS = 2000
LARGEST = 100.0  # effect, in deviations


@cache
def power(effect: float, seeds: int, two_arms: bool, level: float) -> float:
    """The share of experiments in which a true claim at this distance is supported.

    ``level``: the confidence level of the interval.
    """
    if seeds < FEWEST:
        return 0.0
    ours, theirs = _normal(seeds)
    numbers = Numbers(ours + effect, theirs if two_arms else None)
    return float((words(numbers, (0.0, inf), level) > 0).mean())


@cache
def _normal(seeds: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seeds)
    return rng.normal(size=(DRAWS, seeds)), rng.normal(size=(DRAWS, seeds))


@cache
def detectable(seeds: int, two_arms: bool, look: int = 1, claims: int = 1) -> float:
    """The smallest effect that is found with a power of 80 %; infinite with too few seeds.

    ``claims``: all of so many independent claims at that distance have to be supported.
    """
    level, each = level_of(seeds, look), ENOUGH ** (1 / claims)
    low, high = 0.0, LARGEST
    if power(high, seeds, two_arms, level) < each:
        return inf
    while high - low > 0.005 * high:
        middle = (low + high) / 2
        if power(middle, seeds, two_arms, level) < each:
            low = middle
        else:
            high = middle
    return high


def seeds_needed(
    effects: Sequence[float], two_arms: Sequence[bool], look: int = 1, most: int = MOST_SEEDS
) -> int | None:
    """The fewest seeds with which all claims are supported with a power of 80 %.

    ``effects``: of every claim, taken as independent of each other. None if ``most`` are too few.
    """

    def chance(seeds: int) -> float:
        level = level_of(seeds, look)
        found = 1.0
        for effect, two in zip(effects, two_arms, strict=True):
            found *= power(round(float(effect), 3), seeds, two, level)
        return found

    if not all(effect > 0 for effect in effects):
        return None
    # A normal test with known deviation needs at least so many: no fewer are worth a simulation.
    least = max((2.8 / e) ** 2 * (1 + t) for e, t in zip(effects, two_arms, strict=True))
    if least > 2 * most:
        return None
    start = max(FEWEST, int(0.5 * least))
    return next((n for n in range(start, most + 1) if chance(n) >= ENOUGH), None)


def careful(deviation: float, seeds: int, confidence: float = 0.8) -> float:
    """An upper confidence limit of a standard deviation that ``seeds`` pilot runs had.

    A few runs often have too small a deviation. R. H. Browne 1995, Statistics in Medicine 14.
    """
    free = seeds - 1
    return float(deviation * (free / stats.chi2.ppf(1 - confidence, free)) ** 0.5)
