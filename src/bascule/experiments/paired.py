"""The arms among some runs, and the differences between arms.

Runs whose recipes differ only in the seed, and in a split drawn with it, form one arm. Arms that
share a past on every seed, as forks do, are compared seed by seed: the variation of that past drops
out. Others are compared as independent samples, since a seed in common does not make their numbers
alike (docs/verdicts.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from bascule.experiments import inference
from bascule.experiments.factors import without_seed
from bascule.experiments.inference import bounds
from bascule.experiments.intervals import Interval, t_interval
from bascule.runs import codec
from bascule.runs.store import Run

Numbers = Mapping[int, float]  # seed -> number


@dataclass(frozen=True)
class Difference:
    """``arm`` minus ``than``: one number per shared seed, and the 95 % interval of the mean."""

    name: str
    arm: str
    than: str
    values: Numbers
    interval: Interval


def arms_of(runs: Sequence[Run]) -> dict[str, dict[int, Run]]:
    """The runs by arm and seed, in the order given.

    A second run with the same recipe and seed, such as a fork without a change, is an arm of its
    own.
    """
    found: dict[str, dict[int, Run]] = {}
    names: dict[str, str] = {}
    for run in runs:
        key = codec.digest((without_seed(run.recipe), run.about["data_digest"]))
        if key in names and run.recipe.seed in found[names[key]]:
            key += run.id
        if key not in names:
            name = re.sub(r" s\d+$", "", run.name)
            names[key] = name if name not in names.values() else run.id
        found.setdefault(names[key], {})[run.recipe.seed] = run
    return {_short(name, list(found)): by_seed for name, by_seed in found.items()}


def _short(name: str, among: Sequence[str]) -> str:
    """A name without its first word, the experiment's name, if all names share that word."""
    first, _, rest = name.partition(" ")
    same = all(other.startswith(f"{first} ") for other in among)
    return rest if same and rest and len(among) > 1 else name


def difference(
    name: str, arm: str, than: str, ours: Numbers, theirs: Numbers, paired: bool = False
) -> Difference:
    """``ours`` minus ``theirs`` on the seeds that both have.

    ``paired``: compare seed by seed, by Student's interval, instead of Welch's.
    """
    values = {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}
    if paired or len(values) < 2:
        return Difference(name, arm, than, values, t_interval(list(values.values())))
    a, b = (np.array([side[seed] for seed in values], float) for side in (ours, theirs))
    low, high = (float(x) for x in bounds(inference.Numbers(a, b), 0.95))
    mean = float(a.mean() - b.mean())
    if isnan(low):  # all runs of either arm are equal
        low = high = mean
    return Difference(name, arm, than, values, Interval(mean, low, high))
