"""Figure and table of a generator's images after settling in dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bascule.experiments.experiment import Measure
from bascule.experiments.scalars import limits
from bascule.experiments.schedule import Results
from bascule.metrics.measurement import parse
from bascule.metrics.metric import Measured
from bascule.reports import facts
from bascule.reports.figures import INK, colours, new_figure, style
from bascule.reports.page import Block, Data, Drawing, Table
from bascule.sdpc.reports.coding import by_name, layers_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES = ("KID", "mean TV", "out of vocabulary")
STROKES = ("-", "--", ":")  # line styles of the layers, from the image up
Told = list[Mapping[str, Measured]]  # by label without its brackets, one per seed


def settling(results: Results) -> list[Block]:
    """Fakes before and after settling at each ``k_fb``, in every arm; empty if not measured."""
    measure = results.experiment.measure
    if not isinstance(measure, Measure) or not (measure.k_fb and measure.settled_fakes):
        return []
    told = {arm: found for arm, runs in results.runs.items() if (found := by_name(runs))}
    if not told:
        return []
    shown = [m for m in MEASURES if all(m in seed for seeds in told.values() for seed in seeds)]
    layers = {arm: layers_of(results.experiment.arms[arm]) for arm in told}
    rows: list[tuple[str, ...]] = []
    for arm, seeds in told.items():
        rows.append((arm, "as drawn", "", *(_cell(seeds, m) for m in shown)))
        rows += [
            (
                arm,
                f"layer {layer}",
                f"{k:g}",
                *(_cell(seeds, f"{m} of layer {layer} at k_fb={k:g}") for m in shown),
            )
            for layer in range(1, layers[arm] + 1)
            for k in measure.k_fb
        ]
    drawing = Drawing(
        "settling",
        _figure(told, layers, shown, measure.k_fb, wide=True),
        _figure(told, layers, shown, measure.k_fb, wide=False),
        "What settled fakes score, against the strength of feedback, for each layer and arm",
        "Means over seeds; bands: from the lowest seed to the highest. Solid: decoded from layer "
        "1, dashed: from layer 2. Dash-dot: the fakes as G drew them. Lower is better.",
        Data(
            ("arm", "run", "measure", "value"),
            [
                (arm, place, label, measured.value)
                for arm, seeds in told.items()
                for place, seed in enumerate(seeds)
                for label, measured in seed.items()
                if parse(label).quantity.name in shown
            ],
        ),
    )
    caption = "Mean over seeds ± half width of its 95 % interval."
    columns = ("arm", "decoded from", "k_fb", *shown)
    return [drawing, Table(columns, rows, f"{caption} {facts.NUMBERS}")]


def _cell(seeds: Told, label: str) -> str:
    return facts.plus_minus([seed[label].value for seed in seeds], limits(label))


def _figure(
    told: Mapping[str, Told],
    layers: Mapping[str, int],
    shown: list[str],
    k_fb: tuple[float, ...],
    wide: bool,
) -> Figure:
    colour = colours(told)
    panels = len(shown)
    with style():
        made = new_figure(10.0, 3.6) if wide else new_figure(4.4, 3.0 * panels)
        grid = made.subplots(1 if wide else panels, panels if wide else 1, squeeze=False)
        for name, ax in zip(shown, grid.ravel(), strict=True):
            for arm, seeds in told.items():
                for layer in range(1, layers[arm] + 1):
                    labels = [f"{name} of layer {layer} at k_fb={k:g}" for k in k_fb]
                    values = np.array([[seed[label].value for label in labels] for seed in seeds])
                    named = arm if layer == 1 else None
                    ax.plot(
                        k_fb, values.mean(0), color=colour[arm], ls=STROKES[layer - 1], label=named
                    )
                    band = values.min(0), values.max(0)
                    ax.fill_between(k_fb, *band, color=colour[arm], alpha=0.15, lw=0)
                drawn = float(np.mean([seed[name].value for seed in seeds]))
                ax.axhline(drawn, color=colour[arm], ls="-.", lw=1)
            ax.set_title(name, loc="left", color=INK)
            ax.set_xlabel("k_fb, the strength of feedback")
        grid.ravel()[0].legend(frameon=False)
    return made
