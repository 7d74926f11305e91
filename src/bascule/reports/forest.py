"""Findings as a forest plot: the measured number of each seed and the claimed region."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import TYPE_CHECKING

from bascule.experiments.verdict import Finding, Verdict
from bascule.reports.figures import (
    COLOURS,
    INK,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    new_figure,
    style,
    wrapped,
)
from bascule.reports.page import Data, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORD_COLOURS: Mapping[str, str] = {
    "supported": SUPPORTED,
    "refuted": REFUTED,
    "inconclusive": UNDECIDED,
    "not measured": UNDECIDED,
}


def findings_drawing(verdict: Verdict, caption: str) -> Drawing:
    """:func:`findings_figure` for wide and for narrow screens, with its numbers."""
    columns = ("kind", "claim", "word", "measured", "mean", "low", "high", "claimed_low")
    rows: list[tuple[str | float, ...]] = []
    for kind, findings in (("prediction", verdict.findings), ("check", verdict.checks)):
        for f in findings:
            told = (kind, f.prediction.claim(), f.word, f.prediction.measured())
            numbers = (f.interval.mean, f.interval.low, f.interval.high, *f.prediction.region())
            rows += [(*told, *numbers, seed, value) for seed, value in f.values.items()] or [
                (*told, *numbers, "", nan)
            ]
    return Drawing(
        "findings",
        findings_figure(verdict),
        findings_figure(verdict, columns=1),
        "Forest plot of every prediction and check: seeds, interval and claimed region",
        caption,
        Data((*columns, "claimed_high", "seed", "value"), rows),
    )


def findings_figure(verdict: Verdict, columns: int = 2) -> Figure:
    """A forest plot: one axis for each prediction and check, since their units differ.

    Dots are seeds, the diamond is their mean, the bar is its interval, and the frame is the
    claimed region. Each verdict has its colour. ``columns``: 1 for narrow screens.
    """
    findings = [(f, "") for f in verdict.findings] + [(f, "check: ") for f in verdict.checks]
    wide = columns > 1
    with style():
        tall = (1.15 if wide else 1.7) * len(findings)
        figure = new_figure(10.0 if wide else 4.4, tall)
        rows = figure.subplots(len(findings), 1, squeeze=False).flat
        for ax, (finding, kind) in zip(rows, findings, strict=True):
            _draw_finding(ax, finding)
            claim = wrapped(kind + finding.prediction.claim(), 96 if wide else 46)
            below = "" if wide else "\n"
            ax.set_title(claim + below, loc="left", fontsize=9.5)
            ax.set_title(
                finding.word,
                loc="right",
                fontsize=9.5,
                weight="bold",
                color=WORD_COLOURS[finding.word],
            )
            measured = wrapped(finding.prediction.measured(), 110 if wide else 52)
            ax.set_xlabel(measured, fontsize=8.5)
    return figure


def _draw_finding(ax: Axes, finding: Finding) -> None:
    colour = WORD_COLOURS[finding.word]
    values = [v for v in finding.values.values() if isfinite(v)]
    interval = (finding.interval.low, finding.interval.high)
    region = finding.prediction.region()
    marks = [v for v in (*values, *interval, *region) if isfinite(v)]
    low, high = (min(marks), max(marks)) if marks else (0.0, 1.0)
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room
    open_ends = (low - room, high + room)  # outside the panel, so that an open end shows no frame
    start = region[0] if isfinite(region[0]) else open_ends[0]
    end = region[1] if isfinite(region[1]) else open_ends[1]
    ax.axvspan(start, end, color=COLOURS[0], alpha=0.13, lw=0)
    ax.axvspan(start, end, 0.01, 0.99, facecolor="none", edgecolor=COLOURS[0], lw=1.4)
    if isfinite(interval[0]) and isfinite(interval[1]):
        ax.plot(interval, [0.35, 0.35], color=colour, lw=4, solid_capstyle="butt")
    if isfinite(finding.interval.mean):
        ax.plot([finding.interval.mean], [0.35], "D", color=colour, ms=8)
    ax.plot(values, [-0.35] * len(values), "o", color=INK, ms=5, alpha=0.55, mew=0)
    if not values:
        ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center", va="center")
    ax.set_xlim(low, high)
    ax.set_ylim(-1, 1)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
