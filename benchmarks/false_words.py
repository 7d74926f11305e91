"""How often is a verdict false, and how large must an effect be to get one?

Seeds are simulated from five families: normal, skewed (exponential), heavy tails (Student's t with
2 degrees of freedom), two humps (15 % of the runs collapse, far away) and tied counts (binomial, 1
% of 100). The truth lies on the edge of the claim: the typical run (the median) is equal to it. So
every verdict for the claim is false. ``python benchmarks/false_words.py`` writes
notes/false_words.md, in five minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

import numpy as np
from scipy import stats

from bascule.experiments.inference import EXACT, FEWEST, Numbers, level_of, words
from bascule.experiments.power import detectable

SEEDS = range(2, 11)
EDGE = {
    "normal": 0.0,
    "skewed": float(np.log(2)),
    "heavy": 0.0,
    "two humps": float(0.1 * stats.norm.ppf(0.5 / 0.85)),
    "tied": 0.01,
}
MEAN = {"normal": 0.0, "skewed": 1.0, "heavy": 0.0, "two humps": 1.5, "tied": 0.01}
Method = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]  # verdicts above, below


def sample(family: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Numbers of ``shape`` (experiments, seeds) from a family."""
    if family == "skewed":
        return rng.exponential(size=shape)
    if family == "heavy":
        return rng.standard_t(2, size=shape)
    if family == "two humps":
        return 0.1 * rng.normal(size=shape) + 10.0 * (rng.random(shape) < 0.15)
    if family == "tied":
        return rng.binomial(100, 0.01, size=shape) / 100
    return rng.normal(size=shape)


def students(x: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % t interval alone, which was our rule before: without spread it has no width."""
    half = stats.t.ppf(0.975, x.shape[1] - 1) * x.std(1, ddof=1) / x.shape[1] ** 0.5
    return x.mean(1) - half > edge, x.mean(1) + half < edge


def sign_flip(x: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """The exact sign-flip test of the mean at 2.5 % one-sided; it assumes symmetry."""
    n = x.shape[1]
    flips = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    means = (x - edge) @ flips.T
    own = means[:, :1]
    above = (means >= own - 1e-12).mean(1) <= 0.025
    return above, (means <= own + 1e-12).mean(1) <= 0.025


def bootstrap_t(x: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """The bootstrap-t interval of the mean, 200 resamples; without spread there is no verdict."""
    n = x.shape[1]
    picks = np.random.default_rng(0).integers(0, n, (200, n))
    again = x[:, picks]
    spread = again.std(2, ddof=1)
    centred = again.mean(2) - x.mean(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(spread > 1e-12, centred / (spread / n**0.5), np.sign(centred) * inf)
    t[np.isnan(t)] = 0
    low, high = np.quantile(t, [0.025, 0.975], axis=1, method="nearest")
    error = x.std(1, ddof=1) / n**0.5
    with np.errstate(invalid="ignore"):
        return x.mean(1) - high * error > edge, x.mean(1) - low * error < edge


def signs(x: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """The exact sign test of the median at 2.5 % one-sided."""
    n = x.shape[1]
    above, below = (stats.binom.sf((x * s > edge * s).sum(1) - 1, n, 0.5) for s in (1, -1))
    return above <= 0.025, below <= 0.025


def rule(x: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Ours, for one sample: arms with a shared past, and single arms."""
    level = level_of(x.shape[1])
    return words(Numbers(x), (edge, inf), level) > 0, words(Numbers(x), (-inf, edge), level) > 0


def two_arms(x: np.ndarray, y: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Ours, for two arms without a shared past."""
    both, level = Numbers(x, y), level_of(x.shape[1])
    return words(both, (edge, inf), level) > 0, words(both, (-inf, edge), level) > 0


METHODS: dict[str, Method] = {
    "t interval (before)": students,
    "sign flips": sign_flip,
    "bootstrap-t": bootstrap_t,
    "sign test": signs,
    "**the rule**": rule,
}


def worse(found: tuple[np.ndarray, np.ndarray]) -> float:
    """The rate of false verdicts on the side that has more of them."""
    return max(float(side.mean()) for side in found)


def rates(method: Method, family: str, edge: float, n: int, draws: int) -> float:
    x = sample(family, (draws, n), np.random.default_rng([n, draws]))
    return worse(method(x, edge))


def arms_rates(family: str, other: str, n: int, draws: int) -> float:
    rng = np.random.default_rng([n, draws, 1])
    x, y = sample(family, (draws, n), rng), sample(other, (draws, n), rng)
    return worse(two_arms(x, y, EDGE[family] - EDGE[other]))


def looks_rate(looks: Sequence[int], family: str, draws: int, spend: bool = True) -> float:
    """The rate of false verdicts by any look of a growing number of seeds."""
    x = sample(family, (draws, looks[-1]), np.random.default_rng(draws))
    every = np.zeros((2, draws), bool)
    going = np.ones(draws, bool)
    for look, n in enumerate(looks, 1):
        if n < FEWEST:
            continue
        level = level_of(n, look) if spend else 0.95
        edge, now = EDGE[family], Numbers(x[:, :n])
        if spend:
            found = words(now, (edge, inf), level) > 0, words(now, (-inf, edge), level) > 0
        else:
            found = students(x[:, :n], edge)
        every |= np.array(found) & going
        going &= ~(found[0] | found[1])
    return max(every.mean(1))


def percent(x: float) -> str:
    return f"{100 * x:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(draws: int) -> str:
    n_head = [f"n = {n}" for n in SEEDS]
    told = [
        "# How often a verdict is false, and what a verdict needs",
        "",
        f"Written by `python benchmarks/false_words.py`: {draws:,} simulated experiments a cell. "
        "In percent: how often a claim is called supported although the typical run (the median "
        "over seeds) lies exactly on its edge, on the side that is worse. The rule "
        "(docs/verdicts.md) gives no verdict with fewer than three seeds.",
    ]
    for family, edge in EDGE.items():
        rows = [
            [
                name,
                *(
                    percent(rates(method, family, edge, n, draws // (20 if "boot" in name else 1)))
                    for n in SEEDS
                ),
            ]
            for name, method in METHODS.items()
        ]
        told += ["", f"## {family.capitalize()} seeds", "", table(["method", *n_head], rows)]
    rows = [
        [
            f"{a}, {'the same' if a == b else b}",
            *(percent(arms_rates(a, b, n, draws // 2)) for n in SEEDS),
        ]
        for a in EDGE
        for b in dict.fromkeys((a, "normal"))
    ]
    told += [
        "",
        "## The rule for two arms without a shared past",
        "",
        "The first family in one arm, the second in the other.",
        "",
        table(["arms", *n_head], rows),
    ]
    rows = [
        [family, *(percent(rates(rule, family, MEAN[family], n, draws)) for n in SEEDS)]
        for family in ("skewed", "two humps")
    ]
    told += [
        "",
        "## What no verdict is about",
        "",
        "Here the *mean* over all runs lies on the edge. A rare collapse moves it far, and is not "
        "among a few seeds: with three seeds, 61 % of the experiments see no collapse that befalls "
        "15 % of the runs. No method can know of it, so verdicts are about the typical run, and "
        "every note says which share of collapses could have gone unseen.",
        "",
        table(["the rule", *n_head], rows),
    ]
    looks = {"3, 5, 8": (3, 5, 8), "5, 8, 10": (5, 8, 10), "every n, 2 to 10": tuple(SEEDS)}
    rows = [
        [
            name,
            way,
            *(percent(looks_rate(at, family, draws, way != "95 % each time")) for family in EDGE),
        ]
        for name, at in looks.items()
        for way in ("95 % each time", "the rule")
    ]
    told += [
        "",
        "## Several looks",
        "",
        "False verdicts by any look, if one stops at the first verdict.",
        "",
        table(["looks at n", "", *EDGE], rows),
    ]
    rows = [
        [kind, *(f"{detectable(n, two):.2f}" if n >= FEWEST else "–" for n in SEEDS)]
        for kind, two in (
            ("one sample, in deviations of its numbers", False),
            ("two arms without a shared past, in deviations of one arm", True),
        )
    ]
    told += [
        "",
        "## Power",
        "",
        "The smallest distance from the edge that is found in 80 % of experiments with normal "
        f"seeds. Default: {EXACT} seeds.",
        "",
        table(["", *n_head], rows),
        "",
    ]
    return "\n".join(told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40_000)
    parser.add_argument("-o", type=Path, default=Path("notes/false_words.md"))
    args = parser.parse_args()
    args.o.write_text(report(args.draws), "utf-8")
    print(args.o)
