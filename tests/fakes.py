"""Run folders by hand: curves with a known shape, coloured squares as sample grids."""

import json

import numpy as np
from PIL import Image

from bascule.data.faces import Faces
from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.experiments import Experiment, Lower, Spike, Within
from bascule.experiments.schedule import Results, curve
from bascule.experiments.verdict import verdict
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise, PerfectG
from bascule.ladder.experiment import ladder
from bascule.metrics.measured import Measured
from bascule.models.dcgan import DCGAN
from bascule.runs import codec
from bascule.runs.evaluations import keep_evaluation
from bascule.runs.store import Run

CREDIT = "Faces: Micah by Micah Lanier, CC BY 4.0\nhttps://example.org/micah"
EXTRACTOR = "efficientnet-lite0,128px"
EPOCHS, SWITCH, STEPS = 20, 12, 10

plain = GANRecipe(
    data=Faces(n=640, size=32),
    model=DCGAN(width=4, z_dim=8, size=32),
    epochs=EPOCHS,
    threads=1,
    device="cpu",
)
ARMS = {
    "plain": plain,
    "perfect G": plain.replace(interventions=PerfectG(SWITCH)),
    "perfect G, every input noised": plain.replace(
        interventions=[PerfectG(SWITCH), InstanceNoise(from_epoch=SWITCH)]
    ),
}


def fake_rows(seed: int, fooled: bool, spike: float = 3.0, n: int = EPOCHS) -> list[dict]:
    """``fooled``: D is at a loss from SWITCH on, after a peak of loss_D."""
    rng = np.random.default_rng(seed)
    rows = []
    for epoch in range(n):
        after = fooled and epoch >= SWITCH
        values = {
            "loss_D": 0.6 + 0.7 * after + (spike if after and epoch == SWITCH else 0),
            "loss_G": 2.5 - 0.5 * after,
            "D_x": 0.8 - 0.3 * after,
            "D_Gz": 0.2 + 0.3 * after,
        }
        row = {"epoch": epoch, "step": (epoch + 1) * STEPS, "seconds": 0.5}
        row["images_per_s"] = 200.0 + seed
        for name, value in values.items():
            mean = value + float(rng.normal(0, 0.01))
            told = {"": mean, "_std": 0.02, "_min": mean - 0.05, "_max": mean + 0.05}
            row |= {f"{name}{end}": v for end, v in told.items()}
        rows.append(row)
    return rows


def write_fake(folder, recipe, name, rows, fork=None, samples=(1, 5, 10, 12, 15, 20)) -> Run:
    """A run folder without checkpoints."""
    (folder / "samples").mkdir(parents=True)
    about = {
        "name": name,
        "created": "2026-01-02T03:04:05+00:00",
        "code": "0.1.0 (abcdef123456)",
        "machine": {"python": "3.11", "processor": "abacus"},
        "data_digest": "d1gest" * 8,
        "fork": fork,
    }
    (folder / "run.json").write_text(json.dumps(about), "utf-8")
    (folder / "recipe.json").write_text(json.dumps(codec.encode(recipe)), "utf-8")
    run = Run(folder)
    run.set_rows(rows)
    run.set_status("finished" if len(rows) == recipe.epochs else "interrupted")
    rng = np.random.default_rng(0)
    for epoch in samples if rows else ():
        pixels = rng.integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((128, 128), Image.Resampling.NEAREST).save(run.sample(epoch))
    return run


def fake_results(root, seeds=(0, 1, 2), question="Is D fooled?", **more) -> Results:
    """Three arms, the last two forks of the first at SWITCH."""
    experiment = Experiment(
        question=question,
        arms=ARMS,
        predictions=[
            Within("D_x", "perfect G", 0.45, 0.55, from_epoch=SWITCH),
            Spike("loss_D", "perfect G", at_epoch=SWITCH),
            Lower("loss_G", "plain", than="perfect G", from_epoch=SWITCH),
        ],
        checks=[Within("D_Gz", "perfect G", 0.4, 0.6, from_epoch=SWITCH)],
        name="fake-quick",
        **{"hypothesis": "D is fooled, at first.", **more},
    )
    runs: dict[str, dict[int, Run]] = {arm: {} for arm in ARMS}
    for place, (arm, recipe) in enumerate(ARMS.items()):
        for seed in seeds:
            fork = {"parent": f"run-0-{seed}", "epoch": SWITCH} if place else None
            rows = fake_rows(seed, place > 0) if place != 2 else fake_rows(seed, True, 0.0)
            name = f"fake {arm} s{seed}"
            folder = root / f"run-{place}-{seed}"
            runs[arm][seed] = write_fake(folder, recipe.replace(seed=seed), name, rows, fork)
    return judged(experiment, seeds, runs)


def judged(experiment, seeds, runs, failures=None) -> Results:
    curves = {arm: {s: curve(r) for s, r in by_seed.items()} for arm, by_seed in runs.items()}
    answer = verdict(experiment.predictions, experiment.checks, curves, seeds)
    return Results(experiment, seeds, runs, curves, answer, failures or {})


def fake_parent_and_fork(root) -> tuple[Run, Run]:
    """A finished run and its finished fork at SWITCH."""
    parent = write_fake(root / "parent-id", plain, "parent", fake_rows(0, False))
    recipe = plain.replace(interventions=PerfectG(SWITCH))
    fork = {"parent": "parent-id", "epoch": SWITCH}
    return parent, write_fake(root / "child-id", recipe, "child", fake_rows(0, True), fork)


def measured(label: str, x: float, floor: float, better: str = "lower") -> Value:
    return Value(Measured(x, floor, 0.01, 0.01, 100, 100, 1), Scale(label, "e", "i", 9, 9), better)


def evaluated(run: Run, epoch: int, *values: Value) -> None:
    keep_evaluation(run.folder, Evaluation(run.id, epoch, 100, "faces-micah", values))


def fake_ladder(root, recipe: GANRecipe = plain) -> Results:
    """Two recipes on two seeds; the second draws better, and was measured half way too."""
    arms = {"old": recipe, "new": recipe.replace(batch=16)}
    runs: dict[str, dict[int, Run]] = {arm: {} for arm in arms}

    def drawn(run: Run, epoch: int, kid: float, coverage: float) -> None:
        evaluated(
            run,
            epoch,
            measured(f"KID[{EXTRACTOR}]", kid, 0.002),
            measured(f"coverage[{EXTRACTOR}]", coverage, 0.95, "higher"),
            measured("mean TV[micah,32px]", kid / 10, 0.05),
        )

    for arm, kids in (("old", (0.8, 1.0)), ("new", (0.3, 0.5))):
        for seed, kid in enumerate(kids):
            rows = [row | {"seconds": 30.0} for row in fake_rows(seed, False)]
            run = write_fake(root / f"{arm}-{seed}", arms[arm].replace(seed=seed), arm, rows)
            if arm == "new":
                drawn(run, 10, 2 * kid, 0.1)
            drawn(run, 20, kid, 1 - kid)
            runs[arm][seed] = run
    return judged(ladder("a ladder", arms, minutes=10, fakes=100), (0, 1), runs)
