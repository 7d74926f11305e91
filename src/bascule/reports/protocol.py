"""The protocol of an experiment: arms, shared pasts, recipe, runs, and the command to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bascule.core.errors import UserError
from bascule.experiments.experiment import Experiment
from bascule.experiments.files import find_file
from bascule.experiments.schedule import Results
from bascule.reports import facts
from bascule.reports.page import Block, Lines, Table, Text


def protocol(results: Results, credit: str) -> list[Block]:
    """Arms, seeds, forks, the control's recipe and the data with their credit."""
    experiment = results.experiment
    finished = [run for by_seed in results.runs.values() for run in by_seed.values()]
    (control, recipe), *others = experiment.arms.items()
    settled = next(iter(results.runs.get(control, {}).values()), None)
    arms = [
        (control, "the control: the recipe below"),
        *((name, facts.recipe_differences(recipe, other)) for name, other in others),
    ]
    shared = [
        (run.name, f"the first {run.fork.epoch} epochs of {run.fork.parent}")
        for run in finished
        if run.fork
    ]
    seeds = ", ".join(map(str, results.seeds))
    blocks: list[Block] = [
        Text(
            f"{len(_arms(results))} of {len(experiment.arms)} arms on {len(results.seeds)} seeds "
            f"({seeds}). All arms of a seed share every draw until their rules differ."
        ),
        Table(("arm", "differs from the control in"), arms),
        Text(_factors(experiment)),
    ]
    if shared:
        blocks.append(
            Text(
                f"{len(shared)} runs are forks: they share their past, bit for bit, "
                "with an earlier arm of their seed and train only what follows."
            )
        )
        blocks.append(Table(("run", "shares"), shared))
    rows = facts.recipe_rows(settled.recipe if settled else recipe)
    blocks += [
        Table(("field", "value"), rows, f"The whole recipe of “{control}”.", plain=True),
        Lines(credit),
    ]
    return blocks


def _factors(experiment: Experiment) -> str:
    """What varies with the seed, and what is the same for every seed."""
    told = {"split": "which images are held out"}
    if experiment.measure is not None:
        told["evaluation"] = "the latents and subsets of evaluations"
    varied = [told[factor] for factor in told if factor in experiment.vary]
    fixed = [told[factor] for factor in told if factor not in experiment.vary]
    training = "initial weights", "the order of images and every other draw of training"
    text = f"Vary with the seed: {'; '.join((*training, *varied))}."
    if fixed:
        text += (
            f" The same for every seed: {'; '.join(fixed)}. An interval over seeds does not "
            "include what these contribute."
        )
    return text


def command(results: Results, settings: Sequence[str] = ()) -> str:
    """The command line that runs this experiment again, with the same ``--set`` pairs."""
    experiment, arms = results.experiment, _arms(results)
    called, quick = _called(experiment)
    parts = ["bascule", "run", called, *(["--quick"] if quick else [])]
    if len(arms) < len(experiment.arms):
        parts += [part for arm in arms for part in ("--arm", arm)]
    parts += ["--seeds", *map(str, results.seeds)]
    if settings:
        parts += ["--set", *settings]
    return shlex.join(parts)


def _called(experiment: Experiment) -> tuple[str, bool]:
    """The name of an experiment on the command line, and whether it is a quick version.

    If no name finds its file, the path of the file is used.
    """
    folder, _, title = experiment.name.rpartition("/")
    if experiment.file is None:
        return experiment.name.removesuffix("-quick") or "EXPERIMENT", title.endswith("-quick")
    stem = experiment.file.stem.replace("_", "-")
    name = f"{folder}/{stem}" if folder else stem
    try:
        known = find_file(name).resolve() == experiment.file.resolve()
    except UserError:
        known = False
    return name if known else str(experiment.file), title == f"{stem}-quick"


def failures(results: Results) -> Table:
    """The failed runs and their messages; seeds of an arm with the same message share a row."""
    found: dict[tuple[str, str], list[str]] = {}
    for who, why in results.failures.items():
        arm, _, seed = who.rpartition(", seed ")
        found.setdefault((arm, facts.without_paths(why)), []).append(seed)
    rows = [
        (f"{arm}, seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}", why)
        for (arm, why), seeds in found.items()
    ]
    return Table(("run", "message"), rows)


def origins(results: Results) -> list[Block]:
    """Training time, machine, code and the id of every run."""
    finished = [
        (arm, seed, run) for arm, by_seed in results.runs.items() for seed, run in by_seed.items()
    ]
    rows = [
        (run.id, arm, str(seed), str(len(run.rows())), facts.speed(run))
        for arm, seed, run in finished
    ]
    every = [run for _, _, run in finished]
    images = sum(map(facts.images_trained, every))
    own = [
        (
            "time",
            f"{facts.duration(sum(map(facts.training_seconds, every)))} of training, summed "
            f"over the runs; {images:,} images trained on (a shared past counts once)",
        )
    ]
    if every:
        own += facts.provenance(every)
    return [
        Table(("fact", "value"), own, plain=True),
        Table(
            ("run", "arm", "seed", "epochs", "images/s"),
            rows,
            "images/s: mean over the epochs that the run trained itself.",
        ),
    ]


def _arms(results: Results) -> list[str]:
    """The arms that were run, whether they finished or failed."""
    failed = {who.rpartition(", seed ")[0] for who in results.failures}
    return [arm for arm in results.experiment.arms if results.runs.get(arm) or arm in failed]
