"""The verb `plan`: how many seeds an experiment needs, and what they cost, before it is run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bascule.cli.experiment import add_experiment, digests_of, images_of, known_experiments
from bascule.cli.numbers import a_seed, whole
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.experiments.experiment import Experiment
    from bascule.experiments.planning import Outlook
    from bascule.experiments.schedule import Job, Results

PACE_S = 2.0  # seconds in which an arm's speed is measured if it has no run


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    plan = verbs.add_parser(
        "plan",
        help="tell how many seeds an experiment needs, and the minutes",
        description="From pilot runs, which are finished runs of the experiment's arms with any "
        "seeds: the seeds that each prediction and the verdict need, the smallest effect that the "
        "planned seeds find, and the time. Nothing is trained. To make a pilot: `bascule run "
        "my_question.py --seeds 100 101 102`, seeds that the experiment does not use.",
        examples=[
            "bascule plan perfect-g",
            "bascule plan my_question.py --pilot 100 101 102 --seeds 0 1 2 3 4",
        ],
    )
    add_experiment(plan, note=False)
    plan.add_argument(
        "--pilot",
        type=a_seed,
        nargs="+",
        metavar="S",
        help="the seeds of the pilot runs (default: all that have a run of every arm)",
    )
    plan.add_argument("--jobs", type=whole(10_000), metavar="N", help="runs at once")
    plan.set_defaults(do=do_plan)


def do_plan(args: argparse.Namespace) -> int:
    for place, found in enumerate(known_experiments(args)):
        if place:
            print()
        seeds = args.seeds or found.seeds
        jobs, sets = _pilot_jobs(found, args)
        results = _pilot(found, jobs, sets, Store(args.runs))
        print(f"{found.name}: {len(found.arms)} arms on {len(seeds)} seeds")
        _say_predictions(results, seeds)
        _say_arms(found)
        _say_cost(found, results, sets, seeds, args.jobs)
        if not any(results.runs.values()):
            print(
                "no pilot run: train two or three seeds that the experiment does not use, such as "
                f"`bascule run {args.experiment} --seeds 100 101 102`, then plan again"
            )
    return 0


def _pilot_jobs(
    found: Experiment, args: argparse.Namespace
) -> tuple[list[Job], dict[object, ImageSet]]:
    """The jobs of all pilot seeds, and the images of each ``recipe.data``."""
    from bascule.experiments.schedule import plan

    seeds = list(dict.fromkeys(args.pilot or _seeds_of(found, Store(args.runs))))
    jobs = plan(found, seeds)
    return jobs, images_of(jobs)


def _seeds_of(found: Experiment, store: Store) -> list[int]:
    """The seeds of the experiment, and those of all its runs in the store."""
    from bascule.experiments.schedule import seed_in

    named = (seed_in(run.name, found.name) for run in store.runs())
    return [*found.seeds, *(seed for seed in named if seed is not None)]


def _pilot(
    found: Experiment, jobs: list[Job], sets: dict[object, ImageSet], store: Store
) -> Results:
    """What the finished pilot runs say."""
    from bascule.experiments.schedule import find_runs, gather

    find_runs(jobs, found, store, digests_of(sets))
    return gather(jobs, found, sorted({job.seed for job in jobs}))


def _say_predictions(results: Results, seeds: Sequence[int]) -> None:
    from bascule.experiments.endpoints import flags, pilot
    from bascule.experiments.planning import chances, count, outlooks_of
    from bascule.reports import facts

    found, n = results.experiment, len(seeds)
    outlooks = outlooks_of(results, n)
    careful: dict[str, list[int]] = {}
    for place, each in enumerate(outlooks, 1):
        prediction = each.finding.prediction
        first = " (primary)" if prediction == found.primary else ""
        print(f"{place:3}. {prediction.claim()}{first}")
        print(f"     {_line(each, n)}")
        values = pilot(prediction, results.curves, results.seeds) if each.pilot else None
        for line in flags(prediction, values, found.arms):
            careful.setdefault(line, []).append(place)
    for line, places in careful.items():
        print(f"careful, {', '.join(map(str, places))}: {line}")
    deciding = [o for o in outlooks if found.primary in (None, o.finding.prediction)]
    odds = chances(deciding, n)
    if odds is None:
        print("verdict: its chances are not known, since not every prediction has a pilot")
        return
    print(
        f"verdict with {n} seeds, if the pilot's distances are true: supported in "
        f"{odds.supported:.0%} if every claim holds, refuted in {odds.refuted:.0%} if the "
        f"clearest does not; {count(odds.needed)} give supported in 80 %"
    )
    if not odds.both_ways:
        print(
            "careful: with these seeds the verdict can hardly come out both ways; take more seeds, "
            "or name the one prediction that decides: Experiment(primary=...)"
        )
    print(facts.PLANNED)


def _line(each: Outlook, seeds: int) -> str:
    from bascule.experiments.planning import told
    from bascule.reports import facts

    if not each.pilot:
        return "no pilot"
    mean = f"pilot {facts.number(each.finding.interval.mean)} over {each.pilot} seeds"
    if not each.deviation > 0:
        return f"{mean}; no deviation is known"
    of = "of one arm " if each.two_arms else ""
    side = "inside" if each.holds else "outside"
    return f"{mean}, {side}, deviation {of}{facts.number(each.deviation)}; {told(each, seeds)}"


def _say_arms(found: Experiment) -> None:
    """Which arms share a past."""
    from bascule.experiments.schedule import plan

    jobs = plan(found, [found.seeds[0]])
    forks = {job.arm: (job.trunk.arm, job.shared_epochs) for job in jobs if job.trunk}
    control, *others = found.arms
    for arm, (trunk, epochs) in forks.items():
        print(f"“{arm}” shares the first {epochs} epochs with “{trunk}”: compared seed by seed")
    if fresh := [arm for arm in others if arm not in forks]:
        print(
            f"no shared past with “{control}”, compared as independent runs: "
            f"{', '.join(f'“{arm}”' for arm in fresh)}. If the question allows a rule that acts "
            "later, its arm is forked there, and the noise of the shared past drops out"
        )


def _say_cost(
    found: Experiment,
    results: Results,
    sets: Mapping[object, ImageSet],
    seeds: Sequence[int],
    jobs: int | None,
) -> None:
    """The minutes of training that the missing runs take."""
    from bascule.cli.progress import duration
    from bascule.core.processes import cores

    every: list[tuple[float, str]] = []
    for arm in found.arms:
        runs = list(results.runs[arm].values())
        own = _seconds_of(runs) if runs else _seconds_by_pace(found, arm, sets)
        if own is None:
            print(f"the time of “{arm}” is not known before its first run")
            return
        missing = [seed for seed in seeds if seed not in results.runs[arm]]
        every.append((own * len(missing), "its pilot runs" if runs else "a trial of some steps"))
    whole_s = sum(seconds for seconds, _ in every)
    at_once = min(jobs or cores(), max(1, len(seeds) * len(found.arms)))
    ways = ", ".join(dict.fromkeys(way for _, way in every))
    print(
        f"training that is missing: {duration(whole_s)} in all, {duration(whole_s / at_once)} with "
        f"{at_once} runs at once (from {ways}); measuring comes on top"
    )


def _seconds_of(runs: Sequence[Run]) -> float:
    from bascule.reports.facts import training_seconds

    return sum(map(training_seconds, runs)) / len(runs)


def _seconds_by_pace(found: Experiment, arm: str, sets: Mapping[object, ImageSet]) -> float | None:
    """The seconds of a run on one core, from a few timed steps; None for kinds without fakes."""
    from bascule.experiments.factors import sets_of
    from bascule.experiments.pace import pace
    from bascule.training.hardware import resolve_auto

    recipe = found.arms[arm]
    if recipe.evaluates != "fakes" or recipe.image_sets != 1:
        return None
    images, *_ = sets_of(recipe, sets)
    measured = pace(resolve_auto(recipe.replace(threads=recipe.threads or 1)), images, PACE_S)
    train = len(images.indices("train"))
    if train < recipe.batch:
        raise UserError(f"{images.name} has {train} training images: expected {recipe.batch}")
    return measured.seconds_per_image * (train // recipe.batch) * recipe.batch * recipe.epochs
