"""The arms among some runs, and the differences between arms, paired by seed.

Runs whose recipes differ only in the seed form one arm. Two runs with the same seed share every
draw until their rules differ. So the difference within a seed does not contain the variation
between seeds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bascule.experiments.intervals import Interval, t_interval
from bascule.runs import codec
from bascule.runs.store import Run

Numbers = Mapping[int, float]  # seed -> number


@dataclass(frozen=True)
class Difference:
    """``arm`` minus ``than``: one number per shared seed, and the 95 % t interval of the mean."""

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
        key = codec.digest((run.recipe.replace(seed=0), run.about["data_digest"]))
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


def difference(name: str, arm: str, than: str, ours: Numbers, theirs: Numbers) -> Difference:
    """``ours`` minus ``theirs`` on the seeds that both have."""
    values = {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}
    return Difference(name, arm, than, values, t_interval(list(values.values())))
