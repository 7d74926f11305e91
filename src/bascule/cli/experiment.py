"""The verbs about experiments, one or a folder of them: register, run, report, pack, unpack."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bascule.cli import completion
from bascule.cli.arguments import add_output
from bascule.cli.numbers import a_seed, whole
from bascule.cli.train import add_settings, add_track, load, settings
from bascule.cli.verbs import Parser, Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store, slug

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.data.source import Data
    from bascule.experiments.experiment import Experiment
    from bascule.experiments.launchers import LocalLauncher, SubmititLauncher
    from bascule.experiments.registration import Registration
    from bascule.experiments.schedule import Job, Results

    Watching = Callable[
        [Sequence[Job], Mapping[object, int]], AbstractContextManager[Callable[[list[Job]], None]]
    ]

DESKTOPS = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
)  # set on a desktop; elsewhere a browser would open in the terminal
ELSEWHERE = "give --note DIR for another place"
PUBLISH = (
    "A date that others can check needs a witness: push a commit that holds these files, file "
    "registration.md at a registry such as AsPredicted or OSF, or give --tag or --timestamp."
)
FORCE = f"give --force to replace it, or {ELSEWHERE.removeprefix('give ')}"


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    registers = verbs.add_parser(
        "register",
        help="register an experiment before it is run",
        description="Write down, with a hash and the date, all that must not change after a look "
        "at results: question, hypothesis, predictions, arms, code, images, seeds. The note says "
        "whether this was before the first run, and what has changed since.",
        examples=[
            "bascule register perfect-g",
            "bascule register my_question.py --seeds 0 1 2 3 4 --tag",
        ],
    )
    add_experiment(registers, note=False)
    _note(registers)
    registers.add_argument(
        "--tag", action="store_true", help="also put the hash into a signed git tag"
    )
    registers.add_argument(
        "--timestamp", action="store_true", help="also stamp the hash by OpenTimestamps (`ots`)"
    )
    registers.set_defaults(do=do_register, arm=[])

    run = verbs.add_parser(
        "run",
        help="run an experiment, and write its note",
        description="Train every arm of an experiment on the same seeds, test its predictions, and "
        "write a note. A folder of experiments is run one after the other.",
        examples=[
            "bascule run perfect-g --quick --open",
            "bascule run my_question.py --seeds 0 1 2 --jobs 2",
            "bascule run perfect-g --set epochs=20 data.n=500",
        ],
    )
    add_experiment(run)
    run.add_argument(
        "--arm",
        action="append",
        default=[],
        metavar="ARM",
        help="run only this arm; may be repeated",
    )
    add_cluster(run)
    add_track(run)
    run.set_defaults(do=do_run)

    report = verbs.add_parser(
        "report",
        help="write the note of an experiment again, without training",
        examples=["bascule report perfect-g --open", "bascule report notebook"],
    )
    add_experiment(report)
    report.set_defaults(do=do_report, arm=[])

    packs = verbs.add_parser(
        "pack",
        help="put the finished runs of an experiment into one small file",
        examples=["bascule pack perfect-g -o perfect-g.tar.xz"],
    )
    add_experiment(packs, note=False)
    add_output(packs, "FILE", "file to write, a .tar.xz", required=True)
    packs.set_defaults(do=do_pack)

    unpacks = verbs.add_parser(
        "unpack",
        help="add the runs in packed files to yours",
        examples=["bascule unpack perfect-g.tar.xz"],
    )
    unpacks.add_argument(
        "file", type=Path, nargs="+", metavar="FILE", help="files of `bascule pack`"
    )
    unpacks.set_defaults(do=do_unpack)


def add_experiment(verb: Parser, note: bool = True) -> None:
    """Add the arguments of a verb that takes experiments."""
    verb.add_argument(
        "experiment",
        help="name of an experiment (`bascule experiments` lists them), a file, or a folder",
        completer=completion.experiments,
    )
    verb.add_argument("--quick", action="store_true", help="the experiment's small version")
    verb.add_argument(
        "--seeds",
        type=a_seed,
        nargs="+",
        metavar="S",
        help="train every arm once with each seed (default: the experiment's, often 0 to 4)",
    )
    verb.add_argument(
        "--data",
        metavar="NAME",
        help="another image set: faces, fractals or an imported one; SET+SET for translation",
        completer=completion.image_sets,
    )
    if note:
        _note(verb)
        verb.add_argument(
            "--force", action="store_true", help="replace a note that was made from more runs"
        )
        verb.add_argument("--open", action="store_true", help="open the note in a browser")
    add_settings(verb)


def _note(verb: Parser) -> None:
    verb.add_argument(
        "--note", type=Path, metavar="DIR", help="folder of the note (default: in notes/)"
    )


def add_cluster(verb: Parser) -> None:
    """Add the options that say where runs are trained."""
    verb.add_argument(
        "--cluster", metavar="NAME", help="train as jobs of submitit: slurm, or local to try it"
    )
    add_jobs(verb, "runs at once (default: 8 on a cluster, 1 on a GPU, else one per core)")
    verb.add_argument(
        "--job-set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of submitit, such as slurm_partition=gpu timeout_min=120",
    )


def add_jobs(verb: Parser, told: str) -> None:
    """Add ``--jobs``, how many runs are trained at once."""
    verb.add_argument("--jobs", type=whole(10_000), metavar="N", help=told)


def launcher_of(args: argparse.Namespace) -> LocalLauncher | SubmititLauncher:
    """Where the runs are trained."""
    from bascule.experiments.launchers import LocalLauncher, SubmititLauncher

    if not args.cluster:
        if args.job_set:
            raise UserError(
                f"--job-set {args.job_set[0]} needs --cluster: give --cluster slurm, too"
            )
        return LocalLauncher(args.jobs)
    folder = (args.runs / "jobs").resolve()
    at_once = 8 if args.jobs is None else args.jobs
    return SubmititLauncher(args.cluster, folder, at_once, settings(args.job_set, "--job-set"))


def do_register(args: argparse.Namespace) -> int:
    from bascule.experiments.measurable import check_measurable
    from bascule.experiments.registration import content_of, register
    from bascule.reports.registration import write_registration
    from bascule.runs.store import code_version

    known = known_experiments(args)
    top, folder = _folder_of(known, args)
    runs = Store(args.runs).runs()
    for found in known:
        try:
            sets = images_of(_planned(found, args))
            check_measurable(found, sets)
        except UserError as refusal:
            if not top:
                raise
            print(f"{found.name} is skipped: {refusal}", file=sys.stderr)
            continue
        place = folder / slug(found.title) if top else folder
        content = content_of(found, args.seeds or found.seeds, digests_of(sets), code_version())
        every, new = register(place, found.name, content, runs)
        write_registration(found, every, place)
        _say_registered(every, new, place)
        _witness(every[-1], found, place, args)
    if not (args.tag or args.timestamp):
        print(PUBLISH)
    return 0


def _say_registered(every: Sequence[Registration], new: bool, place: Path) -> None:
    one = every[-1]
    word = "already registered" if not new else "amended" if one.number > 1 else "registered"
    print(f"{word}: {one.experiment}, on {one.registered}, sha256 {one.sha256[:12]}")
    if new and one.number > 1:
        print(f"  amendment {one.number} of what was registered on {every[0].registered}")
    if n := len(one.earlier_runs):
        runs = f"{n} run{'s' * (n > 1)}"
        print(f"  registered after {runs} on these seeds began, the first on {one.earlier_runs[0]}")
    print(f"  in {place}: registration.json, registration.md, ro-crate-metadata.json")


def _witness(one: Registration, found: Experiment, place: Path, args: argparse.Namespace) -> None:
    """Ask the outside witnesses that the command line names."""
    from bascule.cli.witness import tag, timestamp
    from bascule.reports.registration import write_crate

    if args.tag and found.file:
        print(f"  {tag(one, found.file)}")
    if args.timestamp:
        print(f"  {timestamp(one, place)}")
        write_crate(place)


def do_run(args: argparse.Namespace) -> int:
    return _each(args, train=True)


def do_report(args: argparse.Namespace) -> int:
    return _each(args, train=False)


def do_pack(args: argparse.Namespace) -> int:
    from bascule.experiments.judgments import files_about
    from bascule.experiments.looks import looks_file
    from bascule.experiments.schedule import find_runs
    from bascule.runs.pack import pack

    runs: list[Run] = []
    shown: list[Run] = []
    beside: list[Path] = []
    for found in known_experiments(args):
        jobs = _planned(found, args)
        digests = digests_of(images_of(jobs))
        find_runs(jobs, found, Store(args.runs), digests)
        finished = {job.run: job.seed for job in jobs if job.state == "finished" and job.run}
        runs += finished
        history = looks_file(args.runs, found, digests)
        beside += [history] if history.exists() else []
        if found.pictures:
            shown += [run for run, seed in finished.items() if seed == min(finished.values())]
        print(f"{found.name}: {len(finished)} of {len(jobs)} runs are finished")
    if not runs:
        raise UserError(
            f"no run of {args.experiment} is finished, so there is nothing to pack: run it first"
        )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    beside += files_about(args.runs, runs)
    pack(runs, args.output, shown, beside)
    print(f"pack: {args.output}, {args.output.stat().st_size / 1e6:.1f} MB")
    return 0


def do_unpack(args: argparse.Namespace) -> int:
    from bascule.runs.pack import unpack

    new: list[Run] = []
    old: list[Run] = []
    for path in args.file:
        added, known = unpack(path, Store(args.runs))
        new += added
        old += known
    print(f"{len(new)} runs unpacked into {args.runs}, {len(old)} already there")
    return 0


def known_experiments(args: argparse.Namespace) -> list[Experiment]:
    """The experiments that are asked for, all checked before any of them runs."""
    from bascule.core.user_code import said
    from bascule.experiments import experiment as experiments
    from bascule.experiments.files import find_files

    check_seeds(args.seeds or ())
    paths = find_files(args.experiment)
    known = [experiments.load(path, args.quick) for path in paths]
    if args.data:  # as a setting, which notes show and a command repeats
        args.set = [f"data={said(_data_of(args.data, known))}", *args.set]
        args.data = None
    found = [each.with_settings(settings(args.set)) for each in known]
    track = getattr(args, "track", [])
    return [replace(each, track=(*each.track, *track)) for each in found]


def _data_of(name: str, known: Sequence[Experiment]) -> Data:
    """The image set that ``--data`` names, in the size of these experiments' arms."""
    from bascule.cli.train import named_data, named_sets

    recipes = [recipe for found in known for recipe in found.arms.values()]
    sizes, kinds = (
        {recipe.data.size for recipe in recipes},
        {recipe.image_sets for recipe in recipes},
    )
    if len(sizes) > 1 or len(kinds) > 1:
        raise UserError(
            f"--data {name}: the arms differ in size or kind of image sets; "
            "run a single experiment, or give --set data=..."
        )
    named = named_sets if kinds.pop() == 2 else named_data
    return named(name, sizes.pop())


def _planned(found: Experiment, args: argparse.Namespace) -> list[Job]:
    from bascule.experiments.schedule import plan

    here = not getattr(args, "cluster", None)
    return plan(found, args.seeds or found.seeds, getattr(args, "arm", ()), here)


def images_of(jobs: list[Job]) -> dict[object, ImageSet]:
    """The images of each ``recipe.data``."""
    sets: dict[object, ImageSet] = {}
    for job in jobs:
        if job.recipe.data not in sets:
            sets[job.recipe.data] = load(job.recipe)
    return sets


def digests_of(sets: Mapping[Any, ImageSet]) -> dict[object, str]:
    """The digest of the images of each ``recipe.data``, with a split of its own and without."""
    from bascule.experiments.factors import names_of

    return {each: images.digest for data, images in sets.items() for each in names_of(data)}


def _each(args: argparse.Namespace, train: bool) -> int:
    """Run or report one experiment, or all of a folder and then their summary."""
    from bascule.data.images import credits_of
    from bascule.experiments.launchers import LocalLauncher
    from bascule.experiments.measurable import check_measurable
    from bascule.experiments.schedule import find_runs

    known = known_experiments(args)
    launcher = launcher_of(args) if train else LocalLauncher()
    top, folder = _folder_of(known, args)
    emptier = False
    pages: list[Path] = []
    told: list[Results] = []
    shown: list[str] = []
    for found in known:
        jobs = _planned(found, args)
        try:
            sets = images_of(jobs)
            if train:
                check_measurable(found, sets)
        except UserError as refusal:
            if not top:
                raise
            print(f"{found.name} is skipped: {refusal}", file=sys.stderr)
            continue
        if train and not train_all(found, jobs, sets, Store(args.runs), launcher):
            return interrupted()
        if not train:
            find_runs(jobs, found, Store(args.runs), digests_of(sets))
        results = judged(found, jobs, sets, Store(args.runs), args.seeds or found.seeds)
        told.append(results)
        if top and not any(results.runs.values()):
            print(f"{found.name}: not run yet")
            continue
        credit = credits_of(images.credit for images in sets.values())
        if found.pictures:
            shown.append(credit)
        place = folder / slug(found.title) if top else folder
        if args.force or may_replace(place, "note", [results], train, FORCE):
            registration = _registration_of(found, top, place, args)
            pages.append(_tell(results, place, credit, args.set, registration))
        else:
            emptier = True
    if top:
        from bascule.reports.summary import write_summary

        if args.force or may_replace(folder, "summary", told, train, FORCE):
            pages.append(write_summary(told, folder, top, credits_of(shown)))
            print(f"summary: {pages[-1]}")
        else:
            emptier = True
    if args.open and pages:
        open_page(pages[-1])
    begun = [results for results in told if not top or any(results.runs.values())]
    return 2 if emptier or any(results.failures for results in begun) else 0


def judged(
    found: Experiment,
    jobs: list[Job],
    sets: Mapping[object, ImageSet],
    store: Store,
    seeds: Sequence[int],
) -> Results:
    """The results of an experiment. If all runs are complete, this look at them is remembered."""
    from bascule.experiments.looks import keep_look, look_at, looks_file
    from bascule.experiments.schedule import gather

    file = looks_file(store.root, found, digests_of(sets))
    results = gather(jobs, found, seeds, look_at(file, seeds))
    if not results.failures:
        keep_look(file, found, seeds)
    return results


def _folder_of(known: Sequence[Experiment], args: argparse.Namespace) -> tuple[str, Path]:
    """The name of a folder of experiments ("" for a single one), and the folder of their notes."""
    top = Path(args.experiment).name if len(known) > 1 else ""
    seeds = list(args.seeds or known[0].seeds)
    name = note_name(top or known[0].name, known[0].seeds, args.set, seeds, args.arm)
    return top, args.note or args.runs / "notes" / name


def _registration_of(found: Experiment, top: str, place: Path, args: argparse.Namespace) -> Path:
    """The folder of a registration: that of the note, or where plain ``bascule register`` writes.

    So a note with other seeds or settings, which has a folder of its own, tells its deviations.
    """
    from bascule.experiments.registration import FILE

    notes = args.runs / "notes"
    plain = notes / slug(top) / slug(found.title) if top else notes / slug(found.name)
    return place if (place / FILE).exists() else plain


def note_name(
    name: str,
    usual: Sequence[int],
    settings: Sequence[str],
    seeds: Sequence[int],
    arms: Sequence[str],
) -> str:
    """The name of a note's folder. Other settings, seeds or arms give another folder.

    ``usual``: the seeds of the experiment itself. ``arms``: the only ones; empty: all.
    """
    told = [*settings]
    told += [] if list(seeds) == list(usual) else ["seeds", *map(str, seeds)]
    told += ["arm", *arms] if arms else []
    if not told:
        return slug(name)
    digest = hashlib.sha256(repr(([*settings], [*seeds], [*arms])).encode()).hexdigest()[:6]
    return f"{slug(name)}-{slug(' '.join(told))[:50]}-{digest}"


def may_replace(
    folder: Path, stem: str, told: Sequence[Results], train: bool, how: str = ELSEWHERE
) -> bool:
    """Whether a page of these results may replace the page in ``folder``; if not, prints why.

    After training, any page may except one without a finished run. What failed is printed first.
    """
    from bascule.reports.made import made_of, protect

    now = made_of(run for results in told for run in results.every_run)
    try:
        protect(folder, stem, now, how, only_from_nothing=train)
    except UserError as refusal:
        if train and stem == "note":
            for results in told:
                _say_failures(results)
        print(f"bascule: {refusal}", file=sys.stderr)
        return False
    return True


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse a seed that is given twice."""
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {' '.join(map(str, seeds))}: expected different seeds")


def interrupted() -> int:
    """Print that nothing is lost; returns the exit code."""
    print("interrupted: every run is saved; give the same command again to go on", file=sys.stderr)
    return 130


def train_all(
    found: Experiment,
    jobs: list[Job],
    sets: dict[object, ImageSet],
    store: Store,
    launcher: LocalLauncher | SubmititLauncher | None = None,
    bars: Watching | None = None,
) -> bool:
    """Print what cannot be measured, then train and measure what is missing.

    ``bars``: what shows how far the jobs are, if not the terminal's. Returns False when
    interrupted.
    """
    from bascule.cli.progress import job_bars
    from bascule.experiments.measurable import announcements
    from bascule.experiments.schedule import run_all

    for line in announcements(found, sets):
        print(line, file=sys.stderr)
    if found.measure and found.measure.attributes:
        _learn_attributes(sets)
    trained_on = {data: len(images.indices("train")) for data, images in sets.items()}
    with (bars or job_bars)(jobs, trained_on) as watch:
        ended = run_all(jobs, found, store, digests_of(sets), watch, launcher)
    for line in (line for job in jobs for line in job.warnings):
        print(line, file=sys.stderr)
    return ended == "finished"


def _tell(
    results: Results, folder: Path, credit: str, settings: list[str], registration: Path
) -> Path:
    """Write the note, and print the verdict; returns the HTML file."""
    from bascule.reports.note import write_experiment_note

    page = write_experiment_note(results, folder, credit, settings, registration)
    say(results, page)
    return page


def open_page(page: Path) -> None:
    """Open a page in a browser where there is a desktop. Its path has been printed already."""
    import webbrowser

    if sys.platform in ("darwin", "win32") or any(map(os.environ.get, DESKTOPS)):
        webbrowser.open(page.resolve().as_uri())


def say(results: Results, page: Path) -> None:
    """Print the failures, the finding, the verdict and the path of the note."""
    from bascule.reports.answer import finding as what_was_found

    _say_failures(results)
    prefix = f"{results.experiment.name}: " if "/" in results.experiment.name else ""
    print(f"{prefix}{what_was_found(results)}")
    print(f"{prefix}{results.verdict.word}: {results.verdict.why}")
    for finding in (*results.verdict.findings, *results.verdict.checks):
        print(f"  {finding.word:12} {finding.prediction.claim()}")
    print(f"note: {page}")


def _say_failures(results: Results) -> None:
    for failure, message in results.failures.items():
        word = "missing" if message.startswith("not ") else "failed"
        print(f"{word}: {failure}: {message}", file=sys.stderr)


def _learn_attributes(sets: Mapping[object, ImageSet]) -> None:
    """Train the reader of face attributes once, before several workers need it."""
    from bascule.cli.progress import counter
    from bascule.experiments.measuring import reader_of

    for data, images in sets.items():
        reader_of(data, images, counter)
