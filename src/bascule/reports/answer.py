"""The short answer of an experiment: the finding, the verdict, and a chip for each prediction."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from bascule.experiments.inference import FEWEST
from bascule.experiments.scalars import OF_SCORES, stem
from bascule.experiments.schedule import Results
from bascule.experiments.verdict import Finding, Word, ranked
from bascule.reports import facts
from bascule.reports.page import Answer, Chip, anchor

PREDICTIONS = "Predictions"  # the title of the section with a row for every finding
MEANING: Mapping[Word, str] = {
    "supported": "What was predicted is what was measured: for every prediction that decides, the "
    "whole interval over seeds lies in the claimed region. This speaks for the hypothesis "
    "on these data and this recipe; it does not prove it elsewhere.",
    "refuted": "A prediction that decides is contradicted: its interval over seeds, widened if "
    "several decide, lies wholly outside the claimed region. The hypothesis, as it is "
    "stated here, does not hold on these data and this recipe.",
    "inconclusive": "The hypothesis as a whole is neither supported nor refuted by these runs. "
    "Each prediction has a verdict of its own below, which is about that prediction alone.",
}


def answer(results: Results) -> Answer:
    """Finding, verdict and chips of an experiment."""
    verdict = results.verdict
    rows = {id(f): row for row, f in enumerate(verdict.findings, 1)}
    chips = [_chip(f, anchor(PREDICTIONS, rows[id(f)])) for f in ranked(verdict)]
    why = facts.without_paths(verdict.why)
    return Answer(verdict.word, why, MEANING[verdict.word], finding(results), chips)


def finding(results: Results) -> str:
    """The finding in one or two sentences, about the most informative prediction.

    That prediction is the first of :func:`bascule.experiments.verdict.ranked`. The text says what
    was measured, whatever the claim was. If the prediction is refuted, it adds what was predicted.
    If the verdict is inconclusive, it adds why.
    """
    best, verdict = ranked(results.verdict)[0], results.verdict
    if best.word == "not measured":
        return "Nothing was measured yet."
    told = best.prediction.found(best.shown)
    if meaning := _meaning(results, best):
        told = f"{meaning[0].upper()}{meaning[1:]}: {told}"
    if best.word == "refuted":
        told += f"; predicted was {best.prediction.expected()}"
    return f"{told}.{_doubt(best, results)}" if verdict.word == "inconclusive" else f"{told}."


def _meaning(results: Results, best: Finding) -> str:
    """The meaning of the finding; "" for scores of D that are not probabilities."""
    scalar = stem(getattr(best.prediction, "scalar", ""))
    games = [found for arm in results.experiment.arms.values() if (found := arm.gan_objective)]
    if scalar in OF_SCORES and not all(objective.entropic for objective in games):
        return ""
    return best.prediction.meaning(best.shown)


def _doubt(best: Finding, results: Results) -> str:
    """Why a finding does not decide the hypothesis, or not even its own prediction."""
    if len(results.seeds) < FEWEST:
        few = "One seed cannot" if len(results.seeds) == 1 else "Two seeds cannot"
        return f" {few} tell this from chance."
    if any(check.word != "supported" for check in results.verdict.checks):
        return " A check of the program is not met, so no number here can be trusted yet."
    if best.word == "inconclusive":
        return " That decides nothing, and no other prediction is decided."
    return " This alone does not decide the hypothesis."


def _chip(finding: Finding, target: str) -> Chip:
    text = finding.prediction.short()
    if finding.word != "not measured":
        sign = "+" if finding.shown.mean > 0 and hasattr(finding.prediction, "sides") else ""
        number = facts.interval(finding.shown) if isfinite(finding.shown.low) else ""
        text += f": {sign}{number or facts.number(finding.shown.mean)}"
    return Chip(text, finding.word, target)
