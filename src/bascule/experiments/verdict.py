"""From measurements over seeds to a verdict.

Each prediction is judged by the 95 % t interval of its mean over seeds. It is *supported* if the
whole interval lies in the claimed region, *refuted* if no part of it does, and *inconclusive*
otherwise. A single seed has no interval, so it is always inconclusive. A prediction without a
number on any seed is *not measured*. An experiment's verdict has no such word, but it names these
predictions.

The experiment is supported if every prediction is (an intersection-union test, which needs no
correction). It is refuted if a prediction is also refuted by its interval at 1 - 5 % / m, with m
the number of predictions (Bonferroni). Otherwise it is inconclusive. *Checks* are predictions about
the program itself: if one is not supported, the verdict is inconclusive whatever the predictions
say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Literal

import numpy as np
from scipy import stats

from bascule.experiments.intervals import Interval, t_interval
from bascule.experiments.predictions import Curves, Prediction, worded

Word = Literal["supported", "refuted", "inconclusive", "not measured"]


def judge(interval: Interval, region: tuple[float, float]) -> Word:
    """The word for an interval and a claimed region.

    A difference of exactly 0 on every seed supports neither "higher" nor "lower".
    """
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return "inconclusive"
    if interval.low == interval.high and interval.low in region and inf in map(abs, region):
        return "inconclusive"
    if region[0] <= interval.low and interval.high <= region[1]:
        return "supported"
    if interval.high < region[0] or region[1] < interval.low:
        return "refuted"
    return "inconclusive"


@dataclass(frozen=True)
class Finding:
    """One prediction and its measurements."""

    prediction: Prediction
    values: Mapping[int, float]  # seed -> number
    interval: Interval
    word: Word
    refuted_strictly: bool
    p: float  # the smallest level at which the word still holds; NaN if there is no interval
    reason: str = ""

    @property
    def shown(self) -> Interval:
        """Its interval, cut to the possible values of its number, such as shares >= 0."""
        return self.interval.within(*self.prediction.limits())

    @property
    def effect(self) -> float:
        """The distance of the mean from the nearest edge of the region, in half interval widths.

        Above 1 if the word is supported or refuted. 0 if there is no interval.
        """
        edges = [edge for edge in self.prediction.region() if isfinite(edge)]
        if not isfinite(self.interval.half) or not edges:
            return 0.0
        apart = min(abs(self.interval.mean - edge) for edge in edges)
        return apart / self.interval.half if self.interval.half else inf if apart else 0.0


@dataclass(frozen=True)
class Verdict:
    """The verdict of an experiment, and the reason."""

    word: Word
    why: str
    findings: Sequence[Finding]
    checks: Sequence[Finding]


def find(prediction: Prediction, curves: Curves, seeds: Sequence[int], m: int) -> Finding:
    """Measure one prediction on every seed for which all its arms are complete."""
    prediction = worded(prediction)
    arms = [a for a in (getattr(prediction, n, None) for n in ("arm", "than")) if a is not None]
    complete = [s for s in seeds if all(s in curves.get(arm, {}) for arm in arms)]
    values = {seed: prediction.measure(curves, seed) for seed in complete}
    known = [x for x in values.values() if isfinite(x)]
    interval = t_interval(list(values.values()))
    # Numbers may not be missing at random: give their mean, but an infinite interval.
    if len(known) < len(values):
        interval = replace(interval, mean=float(np.mean(known)) if known else nan)
    strict = t_interval(list(values.values()), 1 - 0.05 / m)
    region = prediction.region()
    word = judge(interval, region) if known else "not measured"
    refuted_strictly = judge(strict, region) == "refuted"
    p = p_value(list(values.values()), region)
    reason = _missing(len(seeds), len(values), len(known))
    return Finding(prediction, values, interval, word, refuted_strictly, p, reason)


def _missing(seeds: int, finished: int, measured: int) -> str:
    """What is missing for a judgement; "" if nothing is."""
    reasons = []
    if finished < seeds:
        have = "has" if seeds - finished == 1 else "have"
        reasons.append(f"{seeds - finished} of {seeds} seeds {have} no finished run")
    if measured < finished:
        reasons.append(f"it was not measured on {finished - measured} of {seeds} seeds")
    if not reasons and seeds == 1:
        reasons.append("one seed cannot tell an effect from chance")
    return "; ".join(reasons)


def p_value(values: Sequence[float], region: tuple[float, float]) -> float:
    """The smallest p = 1 - level at which the t interval touches no edge of ``region``.

    It is the two-sided p of Student's t test of the mean against the nearest edge. It is below 5 %
    exactly if :func:`judge` of the 95 % interval gives *supported* or *refuted*. For a mean outside
    a region with two edges, the nearest edge decides too.
    """
    x = np.asarray(values, float)
    edges = [edge for edge in region if isfinite(edge)]
    if len(x) < 2 or not np.isfinite(x).all() or not edges:
        return nan
    error = x.std(ddof=1) / len(x) ** 0.5
    distance = min(abs(x.mean() - edge) for edge in edges)
    if error == 0:
        mean = float(x.mean())
        return 1.0 if judge(Interval(mean, mean, mean), region) == "inconclusive" else 0.0
    return float(2 * stats.t.sf(distance / error, len(x) - 1))


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
) -> Verdict:
    """Judge all predictions and checks."""
    findings = [find(p, curves, seeds, len(predictions)) for p in predictions]
    checked = [find(p, curves, seeds, 1) for p in checks]
    word, why = _answer(findings, checked, seeds)
    return Verdict(word, why, findings, checked)


def ranked(answer: Verdict) -> list[Finding]:
    """The predictions, the most informative first.

    First come those that refute the hypothesis, then all others that are supported or refuted, then
    the inconclusive ones, then those not measured. Within each group, claims about a difference
    between arms come first, and then the larger :attr:`Finding.effect`.
    """
    order = ("supported", "refuted", "inconclusive", "not measured")

    def place(finding: Finding) -> tuple[bool, int, bool, float]:
        refutes = answer.word == "refuted" and finding.refuted_strictly
        differs = hasattr(finding.prediction, "than") and inf in map(
            abs, finding.prediction.region()
        )
        return not refutes, max(1, order.index(finding.word)), not differs, -finding.effect

    return sorted(answer.findings, key=place)


def _answer(
    findings: Sequence[Finding], checks: Sequence[Finding], seeds: Sequence[int]
) -> tuple[Word, str]:
    word, why = _decided(findings, checks, seeds)
    missing = [f.prediction.claim() for f in (*findings, *checks) if f.word == "not measured"]
    if len(missing) == len(findings) + len(checks):
        return word, f"{why}; nothing was measured"
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        why += f"; not measured: {missing[0]}{more}"
    return word, why


def _decided(
    findings: Sequence[Finding], checks: Sequence[Finding], seeds: Sequence[int]
) -> tuple[Word, str]:
    if len(seeds) < 2:
        return "inconclusive", "one seed cannot tell an effect from chance; run at least two"
    unfinished = [f for f in (*findings, *checks) if len(f.values) < len(seeds)]
    if unfinished:
        return "inconclusive", unfinished[0].reason
    failed = [c for c in checks if c.word not in ("supported", "not measured")]
    if failed:
        return (
            "inconclusive",
            f"a check of the program was not met, so its measurements cannot be trusted: "
            f"{failed[0].prediction.claim()}",
        )
    if any(c.word == "not measured" for c in checks):
        return "inconclusive", "a check of the program was not measured"
    refuted = [f for f in findings if f.refuted_strictly]
    if refuted:
        are = "is" if len(refuted) == 1 else "are"
        return "refuted", f"{len(refuted)} of {len(findings)} predictions {are} refuted"
    supported = sum(f.word == "supported" for f in findings)
    if supported == len(findings):
        return "supported", f"all {len(findings)} predictions are supported"
    return "inconclusive", f"{supported} of {len(findings)} predictions are supported"
