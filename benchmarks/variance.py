"""How much of the spread over seeds comes from training, from the split, and from the evaluation?

    python benchmarks/variance.py              about 10 minutes on one free core
    python benchmarks/variance.py --seeds 2    a quick test that writes no file

A small preset trains on built-in faces. One factor at a time gets the seeds 0, 1, ... and the
others keep seed 0; then all three vary together. Bouthillier et al. 2021, "Accounting for Variance
in Machine Learning Benchmarks", compare the same factors for classifiers. Writes notes/variance.md
and keeps the hand-written section "Reading".
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy import stats

from bascule.data.faces import Faces
from bascule.data.seeded_split import SeededSplit
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.experiment import Measure
from bascule.experiments.measuring import Means, measure_run
from bascule.presets import dcgan64_pretrained
from bascule.runs.execute import execute
from bascule.runs.store import Store

NOTE = Path(__file__).parent.parent / "notes" / "variance.md"
READING = "## Reading"
SEEDS = 6
FAKES = 500
FACES = Faces(n=1000, held_out=0.2)
RECIPE = dcgan64_pretrained.replace(
    epochs=4,
    keep_every_epochs=4,
    sample_every_epochs=4,
    threads=1,
    device="cpu",
    precision="fp32",
)
EXTRACTORS = ("efficientnet-lite0", "random-conv")
# In EfficientNet's features, no held-out face is near a fake of a net this small.
SHOWN = (
    "KID[efficientnet-lite0,128px]",
    "KID on held-out[efficientnet-lite0,128px]",
    "coverage[random-conv-s0,64px]",
    "coverage of held-out[random-conv-s0,64px]",
)


@dataclass(frozen=True)
class Seeds:
    """The seed of each factor."""

    training: int = 0
    split: int = 0
    evaluation: int = 0


def factors(n: int) -> dict[str, list[Seeds]]:
    """Which seeds are compared to see the effect of a factor."""
    return {
        "training": [Seeds(training=k) for k in range(n)],
        "split": [Seeds(split=k) for k in range(n)],
        "evaluation": [Seeds(evaluation=k) for k in range(n)],
        "all three": [Seeds(k, k, k) for k in range(n)],
    }


def measured(seeds: Seeds, store: Store) -> Evaluation:
    """Train a run, unless there is one with the same training and split, and measure it."""
    data = SeededSplit(FACES, seeds.split)
    recipe, images = RECIPE.replace(seed=seeds.training, data=data), data.load()
    run = store.create(recipe, "variance", images.digest)
    execute(run, store, (), images)
    measure = Measure(FAKES, attributes=False)
    return measure_run(run, images, measure, 4, Means(EXTRACTORS, seed=seeds.evaluation))[0]


def deviation(values: Sequence[float]) -> tuple[float, float, float]:
    """The standard deviation, and its 95 % interval for normal values (chi squared)."""
    n, sd = len(values), float(np.std(values, ddof=1))
    low, high = (sd * ((n - 1) / stats.chi2.ppf(q, n - 1)) ** 0.5 for q in (0.975, 0.025))
    return sd, float(low), float(high)


def table(found: Mapping[str, Sequence[Evaluation]]) -> str:
    """A row for each number and factor."""
    lines = [
        "| number | varied | mean | standard deviation | 95 % interval of it |",
        "|---" * 5 + "|",
    ]
    for label in SHOWN:
        apart = {}
        for factor, evaluations in found.items():
            values = [evaluation[label].measured.value for evaluation in evaluations]
            sd, low, high = apart[factor] = deviation(values)
            numbers = f"{np.mean(values):.4g} | {sd:.2g} | {low:.2g} to {high:.2g}"
            lines.append(f"| {label} | {factor} | {numbers} |")
        alone = sum(apart[factor][0] ** 2 for factor in ("training", "split", "evaluation")) ** 0.5
        errors = [e[label].measured.se for e in found["training"]]
        lines.append(f"| {label} | *the three alone, added as variances* | | {alone:.2g} | |")
        lines.append(
            f"| {label} | *standard error that an evaluation states* | | {np.mean(errors):.2g} | |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Spread by training, split and evaluation.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of each factor, >= 2")
    parser.add_argument("--runs", type=Path, help="folder of the runs, to go on after a stop")
    args = parser.parse_args()
    n = args.seeds
    torch.set_num_threads(1)
    began, used = time.perf_counter(), time.process_time()
    known: dict[Seeds, Evaluation] = {}
    with TemporaryDirectory() as folder:
        for factor, wanted in factors(n).items():
            for seeds in wanted:
                if seeds not in known:
                    known[seeds] = measured(seeds, Store(args.runs or Path(folder)))
                    print(f"{factor}, {seeds}: {time.perf_counter() - began:.0f} s", flush=True)
    found = table({factor: [known[s] for s in wanted] for factor, wanted in factors(n).items()})
    minutes = (time.perf_counter() - began) / 60, (time.process_time() - used) / 60
    if n != SEEDS:
        print(found)
        return
    head = f"""# Spread over seeds, by its cause

`python benchmarks/variance.py`, {datetime.date.today()}, PyTorch {torch.__version__}, one thread:
{minutes[1]:.0f} minutes of processor time, {minutes[0]:.0f} minutes on a machine that others used.
`dcgan64-pretrained` for {RECIPE.epochs} epochs of {FACES.n} faces (64 px), of which
{FACES.held_out:.0%} are held out; {FAKES} fakes are measured. One factor at a time has the seeds
0 to {n - 1}, and the others have seed 0. In the rows "all three" they vary together. Intervals are
those of a standard deviation of {n} normal values.

"""
    old = NOTE.read_text("utf-8") if NOTE.exists() else ""
    reading = old[old.index(READING) :] if READING in old else f"{READING}\n"
    NOTE.write_text(f"{head}{found}\n\n{reading}", "utf-8")


if __name__ == "__main__":
    main()
