"""The theory bench as six panels: predictions are lines, measurements are dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bascule.reports.figures import COLOURS, INK, new_figure, style
from bascule.theory.check import Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PATHS = {  # paths of different shapes: a circle, a spiral, a square, and two that converge
    "GAN": "-",
    "non-saturating": "--",
    "WGAN-GP": ":",
    "GAN, R1 0.3": "-",
    "GAN, instance noise 0.3": "--",
}


def theory_figure(sections: Sequence[Section]) -> Figure:
    """Dirac-GAN paths and rates, logits, the noise bound, and G's points on ring and grid."""
    drawn: dict[str, np.ndarray] = {}
    for section in sections:
        drawn |= section.drawn
    with style():
        figure = new_figure(13.5, 8.6)
        panels = figure.subplots(2, 3)
        _paths(panels[0, 0], drawn)
        _rates(panels[0, 1], _under("rate/", drawn))
        _logits(panels[0, 2], _under("logits/", drawn))
        _bound(panels[1, 0], drawn["bound"], _under("seen/", drawn))
        for ax, name in zip(panels[1, 1:], _under("means/", drawn), strict=True):
            _mixture(ax, name, drawn[f"means/{name}"], drawn[f"made/{name}"])
        panels[1, 1].legend(loc="center", frameon=False, fontsize=8.5)  # a ring is empty inside
    return figure


def _under(prefix: str, drawn: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in drawn.items() if k.startswith(prefix)}


def _finish(ax: Axes, title: str, x: str = "", y: str = "") -> None:
    ax.set_title(title, loc="left", fontsize=10.5, weight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#8A8F98", alpha=0.22, lw=0.6)


def _paths(ax: Axes, drawn: Mapping[str, np.ndarray]) -> None:
    for colour, (name, dashes) in zip(COLOURS, PATHS.items(), strict=False):
        path = drawn[f"path/{name}"]
        ax.plot(path[:, 0], path[:, 1], dashes, color=colour, lw=1.3, label=name)
    ax.plot([1], [1], "o", color=INK, ms=5)
    ax.annotate("start", (1, 1), xytext=(5, 3), textcoords="offset points", fontsize=8.5)
    ax.plot([0], [0], "+", color=INK, ms=10)
    ax.set_aspect("equal")
    ax.set_xlim(-1.7, 1.7)
    ax.set_ylim(-1.7, 2.6)
    _finish(ax, "Dirac-GAN: paths", "theta (G)", "psi (D)")
    ax.legend(loc="upper left", frameon=False, fontsize=8.5, ncols=2)


def _rates(ax: Axes, rates: Mapping[str, np.ndarray]) -> None:
    for k, (name, (damping, predicted, measured)) in enumerate(rates.items()):
        if k == 0:
            ax.plot(damping, -predicted, color=INK, lw=1.4, label="eigenvalues")
        marker, size = ("o", 7) if k == 0 else ("x", 5)
        told = f"measured, {name}"
        ax.plot(damping, -measured, marker, color=COLOURS[k], ms=size, mfc="none", label=told)
    damping = "damping: γ of R1, σ²/2 of instance noise"
    _finish(ax, "Dirac-GAN: rate of convergence", damping, "rate (1 / time)")
    ax.legend(loc="upper right", frameon=False, fontsize=8.5)


def _logits(ax: Axes, logits: Mapping[str, np.ndarray]) -> None:
    for k, (name, (x, logit)) in enumerate(logits.items()):
        if name == "D*":
            ax.plot(x, logit, color=INK, lw=4, alpha=0.3, label="D*: 2 - 2x")
        else:
            ax.plot(x, logit, "--", color=COLOURS[k - 1], lw=1.5, label=name)
    for mean, name, height in ((0, "95 % of the reals", -9.0), (2, "95 % of the fakes", -8.0)):
        ax.plot([mean - 2, mean + 2], [height, height], color="#8A8F98", lw=4, alpha=0.6)
        ax.annotate(name, (mean, height + 0.25), ha="center", fontsize=8)
    _finish(ax, "D on N(0, 1) against N(2, 1)", "x", "logit")
    ax.legend(loc="upper right", frameon=False, fontsize=8.5)


def _bound(ax: Axes, bound: np.ndarray, seen: Mapping[str, np.ndarray]) -> None:
    ax.fill_between(bound[0], bound[1], 1.02, color="#8A8F98", alpha=0.18, lw=0)
    ax.plot(bound[0], bound[1], color=INK, lw=1.4, label="Bayes bound")
    for colour, (name, (ratio, accuracy, error)) in zip(COLOURS, seen.items(), strict=False):
        line = "o" if name == "energy" else "o-"
        told = f"D ({name}), ±3 s.e."
        ax.errorbar(ratio, accuracy, 3 * error, fmt=line, color=colour, ms=4, lw=1, label=told)
    ax.set_ylim(0.48, 1.02)
    accuracy = "accuracy on fresh images"
    _finish(ax, "Telling noise σ from noise 0.1, 16 x 16", "σ / 0.1", accuracy)
    ax.legend(loc="lower right", frameon=False, fontsize=8.5)


def _mixture(ax: Axes, name: str, means: np.ndarray, made: np.ndarray) -> None:
    reach = 1.3 * np.abs(means).max()
    ax.plot(made[:, 0], made[:, 1], ".", color=COLOURS[0], ms=2, alpha=0.5, label="made by G")
    ax.plot(means[:, 0], means[:, 1], "o", mfc="none", mec=COLOURS[1], ms=10, label="modes")
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")
    _finish(ax, f"{name}: what G made (first seed)")
