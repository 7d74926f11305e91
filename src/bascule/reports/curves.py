"""Learning curves as small multiples: one panel per scalar, one colour per arm.

Classes in the SVG allow a page to hide elements. Elements of an arm have the class ``arm-K`` and
one of ``seed-S``, ``mean`` and ``range``. ``panel`` is a panel, and ``change-E`` the dashed line at
epoch E and its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, log10, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from bascule.experiments.predictions import SCALARS, Curve, Curves
from bascule.gan.objectives import GANLoss
from bascule.reports.figures import COLOURS, HANDLE, INK, colours, new_figure, style, wrapped
from bascule.reports.page import Data, Drawing, Key
from bascule.theory.noise import Bound
from bascule.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = tuple[str, str, float | None, str]  # scalar, unit, a level for comparison, the level's name
SPIKE = 4.0  # a peak this many times above the 90 % quantile makes the axis logarithmic
Stroke = dict[str, Any]  # colour and line style under Matplotlib's names
BOLD = 2.0  # the width of the line of a mean
# Dashes of the bold lines once all colours are used: strokes and gaps, in line widths.
STROKES: tuple[tuple[float, ...], ...] = ((), (6.4, 1.6, 1, 1.6), (1, 1))
LETTER = 4.9  # points: the mean width of a letter of the labels above a panel
# Not clipped at the edge of the panel.
BEST: Stroke = {"ls": (0, (9, 2, 1.5, 2)), "lw": 1.2, "clip_on": False}


@dataclass(frozen=True)
class Change:
    """A vertical line before ``epoch``, counted from 0, with a label."""

    epoch: int
    label: str


def panels_of(scalars: Sequence[str], recipes: Iterable[Recipe] = ()) -> list[Panel]:
    """A panel for each scalar; scalars of training have a unit and a level.

    ``recipes``: the recipes of the curves. If they have different objectives, their losses have
    different units and no common level.
    """
    objectives = {found for r in recipes if (found := r.gan_objective)} or {GANLoss()}
    entropic = all(objective.entropic for objective in objectives)
    unit, sigmoid = ("nats", "probability") if entropic else ("", "sigmoid of the logit")
    (one, *others) = objectives
    level, name = (None if others else one.blind) or (None, "")
    # The level is the value for a D that cannot distinguish fakes from reals.
    known: dict[str, Panel] = {
        "loss_D": ("loss_D", unit, level, name),
        "loss_G": ("loss_G", unit, None, ""),
        "D_x": ("D_x", sigmoid, 0.5, "1/2"),
        "D_Gz": ("D_Gz", sigmoid, 0.5, "1/2"),
    }
    return [known.get(scalar, (scalar, "", None, "")) for scalar in scalars]


GAME = tuple(panels_of(SCALARS))


def curves_drawing(
    name: str,
    curves: Curves,
    alt: str,
    caption: str,
    changes: Sequence[Change] = (),
    branches: Mapping[str, int] | None = None,
    bounds: Mapping[str, tuple[int, Bound]] | None = None,
    panels: Sequence[Panel] = GAME,
) -> Drawing:
    """:func:`curves_figure` for wide and for narrow screens, with its numbers and its legend."""
    wide, narrow = (
        curves_figure(curves, changes, branches, columns, bounds, panels) for columns in (2, 1)
    )
    keys = [
        Key(arm, str(stroke["color"]), _dashes(place), max((branches or {}).get(arm, 0) - 1, 0))
        for place, (arm, stroke) in enumerate(_strokes(curves).items())
        if curves[arm]
    ]
    return Drawing(name, wide, narrow, alt, caption, _numbers(curves, panels), keys)


def _numbers(curves: Curves, panels: Sequence[Panel]) -> Data:
    """One row for each arm, seed and epoch with any measurement."""
    scalars = [scalar for scalar, *_ in panels if _was_measured(curves, scalar)]
    rows: list[tuple[str | float, ...]] = []
    for arm, seeds in curves.items():
        for seed, curve in seeds.items():
            known = [np.asarray(curve.get(scalar, ()), float) for scalar in scalars]
            for epoch in range(max(map(len, known), default=0)):
                cells = [float(y[epoch]) if epoch < len(y) else nan for y in known]
                if not all(map(isnan, cells)):
                    rows.append((arm, seed, epoch, *cells))
    return Data(("arm", "seed", "epoch", *scalars), rows)


def curves_figure(
    curves: Curves,
    changes: Sequence[Change] = (),
    branches: Mapping[str, int] | None = None,
    columns: int = 2,
    bounds: Mapping[str, tuple[int, Bound]] | None = None,
    panels: Sequence[Panel] = GAME,
) -> Figure:
    """Each scalar of ``panels`` (loss_D, loss_G, D_x, D_Gz) against the epoch, counted from 0.

    ``curves``: arm -> seed -> scalar -> one value per epoch. Each seed is a thin line. Their mean
    is a bold line in a band from the lowest to the highest seed. ``changes`` are dashed lines, half
    an epoch before the first epoch that they affect. ``branches``: arm -> the number of epochs that
    it shares with its parent. These are not drawn again, and a dot marks the branch. If a spike
    would flatten the rest, the axis is logarithmic above the usual values, and a label says so.
    ``columns``: 2 for wide screens, 1 for narrow ones. ``bounds``: arm -> (first epoch, bound); the
    best possible D is a thin dash-dot line in the arm's colour.
    """
    from matplotlib.lines import Line2D

    panels = [panel for panel in panels if _was_measured(curves, panel[0])] or panels[:1]
    shared, strokes = branches or {}, _strokes(curves)
    arms = [arm for arm in curves if curves[arm]]
    with style():
        rows = -(-len(panels) // columns)
        figure = new_figure(*((10.0, 3.3 * rows) if columns > 1 else (4.4, 2.875 * rows)))
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in grid[len(panels) :]:
            ax.set_axis_off()
        for ax, (scalar, unit, level, name) in zip(grid, panels, strict=False):
            ax.set_gid("panel")
            ax.set_label(scalar)
            for place, arm in enumerate(arms):
                seeds = curves[arm].items()
                lines = {s: _from_branch(c, scalar, shared.get(arm, 0)) for s, c in seeds}
                stroke = strokes[arm]
                drawn = {s: y for s, y in lines.items() if len(y)}
                _draw_arm(ax, drawn, stroke, shared.get(arm, 0), f"arm-{place}")
                if bounds and arm in bounds:
                    end = max(map(len, lines.values()), default=0)
                    _draw_best(ax, *bounds[arm], scalar, end, stroke, f"arm-{place}")
            note = _scale(ax, curves, scalar)
            _finish(ax, level, name)
            _set_epochs(ax, curves, changes)
            for change in changes:
                ax.axvline(change.epoch - 0.5, ls="--", lw=1, color=INK, gid=_gid(change))
            points = 290.0 if columns > 1 else 250.0  # the width of a panel
            pad = 6 + 10 * _label_changes(ax, changes, points)
            title = f"{scalar}  ({unit})" if unit else scalar
            ax.set_title(title, loc="left", fontsize=10.5, weight="bold", pad=pad)
            ax.set_title(note, loc="right", fontsize=8, pad=pad)
        for ax in figure.axes[-columns:]:
            ax.set_xlabel("epoch, counted from 0")
        if arms:
            figure.legend(
                [Line2D([], [], lw=BOLD, **strokes[arm]) for arm in arms],
                [f" {wrapped(arm, 44)}" for arm in arms],
                loc="outside upper left",
                frameon=False,
                handlelength=HANDLE,
                ncols=min(columns, len(arms)),
            )
    return figure


def _strokes(curves: Curves) -> dict[str, Stroke]:
    """The colour and line style of every arm, in order."""
    colour = colours(curves)
    return {
        arm: {"color": colour[arm], "ls": (0, dashes) if (dashes := _pattern(place)) else "-"}
        for place, arm in enumerate(curves)
    }


def _pattern(place: int) -> tuple[float, ...]:
    return STROKES[place // len(COLOURS) % len(STROKES)]


def _dashes(place: int) -> str:
    return " ".join(f"{BOLD * length:g}" for length in _pattern(place))


def _was_measured(curves: Curves, scalar: str) -> bool:
    """Whether any seed of any arm has a value of ``scalar``."""
    every = (curve.get(scalar, ()) for seeds in curves.values() for curve in seeds.values())
    return any(np.isfinite(np.array(y, float)).any() for y in every)


def _from_branch(curve: Curve, scalar: str, shared: int) -> np.ndarray:
    """One scalar of one seed, from the last epoch before the branch on."""
    y = np.array(curve.get(scalar, ()), float)
    y[: max(shared - 1, 0)] = np.nan
    return y


def _draw_arm(
    ax: Axes, lines: Mapping[int, np.ndarray], stroke: Stroke, shared: int, arm: str
) -> None:
    """``lines``: seed -> one value per epoch. ``arm``: the SVG class of its elements."""
    if not lines:
        return
    colour = stroke["color"]
    n = min(len(y) for y in lines.values())
    stack = np.stack([y[:n] for y in lines.values()])
    measured = np.isfinite(stack).all(0)  # some scalars are measured every few epochs
    x, at_branch = np.flatnonzero(measured), 0 < shared <= n and stack[:, shared - 1].mean()
    stack = stack[:, measured]
    alone = "o" if len(x) == 1 else None  # a line with a single point would be invisible
    if len(lines) > 1 and len(x):
        band, low, high = f"{arm} range", stack.min(0), stack.max(0)
        if alone:
            ax.plot([x, x], [low, high], color=colour, alpha=0.3, lw=6, gid=band)
        else:
            around = np.r_[x, x[::-1]], np.r_[high, low[::-1]]
            ax.fill(*around, color=colour, alpha=0.13, lw=0, gid=band)
        thin: Stroke = {"color": colour, "lw": 0.6, "alpha": 0.6, "marker": alone, "ms": 3}
        for seed, y in zip(lines, stack, strict=True):
            ax.plot(x, y, gid=f"{arm} seed-{seed}", **thin)
    bold: Stroke = {"lw": BOLD, "marker": alone, "solid_capstyle": "round", **stroke}
    ax.plot(x, stack.mean(0), gid=f"{arm} mean", **bold)
    if 0 < shared <= n:
        ax.plot([shared - 1], [at_branch], "o", color=colour, ms=6, zorder=5, gid=f"{arm} mean")


def _draw_best(
    ax: Axes, start: int, bound: Bound, scalar: str, end: int, stroke: Stroke, arm: str
) -> None:
    level = getattr(bound, scalar, None)
    if level is not None and end > start:
        edges = [start - 0.5, end - 0.5]
        ax.plot(edges, [level, level], color=stroke["color"], gid=f"{arm} best", **BEST)


def _set_epochs(ax: Axes, curves: Curves, changes: Sequence[Change]) -> None:
    """Set the same x limits in every panel: all epochs of the longest run, and every change."""
    every = [y for seeds in curves.values() for curve in seeds.values() for y in curve.values()]
    last = max(map(len, every), default=1) - 1
    room = 0.05 * last or 0.5
    marks = [change.epoch - 0.5 for change in changes]
    ax.set_xlim(min(-room, *marks, 0), max(last + room, *marks, 0))
    low, high = ax.dataLim.intervaly
    if low == high and ax.get_yscale() == "linear" and ax.get_autoscaley_on():
        room = abs(low) / 2 or 1.0  # all values are equal: keep the labels short
        ax.set_ylim(low - room, high + room)


def _scale(ax: Axes, curves: Curves, scalar: str) -> str:
    """Choose the y axis; returns a note for readers if it is logarithmic, else ""."""
    if scalar in ("D_x", "D_Gz"):
        ax.set_ylim(-0.02, 1.02)
        return ""
    if not scalar.startswith(("loss", "grad_norm")):
        return ""  # a bounded scalar has no spikes
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
    ax.set_ylim(min(0.0, low), high * 1.25)
    ax.set_yticks(_apart(ax, [0, edge / 2, edge, *above]))
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
    return f"logarithmic above {edge:g}; highest {high:.3g}"


def _apart(ax: Axes, ticks: Sequence[float]) -> list[float]:
    """The ``ticks``, in ascending order, whose labels do not overlap on the y axis."""
    heights = ax.transAxes.inverted().transform(ax.transData.transform([(0, y) for y in ticks]))
    kept: list[tuple[float, float]] = []
    for (_, height), y in zip(heights, ticks, strict=True):
        if not kept or height - kept[-1][0] > 0.1:
            kept.append((height, y))
    return [y for _, y in kept]


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
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#8A8F98", alpha=0.22, lw=0.6)


def _gid(change: Change) -> str:
    return f"change change-{change.epoch}"


def _label_changes(ax: Axes, changes: Sequence[Change], points: float) -> int:
    """Label the dashed lines above a panel of width ``points``; returns the number of text lines.

    A label stays between the panel's edges, and moves up if it would overlap another.
    """
    from rich.cells import cell_len

    left, right = ax.get_xlim()
    taken: list[tuple[int, float, float]] = []  # line of text, from, to
    for change in changes:
        label = wrapped(change.label, int(points / LETTER))
        lines = label.count("\n") + 1
        width = LETTER * max(map(cell_len, label.split("\n")))
        middle = points * (change.epoch - 0.5 - left) / (right - left)
        if middle - width / 2 < 0:
            side, start = "left", 0.0
        elif middle + width / 2 > points:
            side, start = "right", points - width
        else:
            side, start = "center", middle - width / 2
        meets = [row for row, a, b in taken if a < start + width + 6 and start < b + 6]
        first = max(meets, default=-1) + 1
        taken += [(first + k, start, start + width) for k in range(lines)]
        ax.annotate(
            label,
            ({"left": 0.0, "right": 1.0, "center": middle / points}[side], 1),
            xycoords="axes fraction",
            ha=side,
            xytext=(0, 2 + 10 * first),
            textcoords="offset points",
            fontsize=8,
            linespacing=1.05,
            annotation_clip=False,
            gid=_gid(change),
        )
    return max((row for row, *_ in taken), default=-1) + 1
