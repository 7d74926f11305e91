"""From measurements over seeds to a verdict.

Each prediction is judged by the rule of :mod:`bascule.experiments.inference`. It is *supported* if
its whole interval lies in the claimed region, *refuted* if no part of it does, and *inconclusive*
otherwise, or if the rule allows no word. A prediction without a number on any seed is *not
measured*. An experiment's verdict has no such word, but it names these predictions.

The experiment is supported if every prediction is (an intersection-union test, which needs no
correction). It is refuted if a prediction is also refuted at a level corrected for the m
predictions (Bonferroni). Otherwise it is inconclusive. If the experiment names a *primary*
prediction, that one alone decides. *Checks* are predictions about the program itself: if one is not
supported, the verdict is inconclusive whatever the predictions say.

Two arms are compared within each seed if they share a past (one is a fork of the other, or both of
a third). Otherwise they are compared as independent samples: arms that only share their seed have
no correlation worth a pairing (docs/verdicts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, isnan, nan
from typing import Any, Literal

import numpy as np
from scipy import stats

from bascule.experiments.inference import (
    ALPHA,
    EXACT,
    FEWEST,
    Numbers,
    bounds,
    gap,
    level_of,
    p_of,
    words,
)
from bascule.experiments.intervals import Interval
from bascule.experiments.predictions import Curves, Prediction, complete_seeds, worded

Word = Literal["supported", "refuted", "inconclusive", "not measured"]
WORDS: Mapping[int, Word] = {1: "supported", 0: "inconclusive", -1: "refuted"}
SharesPast = Callable[[str, str], bool]  # whether two arms share a past on every seed


@dataclass(frozen=True)
class Finding:
    """One prediction and its measurements."""

    prediction: Prediction
    values: Mapping[int, float]  # seed -> number
    interval: Interval
    word: Word
    refuted_strictly: bool
    p: float  # below 5 % where there is a verdict; NaN if there is no interval
    reason: str = ""
    paired: bool = False  # whether two arms with a shared past were compared seed by seed
    correlation: float = nan  # of two arms over seeds
    numbers: Numbers | None = field(default=None, repr=False, compare=False)  # as judged

    @property
    def shown(self) -> Interval:
        """Its interval, cut to the possible values of its number, such as shares >= 0."""
        return self.interval.within(*self.prediction.limits())

    @property
    def effect(self) -> float:
        """The distance of the mean from the nearest edge of the region, in half interval widths.

        0 if there is no interval.
        """
        edges = [edge for edge in self.prediction.region() if isfinite(edge)]
        if not isfinite(self.interval.half) or not edges:
            return 0.0
        apart = min(abs(self.interval.mean - edge) for edge in edges)
        return apart / self.interval.half if self.interval.half else inf if apart else 0.0


@dataclass(frozen=True)
class Verdict:
    """The verdict of an experiment, and the reason.

    ``level``: of the intervals. ``look``: which look at the results this is, from 1. ``primary``:
    the finding that alone decides, if the experiment names one.
    """

    word: Word
    why: str
    findings: Sequence[Finding]
    checks: Sequence[Finding]
    level: float = 1 - ALPHA
    look: int = 1
    primary: Finding | None = None


def numbers_at(
    prediction: Any, curves: Curves, seeds: Sequence[int], paired: bool
) -> tuple[Numbers, Mapping[int, float]]:
    """What the rule judges, and the number of each seed on which all arms are complete."""
    complete = complete_seeds(prediction, curves, seeds)
    values = {seed: prediction.measure(curves, seed) for seed in complete}
    errors = np.array([prediction.errors(curves, seed) for seed in complete]).reshape(-1, 2)
    least = tuple(float(x.mean()) if len(x) else 0.0 for x in errors.T)
    if not paired and hasattr(prediction, "sides"):
        sides = np.array([prediction.sides(curves, seed) for seed in complete], float)
        ours, theirs = sides.reshape(-1, 2).T
        return Numbers(ours, theirs, (least[0], least[1])), values
    limits = prediction.limits() if not hasattr(prediction, "sides") else (-inf, inf)
    x = np.array(list(values.values()), float)
    return Numbers(x, None, (float(np.hypot(least[0], least[1])), 0.0), limits), values


def find(
    prediction: Prediction,
    curves: Curves,
    seeds: Sequence[int],
    m: int = 1,
    look: int = 1,
    shares_past: SharesPast = lambda arm, than: False,
    exact: bool = False,
) -> Finding:
    """Measure one prediction on every seed for which all its arms are complete, and judge it.

    ``m``: the number of predictions. ``exact``: a check of the program, which may hold to the last
    bit, so numbers without any spread are judged too.
    """
    prediction = worded(prediction)
    arm, than = (getattr(prediction, name, None) for name in ("arm", "than"))
    paired = arm is not None and than is not None and shares_past(arm, than)
    numbers, values = numbers_at(prediction, curves, seeds, paired)
    known = [x for x in values.values() if isfinite(x)]
    region, level = prediction.region(), level_of(len(seeds), look)
    mean = float(np.mean(known)) if known else nan
    correlation = _correlation(prediction, curves, list(values))

    def told(
        found: Interval, word: Word, strict: bool = False, p: float = nan, reason: str = ""
    ) -> Finding:
        return Finding(
            prediction, values, found, word, strict, p, reason, paired, correlation, numbers
        )

    missing = _missing(seeds, values)
    none = Interval(mean, -inf, inf)
    if not known:
        return told(none, "not measured", reason=missing)
    # Numbers may not be missing at random: give their mean, but no interval and no verdict.
    if missing:
        return told(none, "inconclusive", reason=missing)
    of_look = ALPHA / (1 - level)
    if getattr(prediction, "counted", False):
        hits, n = round(sum(known)), len(known)
        p = _at_most_1(of_look * _p_of_share(hits, n, region))
        shares = [share_interval(hits, n, 1 - (1 - level) / k) for k in (1, m)]
        one, strict = (judge(share, region) for share in shares)
        return told(shares[0], one, strict == "refuted", p)
    low, high = (float(x) for x in bounds(numbers, level))
    if isnan(low) and exact:
        word = judge(Interval(mean, mean, mean), region)
        return told(Interval(mean, mean, mean), word, reason="equal on every seed")
    interval = none if isnan(low) else Interval(mean, low, high)
    word = WORDS[int(words(numbers, region, level))]
    strictly = int(words(numbers, region, 1 - (1 - level) / m)) == -1
    if word == "inconclusive" and (isnan(low) or judge(interval, region) != word):
        return told(interval, word, reason=_no_word(numbers))
    return told(interval, word, strictly, _at_most_1(of_look * float(p_of(numbers, region))))


def _at_most_1(p: float) -> float:
    return p if isnan(p) else min(1.0, p)


def share_interval(hits: int, n: int, level: float) -> Interval:
    """A share and its exact interval (C. J. Clopper and E. S. Pearson 1934)."""
    low, high = stats.binomtest(hits, n).proportion_ci(level, method="exact")
    return Interval(hits / n, float(low), float(high))


def _p_of_share(hits: int, n: int, region: tuple[float, float]) -> float:
    """The smaller p of the binomial tests against the edges; NaN without an edge inside 0 to 1."""
    return min((stats.binomtest(hits, n, x).pvalue for x in region if 0 < x < 1), default=nan)


def judge(interval: Interval, region: tuple[float, float]) -> Word:
    """Where an interval lies in a claimed region: inside, outside, or neither."""
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return "inconclusive"
    if region[0] <= interval.low and interval.high <= region[1]:
        return "supported"
    if interval.high < region[0] or region[1] < interval.low:
        return "refuted"
    return "inconclusive"


def _no_word(numbers: Numbers) -> str:
    """Why there is no verdict although the interval touches no edge, or no interval."""
    if not np.isfinite(bounds(numbers, 0.5)[0]):
        return "every seed gave the same number, so there is no error to judge it by"
    if numbers.seeds < FEWEST:
        return f"{numbers.seeds} seeds are too few for a verdict: at least {FEWEST} are needed"
    if any(gap(x) > 0 for x in numbers.samples):
        return "the seeds fall apart into two groups, so one mean says little"
    return "too many seeds lie on the other side of the edge"


def _missing(seeds: Sequence[int], values: Mapping[int, float]) -> str:
    """What is missing for a judgement; "" if nothing is."""
    reasons = []
    if unfinished := [s for s in seeds if s not in values]:
        have = "has" if len(unfinished) == 1 else "have"
        reasons.append(f"{len(unfinished)} of {len(seeds)} seeds {have} no finished run")
    if lost := [s for s, x in values.items() if not isfinite(x)]:
        which = f"seed{'s' * (len(lost) > 1)} {', '.join(map(str, lost))}"
        reasons.append(
            f"{which} of {len(seeds)} gave no number (NaN: not measured, or the run diverged)"
        )
    if not reasons and len(seeds) == 1:
        reasons.append("one seed cannot tell an effect from chance")
    return "; ".join(reasons)


def _correlation(prediction: Any, curves: Curves, seeds: Sequence[int]) -> float:
    """The correlation of two arms over seeds; NaN with fewer than three or without spread."""
    if not hasattr(prediction, "sides") or len(seeds) < FEWEST:
        return nan
    ours, theirs = np.array([prediction.sides(curves, seed) for seed in seeds], float).T
    if not (
        np.isfinite(ours).all() and np.isfinite(theirs).all() and np.ptp(ours) * np.ptp(theirs)
    ):
        return nan
    return float(np.corrcoef(ours, theirs)[0, 1])


def holm(p: Sequence[float]) -> list[float]:
    """Several p values, corrected by Holm's step-down procedure, in the order given.

    S. Holm 1979: of m values, the k-th smallest (k from 0) is multiplied by m - k, and is at most 1
    and not less than those before it. All findings whose corrected p is at most a level hold
    jointly at that level. NaN counts among the m and stays NaN.
    """
    corrected, highest = [nan] * len(p), 0.0
    known = sorted((i for i, x in enumerate(p) if isfinite(x)), key=lambda i: p[i])
    for k, i in enumerate(known):
        highest = max(highest, min(1.0, (len(p) - k) * p[i]))
        corrected[i] = highest
    return corrected


def verdict(
    predictions: Sequence[Prediction],
    checks: Sequence[Prediction],
    curves: Curves,
    seeds: Sequence[int],
    primary: Prediction | None = None,
    look: int = 1,
    shares_past: SharesPast = lambda arm, than: False,
) -> Verdict:
    """Judge all predictions and checks.

    ``primary``: one of the predictions, which alone decides. ``look``: which look this is, from 1.
    """
    m = len(predictions)
    findings = [find(p, curves, seeds, m, look, shares_past) for p in predictions]
    checked = [find(p, curves, seeds, 1, look, shares_past, exact=True) for p in checks]
    first = None
    if primary is not None:
        place = list(predictions).index(primary)
        first = find(primary, curves, seeds, 1, look, shares_past)
        findings[place] = first
    word, why = _answer(findings, checked, seeds, first)
    return Verdict(word, why, findings, checked, level_of(len(seeds), look), look, first)


def ranked(answer: Verdict) -> list[Finding]:
    """The predictions, the most informative first.

    First comes the primary one, then those that refute the hypothesis, then all others that are
    supported or refuted, then the inconclusive ones, then those not measured. Within each group,
    claims about a difference between arms come first, and then the larger :attr:`Finding.effect`.
    """
    order = ("supported", "refuted", "inconclusive", "not measured")

    def place(finding: Finding) -> tuple[bool, bool, int, bool, float]:
        refutes = answer.word == "refuted" and finding.refuted_strictly
        differs = hasattr(finding.prediction, "than") and inf in map(
            abs, finding.prediction.region()
        )
        first = finding is answer.primary
        return (
            not first,
            not refutes,
            max(1, order.index(finding.word)),
            not differs,
            -finding.effect,
        )

    return sorted(answer.findings, key=place)


def _answer(
    findings: Sequence[Finding],
    checks: Sequence[Finding],
    seeds: Sequence[int],
    primary: Finding | None,
) -> tuple[Word, str]:
    word, why = _decided(findings, checks, seeds, primary)
    missing = [f.prediction.claim() for f in (*findings, *checks) if f.word == "not measured"]
    if len(missing) == len(findings) + len(checks):
        return word, f"{why}; nothing was measured"
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        why += f"; not measured: {missing[0]}{more}"
    return word, why


def _decided(
    findings: Sequence[Finding],
    checks: Sequence[Finding],
    seeds: Sequence[int],
    primary: Finding | None,
) -> tuple[Word, str]:
    few = f"cannot tell an effect from chance; run at least {FEWEST}, better {EXACT}"
    if len(seeds) == 1:
        return "inconclusive", f"one seed {few}"
    unfinished = [f for f in (*findings, *checks) if len(f.values) < len(seeds)]
    if unfinished:
        return "inconclusive", unfinished[0].reason
    if len(seeds) < FEWEST:
        return "inconclusive", f"two seeds {few}"
    failed = [c for c in checks if c.word not in ("supported", "not measured")]
    if failed:
        return (
            "inconclusive",
            f"a check of the program was not met, so its measurements cannot be trusted: "
            f"{failed[0].prediction.claim()}",
        )
    if any(c.word == "not measured" for c in checks):
        return "inconclusive", "a check of the program was not measured"
    if primary is not None:
        why = "the primary prediction is not decided"
        if primary.word in ("supported", "refuted"):
            why = f"the primary prediction is {primary.word}"
        return primary.word if primary.word != "not measured" else "inconclusive", why
    refuted = [f for f in findings if f.refuted_strictly]
    if refuted:
        are = "is" if len(refuted) == 1 else "are"
        return "refuted", f"{len(refuted)} of {len(findings)} predictions {are} refuted"
    supported = sum(f.word == "supported" for f in findings)
    if supported == len(findings):
        return "supported", f"all {len(findings)} predictions are supported"
    return "inconclusive", f"{supported} of {len(findings)} predictions are supported"
