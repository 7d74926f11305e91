"""Many runs on several image sets as few numbers, with rliable's definitions.

Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice": the
interquartile mean over all runs and tasks, the probability of improvement, and performance
profiles, each with a bootstrap interval that draws seeds again within each task. A task is an image
set here.

Numbers of different sets need one scale first. The score of a run is

    (x - r) / (f - r)

for its number x, the mean r of a reference recipe over its seeds on that set, and the floor f, the
number of held-out reals in the place of fakes. So 0 is as good as the reference, 1 is as good as
real images, and higher is better for every number. Both ends are measured, unlike the best and the
worst number that happen to be among the runs, and neither changes when a recipe is added.

A departure from rliable: r is measured by few runs. So the bootstrap draws the runs of the
reference again, too, and the intervals include its error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from bascule.core.context import address

DRAWS = 2000  # of the bootstrap
LEVEL = 0.95
CUT = 0.25  # the share of scores that an interquartile mean leaves out at either end


@dataclass(frozen=True)
class Task:
    """One number of every recipe on one image set.

    name   of the image set
    runs   recipe -> its numbers, (n,), one for each seed; n may differ
    floor  the same number of held-out reals in the place of fakes
    """

    name: str
    runs: Mapping[str, np.ndarray]
    floor: float


@dataclass(frozen=True)
class Estimate:
    """A number and its bootstrap interval; NaN as limits if there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How good a recipe is over all runs and tasks.

    iqm          the interquartile mean of its scores
    improvement  the probability that a run of it is better than a run of the reference
    profile      for every threshold, the share of its runs with a higher score, (thresholds,)
    low, high    the bootstrap interval of each share; NaN if there is none
    """

    iqm: Estimate
    improvement: Estimate
    profile: np.ndarray
    low: np.ndarray
    high: np.ndarray


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """The mean without the lowest and the highest quarter, over the last axis: (..., n) -> (...).

    int(n / 4) scores are left out at either end, so of fewer than four it is the mean.

    >>> float(interquartile_mean(np.array([0.0, 1.0, 2.0, 100.0])))
    1.5
    """
    cut = int(CUT * scores.shape[-1])
    kept = np.sort(scores, -1)[..., cut : scores.shape[-1] - cut]
    return np.asarray(kept.mean(-1))


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """P(X > Y) + P(X = Y) / 2 for a score X of ``ours`` (..., n) and Y of ``theirs`` (..., m).

    The statistic of Mann and Whitney, divided by n m. Returns (...).

    >>> float(probability_of_improvement(np.array([1.0, 3.0]), np.array([1.0, 2.0])))
    0.625
    """
    x, y = ours[..., :, None], theirs[..., None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean((-2, -1)))


def performance_profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The share of scores above each threshold: (..., n), (t,) -> (..., t)."""
    return np.stack([(scores > threshold).mean(-1) for threshold in thresholds], -1)


def why_no_scores(task: Task, reference: str, better: str) -> str:
    """Why numbers of a task cannot become scores; "" if they can.

    ``better``: "lower" or "higher", the better direction.
    """
    mean = float(np.mean(task.runs[reference]))
    if mean > task.floor if better == "lower" else mean < task.floor:
        return ""
    return (
        f"on {task.name} the reference {reference} is as good as held-out reals already "
        f"({mean:.4g}, floor {task.floor:.4g})"
    )


def scores(task: Task, reference: str) -> dict[str, np.ndarray]:
    """recipe -> the scores of its runs, of the same shape as ``task.runs``."""
    base = task.runs[reference].mean(-1, keepdims=True)
    return {recipe: (x - base) / (task.floor - base) for recipe, x in task.runs.items()}


def standings(tasks: Sequence[Task], reference: str, thresholds: np.ndarray) -> dict[str, Standing]:
    """The standing of every recipe that has a run in every task.

    There is no interval unless the recipe and the reference have two runs in every task. Bootstrap
    intervals of few runs are too narrow. In 400 simulations with normal numbers, the interval of
    the interquartile mean contained the truth in 78 % of cases for three runs on one set, in 88 to
    90 % for three runs on each of two to four sets, and in 93 % for ten runs on one set.
    """
    rng = np.random.default_rng(address("ladder", "bootstrap"))
    recipes = [r for r in tasks[0].runs if all(len(task.runs.get(r, ())) for task in tasks)]
    told = [scores(task, reference) for task in tasks]
    drawn = [scores(_drawn(task, rng), reference) for task in tasks]
    found = {}
    for recipe in recipes:
        ours, base = [of[recipe] for of in told], [of[reference] for of in told]
        again, base_again = [of[recipe] for of in drawn], [of[reference] for of in drawn]
        known = min(len(each) for each in (*ours, *base)) > 1
        together, together_again = np.concatenate(ours), np.concatenate(again, -1)
        profile = performance_profile(together, thresholds)
        low, high = _limits(performance_profile(together_again, thresholds), known)
        found[recipe] = Standing(
            _estimate(interquartile_mean(together), interquartile_mean(together_again), known),
            _estimate(_improvement(ours, base), _improvement(again, base_again), known),
            profile,
            low,
            high,
        )
    return found


def _drawn(task: Task, rng: np.random.Generator) -> Task:
    """The task with its runs drawn with replacement, :data:`DRAWS` times: (draws, n)."""
    runs = {
        recipe: x[rng.integers(0, len(x), (DRAWS, len(x)))]
        for recipe, x in task.runs.items()
        if len(x)
    }
    return Task(task.name, runs, task.floor)


def _improvement(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> np.ndarray:
    """The probability of improvement, the mean over tasks."""
    each = [probability_of_improvement(x, y) for x, y in zip(ours, theirs, strict=True)]
    return np.asarray(np.mean(each, 0))


def _estimate(value: np.ndarray, drawn: np.ndarray, known: bool) -> Estimate:
    low, high = _limits(drawn, known)
    return Estimate(float(value), float(low), float(high))


def _limits(drawn: np.ndarray, known: bool) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval over the first axis."""
    if not known:
        return np.full(drawn.shape[1:], nan), np.full(drawn.shape[1:], nan)
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high
