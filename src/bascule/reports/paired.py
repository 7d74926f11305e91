"""Differences between arms, paired by seed: scalars of the game and what was evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from bascule.errors import Refusal
from bascule.evaluation.evaluation import Value, one_scale
from bascule.experiments.paired import Difference, arms_of, difference
from bascule.experiments.schedule import curve
from bascule.reports import facts
from bascule.reports.page import Table
from bascule.runs.evaluations import last_evaluation
from bascule.runs.store import Run

COLUMNS = ("number", "arm", "minus", "difference", "seeds")
CAPTION = (
    "Each difference is taken within a seed; in brackets, the 95 % t interval of its mean over "
    f"seeds. Scalars: the {facts.LAST}; measures: the latest evaluated epoch."
)


def paired_differences(runs: Sequence[Run]) -> tuple[list[Difference], list[str]]:
    """Every other arm minus the first, and why what is missing is missing, one line each."""
    (base, theirs), *others = arms_of(runs).items()
    found: list[Difference] = []
    reasons: dict[str, None] = {}
    for arm, ours in others:
        if not set(ours) & set(theirs):
            reasons[f"“{arm}” and “{base}” share no seed: nothing can be paired"] = None
            continue
        for scalar in next(iter(ours.values())).recipe.scalars:
            found.append(
                difference(scalar, arm, base, _finals(ours, scalar), _finals(theirs, scalar))
            )
        mine, yours = _values(ours), _values(theirs)
        if not mine or not yours:
            reasons["not every run is evaluated: run `bascule evaluate RUN` for each"] = None
        elif epochs := _different_epochs([*ours.values(), *theirs.values()]):
            reasons[f"careful: the runs were evaluated after {epochs} epochs"] = None
        for label in [name for name in mine if name in yours]:
            try:
                both = [*mine[label].items(), *yours[label].items()]
                one_scale(label, [(run.id, value) for run, value in both])
            except Refusal as refusal:
                reasons[str(refusal)] = None
                continue
            a, b = _numbers(mine[label]), _numbers(yours[label])
            if set(a) & set(b):
                found.append(difference(label, arm, base, a, b))
    return [d for d in found if d.values], list(reasons)


def paired_table(found: Sequence[Difference]) -> Table:
    """One row a difference."""
    rows = [
        (d.name, d.arm, d.than, facts.interval(d.interval), " ".join(map(str, sorted(d.values))))
        for d in found
    ]
    return Table(COLUMNS, rows, CAPTION)


def _finals(runs: dict[int, Run], scalar: str) -> dict[int, float]:
    found = {seed: facts.final(curve(run), scalar) for seed, run in runs.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def _values(runs: dict[int, Run]) -> dict[str, dict[Run, Value]]:
    """label -> run -> value, of each run's last evaluation."""
    found: dict[str, dict[Run, Value]] = {}
    for run in runs.values():
        if evaluation := last_evaluation(run.folder):
            for value in evaluation.values:
                found.setdefault(value.label, {})[run] = value
    return found


def _different_epochs(runs: Sequence[Run]) -> str:
    """ "20 and 40" where the last evaluations are of different epochs, else empty."""
    evaluated = [e for run in runs if (e := last_evaluation(run.folder))]
    epochs = sorted({e.epoch for e in evaluated if e.epoch is not None})
    return " and ".join(map(str, epochs)) if len(epochs) > 1 else ""


def _numbers(values: dict[Run, Value]) -> dict[int, float]:
    return {run.recipe.seed: value.measured.value for run, value in values.items()}
