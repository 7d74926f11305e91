"""What an experiment can find out with so many seeds, judged from pilot runs before it is run.

A pilot gives two numbers for each prediction: the standard deviation over seeds, and the distance
of the mean from the edge of the claim. The deviation of a few runs is often too small, so its upper
80 % confidence limit is used (:func:`bascule.experiments.power.careful`). What the rule of verdicts
makes of normal seeds with that deviation is simulated (:mod:`bascule.experiments.power`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from bascule.experiments.digits import number
from bascule.experiments.inference import FEWEST, level_of
from bascule.experiments.power import ENOUGH, MOST_SEEDS, careful, detectable, power, seeds_needed
from bascule.experiments.predictions import complete_seeds
from bascule.experiments.schedule import Results
from bascule.experiments.verdict import Finding, find, judge, share_interval

MOST_COUNTED = 200  # seeds of a share of runs


@dataclass(frozen=True)
class Outlook:
    """What the planned seeds can tell about one prediction.

    finding    what the pilot measured
    pilot      the number of pilot seeds
    deviation  over seeds, its upper 80 % limit: of the number, or of one arm if two arms without a
               shared past are compared; NaN if the pilot has fewer than two seeds or no spread
    distance   of the pilot's mean from the nearest edge of the claim
    finds      the smallest distance that gets a verdict in 80 % of experiments with as many seeds
    needed     seeds for a verdict at the pilot's distance; None: more than 50
    """

    finding: Finding
    pilot: int
    deviation: float
    distance: float
    finds: float
    needed: int | None

    @property
    def two_arms(self) -> bool:
        """Whether two independent arms are compared."""
        return _is_of_two_arms(self.finding)

    @property
    def effect(self) -> float:
        """The distance in deviations; 0 if it is not known."""
        return self.distance / self.deviation if self.deviation > 0 else 0.0

    @property
    def holds(self) -> bool:
        """Whether the pilot's mean lies in the claimed region."""
        low, high = self.finding.prediction.region()
        return low <= self.finding.interval.mean <= high


def outlook(finding: Finding, seeds: int, look: int = 1) -> Outlook:
    """What ``seeds`` seeds can tell about a prediction, from a pilot's ``finding``."""
    known = [x for x in finding.values.values() if isfinite(x)]
    edges = [edge for edge in finding.prediction.region() if isfinite(edge)]
    mean = float(np.mean(known)) if known else nan
    distance = min((abs(mean - edge) for edge in edges), default=nan)
    if getattr(finding.prediction, "counted", False):
        needed = _runs_for_share(mean, finding.prediction.region(), look) if known else None
        return Outlook(finding, len(known), nan, distance, nan, needed)
    deviation = _deviation(finding, len(known))
    two = _is_of_two_arms(finding)
    if not deviation > 0:
        return Outlook(finding, len(known), nan, distance, nan, None)
    finds = detectable(seeds, two, look) * deviation
    needed = seeds_needed([distance / deviation], [two], look) if distance > 0 else None
    return Outlook(finding, len(known), deviation, distance, finds, needed)


def outlooks_of(results: Results, seeds: int) -> list[Outlook]:
    """The outlook of every prediction, each from the pilot seeds on which all its arms are done."""
    found = []
    for prediction in results.experiment.predictions:
        done = complete_seeds(prediction, results.curves, results.seeds)
        found.append(
            outlook(find(prediction, results.curves, done, 1, 1, results.shares_past), seeds)
        )
    return found


def _is_of_two_arms(finding: Finding) -> bool:
    return finding.numbers is not None and finding.numbers.theirs is not None


def _deviation(finding: Finding, pilot: int) -> float:
    numbers = finding.numbers
    if numbers is None or pilot < 2 or pilot < len(finding.values):
        return nan
    samples = numbers.samples
    variances = [
        max(x.var(ddof=1), least**2) for x, least in zip(samples, numbers.least, strict=False)
    ]
    deviation = float(np.mean(variances) ** 0.5)
    return careful(deviation, 1 + len(samples) * (pilot - 1)) if deviation > 0 else nan


def _runs_for_share(share: float, region: tuple[float, float], look: int) -> int | None:
    """The fewest runs with which the exact interval of ``share`` lies in or outside ``region``."""
    for n in range(FEWEST, MOST_COUNTED + 1):
        at = share_interval(round(share * n), n, level_of(n, look))
        if judge(at, region) != "inconclusive":
            return n
    return None


@dataclass(frozen=True)
class Chances:
    """What the verdict can become with the planned seeds, if the pilot's distances are true.

    supported  the probability of *supported* if every deciding claim is as far on its right side
    refuted    the probability of *refuted* if the clearest of them is as far on its wrong side
    needed     seeds for a *supported* with 80 %; None: more than 50
    """

    supported: float
    refuted: float
    needed: int | None

    @property
    def both_ways(self) -> bool:
        """Whether either verdict has a fair chance, of at least one in five."""
        return min(self.supported, self.refuted) >= 1 - ENOUGH


def chances(outlooks: Sequence[Outlook], seeds: int, look: int = 1) -> Chances | None:
    """The chances of the verdict. ``outlooks``: of all predictions that decide it.

    Predictions are taken as independent. None if a prediction's deviation is not known.
    """
    if not outlooks or not all(o.deviation > 0 and o.distance > 0 for o in outlooks):
        return None
    level = level_of(seeds, look)
    strict = 1 - (1 - level) / len(outlooks)
    effects = [round(o.effect, 3) for o in outlooks]
    supported = np.prod(
        [power(e, seeds, o.two_arms, level) for e, o in zip(effects, outlooks, strict=True)]
    )
    refuted = max(
        power(e, seeds, o.two_arms, strict) for e, o in zip(effects, outlooks, strict=True)
    )
    needed = seeds_needed(effects, [o.two_arms for o in outlooks], look)
    return Chances(float(supported), float(refuted), needed)


def told(found: Outlook, seeds: int) -> str:
    """The outlook in one clause: what ``seeds`` find, and what the measured distance would take."""
    if found.deviation > 0 and isfinite(found.finds):
        text = f"{seeds} seeds find a distance of {number(found.finds)} from the edge (in 80 %)"
        if found.distance > 0:
            text += f"; {number(found.distance)}, as measured, would take {count(found.needed)}"
        return text
    return ""


def count(needed: int | None) -> str:
    """A number of seeds: "7 seeds", "more than 50 seeds"."""
    return f"more than {MOST_SEEDS} seeds" if needed is None else f"{needed} seeds"
