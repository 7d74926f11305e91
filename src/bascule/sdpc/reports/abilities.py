"""Tables of the abilities of codes that a generator alone does not have, one row per arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bascule.experiments.experiment import Measure
from bascule.experiments.scalars import limits
from bascule.experiments.schedule import Results
from bascule.metrics.measurement import parse
from bascule.metrics.metric import Measured
from bascule.reports import facts
from bascule.reports.page import Block, Table
from bascule.sdpc.reports.coding import by_label

EDITED = ("edited as told", "others kept")
Told = Sequence[Mapping[str, Measured]]  # by label, one per seed
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
    """Detection of foreign images, filled holes and edited attributes; empty if not measured."""
    measure = results.experiment.measure
    if not isinstance(measure, Measure) or not measure.abilities:
        return []
    told = {arm: found for arm, runs in results.runs.items() if (found := by_label(runs))}
    tables = (_foreign(told), _holes(told), _edits(told))
    return [table for table in tables if len(table.columns) > 1]


def _foreign(told: Mapping[str, Told]) -> Table:
    labels = _labels(told, "AUROC")
    columns = [f"{parse(label).of}, by {parse(label).space}" for label in labels]
    rows = [(arm, *(_mean(seeds, [label]) for label in labels)) for arm, seeds in told.items()]
    return Table(("arm", *columns), rows, f"{FOREIGN} {SEEDS}")


def _holes(told: Mapping[str, Told]) -> Table:
    labels = _labels(told, "hole L1")
    columns = [parse(label).name.removeprefix("hole L1 of ") for label in labels]
    rows = {
        arm: [
            (
                *(_mean(seeds, [label], "floor") for label in labels[:1]),
                *(_mean(seeds, [label]) for label in labels),
            )
        ]
        for arm, seeds in told.items()
    }
    colour = ["the colour around it"] if labels else []
    return Table(("arm", *colour, *columns), facts.shared(rows), f"{HOLES} {SEEDS}")


def _edits(told: Mapping[str, Told]) -> Table:
    """Means over attributes, by codes and by pixels."""
    kinds = {kind: labels for kind in EDITED if (labels := _labels(told, kind))}
    rows = {
        arm: [
            tuple(
                _mean(seeds, labels, side)
                for labels in kinds.values()
                for side in ("value", "floor")
            )
        ]
        for arm, seeds in told.items()
    }
    columns = [f"{kind}, by {means}" for kind in kinds for means in ("codes", "pixels")]
    return Table(("arm", *columns), facts.shared(rows), f"{EDITS} {SEEDS}")


def _mean(seeds: Told, labels: Sequence[str], side: str = "value") -> str:
    """The mean over labels of one quantity for each seed, or over their floors, as a cell."""
    found = [[getattr(s[label], side) for label in labels if label in s] for s in seeds]
    return facts.plus_minus([fmean(values) for values in found if values], limits(labels[0]))


def _labels(told: Mapping[str, Told], quantity: str) -> list[str]:
    """All labels of this quantity, in the order of measurement."""
    every = (label for seeds in told.values() for seed in seeds for label in seed)
    return [name for name in dict.fromkeys(every) if parse(name).quantity.name == quantity]
