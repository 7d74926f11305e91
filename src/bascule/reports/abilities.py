"""What codes can do and a generator alone cannot, as tables: a row an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bascule.experiments.experiment import Measure
from bascule.experiments.scalars import limits
from bascule.experiments.schedule import Results
from bascule.metrics.measured import Measured
from bascule.reports import facts
from bascule.reports.coding import by_label
from bascule.reports.page import Block, Table

EDITED = ("edited as told of ", "others kept of ")
Told = Sequence[Mapping[str, Measured]]  # by label, one a seed
SEEDS = f"Mean over seeds ± half width of its 95 % interval. {facts.NUMBERS}"
FOREIGN = (
    "AUROC: how often a foreign picture scores higher than a held-out one, by the cost of its "
    "codes and by D; 1/2 cannot tell, and below it the foreign ones look more genuine."
)
HOLES = (
    "Mean absolute error, a share of the range, inside a hole in the middle of held-out pictures: "
    "filled with the mean colour around it, and with what the codes of the whole stand for."
)
EDITS = (
    "One attribute of held-out faces moved towards its second commonest category, by the means of "
    "codes and by those of pixels: the share then read as told, and the share of the other "
    "attributes read as before; means over attributes."
)


def abilities(results: Results) -> list[Block]:
    """Foreign pictures told apart, holes filled, attributes changed; nothing unless measured."""
    measure = results.experiment.measure
    if not isinstance(measure, Measure) or not measure.abilities:
        return []
    told = {arm: found for arm, runs in results.runs.items() if (found := by_label(runs))}
    tables = (_foreign(told), _holes(told), _edits(told))
    return [table for table in tables if len(table.columns) > 1]


def _foreign(told: Mapping[str, Told]) -> Table:
    labels = _labels(told, "AUROC of ")
    columns = [label.removeprefix("AUROC of ").replace("[", ", by ")[:-1] for label in labels]
    rows = [(arm, *(_mean(seeds, label) for label in labels)) for arm, seeds in told.items()]
    return Table(("arm", *columns), rows, f"{FOREIGN} {SEEDS}")


def _holes(told: Mapping[str, Told]) -> Table:
    labels = _labels(told, "hole L1 of ")
    columns = [label.removeprefix("hole L1 of ").partition("[")[0] for label in labels]
    rows = {
        arm: [
            (
                *(_mean(seeds, label, "floor") for label in labels[:1]),
                *(_mean(seeds, label) for label in labels),
            )
        ]
        for arm, seeds in told.items()
    }
    colour = ["the colour around it"] if labels else []
    return Table(("arm", *colour, *columns), facts.shared(rows), f"{HOLES} {SEEDS}")


def _edits(told: Mapping[str, Told]) -> Table:
    """Means over attributes, by codes and by pixels."""
    kinds = [kind for kind in EDITED if _labels(told, kind)]
    rows = {
        arm: [tuple(_mean(seeds, kind, side) for kind in kinds for side in ("value", "floor"))]
        for arm, seeds in told.items()
    }
    columns = [f"{kind[:-4]}, by {means}" for kind in kinds for means in ("codes", "pixels")]
    return Table(("arm", *columns), facts.shared(rows), f"{EDITS} {SEEDS}")


def _mean(seeds: Told, start: str, side: str = "value") -> str:
    """Of each seed the mean over the labels that begin so, or over their floors."""
    found = [[getattr(m, side) for name, m in s.items() if name.startswith(start)] for s in seeds]
    return facts.plus_minus([fmean(values) for values in found if values], limits(start))


def _labels(told: Mapping[str, Told], start: str) -> list[str]:
    """Every label that begins so, in the order in which they were measured."""
    every = (label for seeds in told.values() for seed in seeds for label in seed)
    return [label for label in dict.fromkeys(every) if label.startswith(start)]
