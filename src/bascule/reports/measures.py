"""What was measured of every arm, a row each: metrics beside their floor, minutes and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite

import numpy as np

from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.experiment import MeasureTranslation
from bascule.experiments.schedule import Results
from bascule.metrics.measured import Measured
from bascule.reports import facts
from bascule.reports.page import Block, Table
from bascule.runs.evaluations import evaluations
from bascule.runs.store import Run

KID = "KID"
SHOWN = (  # by the label before its brackets, in this order
    *(KID, "KID on held-out", "coverage", "coverage of held-out", "precision", "recall"),
    *("out of vocabulary", "mean TV", "missing categories", "joint coverage"),
    *("authenticity", "C_T"),
    *("paired L1", "paired SSIM", "R@1", "attributes kept", "attributes matched", "cycle L1"),
)
OVERFIT = "auc_train_vs_held_out"  # asked by diagnostics, during the game
CAPTION = (
    "Mean over seeds ± half its 95 % t interval, at the end of the runs. Minutes: training time of "
    "a run as it was, without probes and without a past that it shares."
)
FLOOR = "Floor: held-out reals in the place of the fakes."
BEST = "Floor: what the true counterparts score, or held-out pictures of the second kind."
BY_HEART = (
    f"{OVERFIT}: how often D, as it plays, scores a training picture higher than a held-out one; "
    "1/2: it knows none by heart."
)
Last = Mapping[str, Measured]  # by the label before its brackets


def measures(results: Results) -> list[Block]:
    """The table of every arm in its order; nothing unless runs were measured at their end."""
    told = last_measured(results)
    if not any(name in seed for seeds in told.values() for seed in seeds for name in SHOWN):
        return []
    return [measures_table(results)]


def measures_table(results: Results, first: str = "arm", by_kid: bool = False) -> Table:
    """A row an arm and the floor last; ``by_kid``: the lowest KID comes first. ``first``: what the
    arms are called."""
    told = last_measured(results)
    every = [seed for seeds in told.values() for seed in seeds]
    shown = [name for name in SHOWN if any(name in seed for seed in every)]
    asked = any(OVERFIT in c for by_seed in results.curves.values() for c in by_seed.values())
    rows = []
    for arm, by_seed in results.runs.items():
        runs = list(by_seed.values())
        if not runs:
            continue
        cells = [
            facts.plus_minus([facts.training_seconds(run) / 60 for run in runs]),
            str(results.experiment.arms[arm].epochs),
            facts.plus_minus([float(np.mean(s)) for s in map(facts.images_per_s, runs) if s]),
        ]
        values = {name: [seed[name].value for seed in told[arm] if name in seed] for name in shown}
        cells += map(facts.plus_minus, values.values())
        cells += facts.finals(list(results.curves[arm].values()), [OVERFIT]) if asked else []
        kids = values.get(KID, [])
        rows.append((float(np.mean(kids)) if kids else inf, (arm, *cells)))
    if by_kid:
        rows.sort(key=lambda row: row[0])
    floors = [_floor([seed[name].floor for seed in every if name in seed]) for name in shown]
    floors += ["0.5"] if asked else []
    columns = (first, "minutes", "epochs", "images/s", *shown, *([OVERFIT] if asked else []))
    best = BEST if isinstance(results.experiment.measure, MeasureTranslation) else FLOOR
    caption = [CAPTION, best, *([BY_HEART] if asked else [])]
    caption += [*(["The lowest KID comes first."] if by_kid else []), facts.NUMBERS]
    made = [*(row for _, row in rows), ("floor", "", "", "", *floors)]
    return Table(columns, made, " ".join(caption))


def last_measured(results: Results) -> dict[str, list[Last]]:
    """Of each arm what was measured at the end of its runs, one a seed that was."""
    return {
        arm: [_by_name(found) for run in by_seed.values() if (found := at_the_end(run))]
        for arm, by_seed in results.runs.items()
    }


def at_the_end(run: Run) -> Evaluation | None:
    """What was measured after the last epoch of a run."""
    found = [e for e in evaluations(run.folder) if e.epoch == run.recipe.epochs]
    return found[-1] if found else None


def _by_name(evaluation: Evaluation) -> Last:
    """The first value of each name, which is that of the default features."""
    found: dict[str, Measured] = {}
    for value in evaluation.values:
        found.setdefault(value.label.partition("[")[0], value.measured)
    return found


def _floor(floors: Sequence[float]) -> str:
    """The floor, which smaller image sets have of their own: the range of all arms'."""
    known = [x for x in floors if isfinite(x)]
    if not known:
        return "–"
    low, high = facts.number(min(known)), facts.number(max(known))
    return low if low == high else f"{low} to {high}"
