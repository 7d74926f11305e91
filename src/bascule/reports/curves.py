"""Learning curves as small multiples: one panel a scalar, one colour an arm."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np

from bascule.experiments.predictions import SCALARS, Curve, Curves
from bascule.objectives import Objective
from bascule.reports.figures import COLOURS, INK, colours, new_figure, style
from bascule.theory.noise import Bound
from bascule.training.recipe import AnyRecipe, Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = tuple[str, str, float | None, str]  # scalar, unit, a level to compare it with, its name
SPIKE = 4.0  # how far above the usual values (their 90 % quantile) a peak squeezes the panel
Stroke = dict[str, Any]  # colour and line style, as Matplotlib calls them
STROKES = ("-", "-.", (0, (1, 1)))  # of the bold lines, when the colours come round again
BEST: Stroke = {"ls": (0, (9, 2, 1.5, 2)), "lw": 1.2, "clip_on": False}  # whole at the edge too


@dataclass(frozen=True)
class Change:
    """A moment of the page's vertical lines: before ``epoch``, counted from 0."""

    epoch: int
    label: str


def panels_of(scalars: Sequence[str], recipes: Iterable[AnyRecipe] = ()) -> list[Panel]:
    """A panel for each scalar; those of the game with their unit and level.

    ``recipes``: what is drawn. Where they play for several objectives, their losses are of
    several units and no level is that of all.
    """
    objectives = {r.objective for r in recipes if isinstance(r, Recipe)} or {Objective()}
    entropic = all(objective.entropic for objective in objectives)
    unit, sigmoid = ("nats", "probability") if entropic else ("", "sigmoid of the logit")
    (one, *others) = objectives
    level, name = (None if others else one.blind) or (None, "")
    known: dict[str, Panel] = {  # the level is where a D that cannot tell stands
        "loss_D": ("loss_D", unit, level, name),
        "loss_G": ("loss_G", unit, None, ""),
        "D_x": ("D_x", sigmoid, 0.5, "1/2"),
        "D_Gz": ("D_Gz", sigmoid, 0.5, "1/2"),
    }
    return [known.get(scalar, (scalar, "", None, "")) for scalar in scalars]


GAME = tuple(panels_of(SCALARS))


def curves_figure(
    curves: Curves,
    changes: Sequence[Change] = (),
    branches: Mapping[str, int] | None = None,
    columns: int = 2,
    bounds: Mapping[str, tuple[int, Bound]] | None = None,
    panels: Sequence[Panel] = GAME,
) -> Figure:
    """Each scalar of ``panels`` (loss_D, loss_G, D_x, D_Gz) against the epoch, counted from 0.

    ``curves``: arm -> seed -> scalar -> one value an epoch. Each seed is a thin line, their mean
    a bold one inside the band from the lowest to the highest seed. ``changes`` are dashed lines,
    half an epoch before the first epoch that they touch. ``branches``: an arm -> the number of
    epochs that it shares with its parent; those are not drawn again, and a dot marks the branch.
    Where a spike would flatten the rest, the panel is logarithmic above the usual values, and
    says so. ``columns``: 2 for a desk, 1 for a phone. ``bounds``: an arm -> from which epoch it is
    bounded, and by what; a thin dash-dot line of its colour where the best D stands.
    """
    from matplotlib.lines import Line2D

    panels = [panel for panel in panels if _was_measured(curves, panel[0])] or panels[:1]
    shared = branches or {}
    colour = colours(curves)
    strokes: dict[str, Stroke] = {
        arm: {"color": colour[arm], "ls": STROKES[k // len(COLOURS) % len(STROKES)]}
        for k, arm in enumerate(curves)
    }
    with style():
        rows = -(-len(panels) // columns)
        figure = new_figure(*((10.0, 3.3 * rows) if columns > 1 else (4.4, 2.875 * rows)))
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in grid[len(panels) :]:
            ax.set_axis_off()
        for ax, (scalar, unit, level, name) in zip(grid, panels, strict=False):
            for arm, seeds in curves.items():
                lines = [_from_branch(c, scalar, shared.get(arm, 0)) for c in seeds.values()]
                stroke = strokes[arm]
                _draw_arm(ax, [y for y in lines if len(y)], stroke, shared.get(arm, 0))
                if bounds and arm in bounds:
                    _draw_best(ax, *bounds[arm], scalar, max(map(len, lines), default=0), stroke)
            note = _scale(ax, curves, scalar)
            _finish(ax, level, name)
            pad = 6 + 10 * min(len(changes), 2)  # room for their labels
            title = f"{scalar}  ({unit})" if unit else scalar
            ax.set_title(title, loc="left", fontsize=10.5, weight="bold", pad=pad)
            ax.set_title(note, loc="right", fontsize=8, pad=pad)
            for place, change in enumerate(changes):
                ax.axvline(change.epoch - 0.5, ls="--", lw=1, color=INK, alpha=0.7)
                _label(ax, change, height=place % 2)
        for ax in figure.axes[-columns:]:
            ax.set_xlabel("epoch, counted from 0")
        drawn = [arm for arm in curves if curves[arm]]
        handles = [Line2D([], [], lw=2.4, **strokes[arm]) for arm in drawn]
        labels = [textwrap.fill(f" {arm}", 46) for arm in drawn]
        if handles:
            figure.legend(
                handles,
                labels,
                loc="outside upper left",
                frameon=False,
                ncols=min(columns, len(handles)),
            )
    return figure


def _was_measured(curves: Curves, scalar: str) -> bool:
    """Whether any seed of any arm has a number of ``scalar``."""
    every = (curve.get(scalar, ()) for seeds in curves.values() for curve in seeds.values())
    return any(np.isfinite(np.array(y, float)).any() for y in every)


def _from_branch(curve: Curve, scalar: str, shared: int) -> np.ndarray:
    """One scalar of one seed, without the past that its parent shows (but for its last epoch)."""
    y = np.array(curve.get(scalar, ()), float)
    y[: max(shared - 1, 0)] = np.nan
    return y


def _draw_arm(ax: Axes, lines: Sequence[np.ndarray], stroke: Stroke, shared: int) -> None:
    if not lines:
        return
    colour = stroke["color"]
    n = min(len(y) for y in lines)
    stack = np.stack([y[:n] for y in lines])
    measured = np.isfinite(stack).all(0)  # some scalars are measured every few epochs
    x, at_branch = np.flatnonzero(measured), 0 < shared <= n and stack[:, shared - 1].mean()
    stack = stack[:, measured]
    if len(lines) > 1:
        ax.fill_between(x, stack.min(0), stack.max(0), color=colour, alpha=0.13, lw=0)
        for y in stack:
            ax.plot(x, y, color=colour, lw=0.6, alpha=0.6)
    dot = "o" if len(x) == 1 else None
    ax.plot(x, stack.mean(0), lw=2, marker=dot, solid_capstyle="round", **stroke)
    if 0 < shared <= n:
        ax.plot([shared - 1], [at_branch], "o", color=colour, ms=6, zorder=5)


def _draw_best(ax: Axes, start: int, bound: Bound, scalar: str, end: int, stroke: Stroke) -> None:
    level = getattr(bound, scalar, None)
    if level is not None and end > start:
        ax.plot([start - 0.5, end - 0.5], [level, level], color=stroke["color"], **BEST)


def _scale(ax: Axes, curves: Curves, scalar: str) -> str:
    """Choose the y axis; returns what a reader must know about it."""
    if scalar in ("D_x", "D_Gz"):
        ax.set_ylim(-0.02, 1.02)
        return ""
    if not scalar.startswith(("loss", "grad_norm")):
        return ""  # what is bounded has no spikes
    found = [np.ravel(c.get(scalar, ())) for seeds in curves.values() for c in seeds.values()]
    values = np.concatenate([np.empty(0), *found])
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    low, usual, high = values.min(), np.quantile(values, 0.9), values.max()
    if not 0 < 2 * usual < high or high - low <= SPIKE * (usual - low):
        return ""
    edge = float(f"{1.1 * usual:.2g}")
    ax.set_yscale("symlog", linthresh=edge, linscale=1.4 * log10(high / edge) + 0.2)
    above = [f * 10.0**k for k in range(-6, 9) for f in (1, 2, 3, 5) if edge < f * 10.0**k <= high]
    ax.set_yticks([0, edge / 2, edge, *above[:: max(1, len(above) // 4)]])
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
    ax.set_ylim(min(0.0, low), high * 1.25)
    return f"logarithmic above {edge:g}; highest {high:.3g}"


def _finish(ax: Axes, level: float | None, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    if level is not None:
        ax.axhline(level, ls=":", lw=0.8, color=INK, alpha=0.8)
        ax.annotate(
            name,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#8A8F98", alpha=0.22, lw=0.6)


def _label(ax: Axes, change: Change, height: int) -> None:
    """Name a dashed line above its panel; ``height`` keeps neighbours apart."""
    left, right = ax.get_xlim()
    share = (change.epoch - left) / (right - left)
    ax.annotate(
        change.label,
        (change.epoch - 0.5, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2 + 10 * height),
        textcoords="offset points",
        ha="left" if share < 0.3 else "right" if share > 0.7 else "center",
        fontsize=8,
    )
