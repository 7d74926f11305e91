"""The texts of reports: numbers, regions, recipes, and the origin of runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite
from typing import Any

import numpy as np

from bascule.experiments.digits import ROUNDING, bracketed, rounded
from bascule.experiments.digits import number as number
from bascule.experiments.digits import region as region
from bascule.experiments.intervals import Interval, t_interval
from bascule.experiments.predictions import Curve
from bascule.experiments.scalars import limits
from bascule.interventions import Intervention
from bascule.metrics.quantity import ANY, Limits
from bascule.reports.curves import Change
from bascule.runs import codec
from bascule.runs.store import Run
from bascule.training.recipe import Recipe

NUMBERS = (
    "A mean and its interval are rounded to two digits of the half width, and an interval is cut "
    "where its number must end, as a share at 0 and 1; other numbers have 4 significant digits."
)
PLANNED = (
    "Simulated with normal seeds, whose deviation is the upper 80 % limit of the pilot's; "
    "predictions are taken as independent."
)
Row = tuple[str, ...]
OF_LOOP = ("epoch", "step", "seconds", "images_per_s")  # fields of every row that are not scalars
# Suffixes of a scalar's name: statistics over the batches of an epoch.
SUMMARIES = ("_std", "_min", "_max")
LAST_EPOCHS = 5
LAST = f"mean over the last {LAST_EPOCHS} epochs"


def interval(found: Interval) -> str:
    """A mean and its 95 % interval: "0.331 [0.287, 0.375]"."""
    if not isfinite(found.mean):
        return "not measured"
    mean, told = bracketed(found.mean, found.low, found.high, found.half)
    return f"{mean} {told or '[no interval]'}"


def probability(p: float) -> str:
    """A p value with two significant digits: "0.013", "below 0.0001", "–" for NaN."""
    if not isfinite(p):
        return "–"
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def plus_minus(values: Sequence[float], limits: Limits = ANY) -> str:
    """A mean over seeds and the half width of its 95 % t interval: "0.500 ± 0.020".

    If that interval is wider than ``limits``, the possible range of the values, it is cut and
    written as "0.020 [0.000, 0.051]".
    """
    if not values:
        return "–"
    found = t_interval(values)
    half = found.half
    if not isfinite(half):
        return number(found.mean)
    if half < ROUNDING * abs(found.mean):
        return f"{number(found.mean)} ± 0"
    if found.within(*limits) != found:
        return interval(found.within(*limits))
    return " ± ".join(rounded(half, found.mean, half))


def alike(found: Mapping[str, Sequence[Row]]) -> dict[str, list[str]]:
    """Joined names -> names, for each group of arms whose rows are equal."""
    arms: dict[tuple[Row, ...], list[str]] = {}
    for arm, rows in found.items():
        arms.setdefault(tuple(rows), []).append(arm)
    return {"; ".join(names): names for names in arms.values()}


def shared(found: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The rows of every arm, each with the arm's name first; arms with equal rows are joined."""
    return [(name, *cells) for name, arms in alike(found).items() for cells in found[arms[0]]]


def duration(seconds: float) -> str:
    """A duration: "1 h 02 min", "3 min 20 s", "41 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def final(curve: Curve, scalar: str) -> float | None:
    """The mean of a scalar over the last epochs that have it; None if there are none."""
    values = np.asarray(curve.get(scalar, ()), float)
    tail = values[np.isfinite(values)][-LAST_EPOCHS:]
    return float(tail.mean()) if len(tail) else None


def scalars_of(run: Run) -> list[str]:
    """The scalars of a run's steps, then the values that callbacks added.

    Callbacks add one number per epoch, so it has no minimum and maximum over batches.
    """
    names = dict.fromkeys(name for row in run.rows() for name in row)
    of_steps = [name for name in names if all(f"{name}{end}" in names for end in SUMMARIES)]
    told = {*OF_LOOP, *(f"{name}{end}" for name in of_steps for end in ("", *SUMMARIES))}
    return list(dict.fromkeys([*run.recipe.scalars, *(n for n in names if n not in told)]))


def finals(
    curves: Sequence[Curve], scalars: Sequence[str], recipes: Sequence[Recipe] = ()
) -> list[str]:
    """The last scalars of one arm over its seeds, one cell each. ``recipes``: those of its runs."""
    cells = []
    for scalar in scalars:
        values = [final(curve, scalar) for curve in curves]
        known = [v for v in values if v is not None]
        cells.append(plus_minus(known, limits(scalar, recipes)))
    return cells


def told(value: Any) -> str:
    """A recipe's value in Python notation; an empty tuple is "nothing".

    Interventions are joined by "then", since they act in this order.
    """
    if isinstance(value, tuple):
        rules = any(isinstance(v, Intervention) for v in value)
        return (", then " if rules else ", ").join(told(v) for v in value) or "nothing"
    return value if isinstance(value, str) else repr(value)


def recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    """(field, value) for every field of a recipe except its seed."""
    return [(f.name, told(getattr(recipe, f.name))) for f in fields(recipe) if f.name != "seed"]


def in_words(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """The result of :func:`codec.differences` as settings of the second recipe."""
    return "; ".join(f"{name} = {told(ours)}" for name, (_, ours) in differences.items())


def changes(recipes: Sequence[Recipe]) -> list[Change]:
    """The epochs at which the rules of these recipes begin to act, except epoch 0, each once."""
    found: dict[int, list[str]] = {}
    for recipe in recipes:
        for change in recipe.interventions:
            names = found.setdefault(change.first_epoch(), [])
            if type(change).__name__ not in names:
                names.append(type(change).__name__)
    return [Change(epoch, ", ".join(found[epoch])) for epoch in sorted(found) if epoch > 0]


def branches(runs: Mapping[str, Mapping[int, Run]]) -> dict[str, int]:
    """arm -> epoch of the branch, for arms whose runs are all forks of some of these runs.

    ``runs``: arm -> seed -> run.
    """
    ids = {run.id for by_seed in runs.values() for run in by_seed.values()}
    found = {}
    for arm, by_seed in runs.items():
        forks = [run.fork for run in by_seed.values()]
        epochs = {fork.epoch for fork in forks if fork and fork.parent in ids}
        if len(epochs) == 1 and all(fork and fork.parent in ids for fork in forks):
            found[arm] = epochs.pop()
    return found


def images_per_s(run: Run) -> list[float]:
    """Images/s of every epoch that the run trained itself."""
    past = run.fork.epoch if run.fork else 0
    return [row["images_per_s"] for row in run.rows()[past:] if "images_per_s" in row]


def speed(run: Run) -> str:
    """The mean images/s over the epochs that the run trained itself; "–" if there are none."""
    speeds = images_per_s(run)
    return f"{sum(speeds) / len(speeds):.0f}" if speeds else "–"


def training_seconds(run: Run) -> float:
    """The duration in seconds of the epochs that the run trained itself."""
    past = run.fork.epoch if run.fork else 0
    return sum(row.get("seconds", 0.0) for row in run.rows()[past:])


def images_trained(run: Run) -> int:
    """The number of real images shown to D, without the past that a fork shares with its parent."""
    rows = run.rows()
    past = run.fork.epoch if run.fork else 0
    if len(rows) <= past:
        return 0
    before = rows[past - 1]["step"] if past else 0
    return int(rows[-1]["step"] - before) * run.recipe.batch


def provenance(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Code, machine, arithmetic and dates of some runs; all values if they differ."""

    def every(values: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(values))

    machines = [run.about.get("machine", {}) for run in runs]
    names = dict.fromkeys(name for machine in machines for name in machine)
    recipes = [run.recipe for run in runs]
    return [
        ("code", every([str(run.about.get("code", "unknown")) for run in runs])),
        *((name, every([str(m[name]) for m in machines if name in m])) for name in names),
        ("device", every([r.device for r in recipes])),
        ("precision", every([r.precision for r in recipes])),
        ("threads", every([str(r.threads or "every core") for r in recipes])),
        ("data digest", every([str(run.about.get("data_digest", ""))[:16] for run in runs])),
        ("runs begun", _dates([str(run.about.get("created", "")) for run in runs])),
    ]


def reproducibility(runs: Sequence[Run], where: str) -> str:
    """What repeats to the last bit, and where. ``where``: the section with machine and versions.

    What is promised stands in docs/reference/promises.md; tests check it.
    """
    exact = {run.recipe.device == "cpu" and run.recipe.precision == "fp32" for run in runs}
    told = ["Every draw is addressed by seed, name and step."]
    if not exact:
        return told[0]
    if True in exact:
        which = "Those in fp32 on the CPU come" if False in exact else "The numbers come"
        told.append(
            f"{which} out the same bit for bit where processor, versions and threads are those "
            f"under “{where}”, in fp32 on the CPU."
        )
    if False in exact:
        which = "For the others" if True in exact else "For bf16 and for GPUs, as here,"
        told.append(f"{which} equal bits are not promised.")
    told.append(
        "Elsewhere the last bits differ, and training enlarges that: expect other numbers, which "
        "differ from these as those of other seeds do."
    )
    return " ".join(told)


def without_paths(text: str) -> str:
    """``text`` with every path shortened to its last name, so that no local folder is published."""
    return re.sub(r"(?<![\w.:/])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\",;:]+){2,}", _last_name, text)


def _last_name(match: re.Match[str]) -> str:
    return "…/" + re.split(r"[/\\]", match[0])[-1]


def _dates(dates: Sequence[str]) -> str:
    first, last = min(dates, default=""), max(dates, default="")
    return first if first == last else f"{first} to {last}"


def recipe_differences(base: Recipe, other: Recipe) -> str:
    """The settings in which ``other`` differs from ``base``, except seed and name."""
    found = codec.differences(base, other.replace(seed=base.seed))
    return in_words(found) or "nothing"
