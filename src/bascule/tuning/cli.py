"""The verb that searches for better settings: tune."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bascule.cli import completion
from bascule.cli.experiment import (
    add_cluster,
    images_of,
    interrupted,
    judged,
    launcher_of,
    may_replace,
    say,
    train_all,
)
from bascule.cli.numbers import whole
from bascule.cli.train import add_settings, load_images, settings
from bascule.cli.verbs import Verbs
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.runs.store import Store, slug

if TYPE_CHECKING:
    from optuna import Study

    from bascule.data.images import ImageSet
    from bascule.experiments.launchers import LocalLauncher, Process, SubmititLauncher
    from bascule.experiments.schedule import Results
    from bascule.jobs import PlayTrials
    from bascule.tuning.search import Tuning

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
NEVER = 1e12


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "tune",
        help="search for better settings, and test them on fresh seeds",
        examples=[
            "bascule tune tune/light-dcgan --quick",
            "bascule tune tune/notebook-scans --budget 1h --workers 2",
        ],
    )
    verb.add_argument(
        "tuning",
        help="name of a tuning (`bascule experiments` lists them), or a file",
        completer=completion.tunings,
    )
    verb.add_argument("--quick", action="store_true", help="the tuning's small version")
    verb.add_argument(
        "--trials",
        type=whole(1_000_000),
        metavar="N",
        help="number of trials (default: the file's)",
    )
    verb.add_argument(
        "--budget", metavar="TIME", help="start no trial after this time: 90m, 2h, 1h30m"
    )
    verb.add_argument(
        "--workers", type=whole(10_000), metavar="N", help="trials at once (default: one per core)"
    )
    verb.add_argument(
        "--storage",
        metavar="URL",
        help="database shared by several machines, such as postgresql://...",
    )
    verb.add_argument("--name", help="name of the search (default: the file's)")
    verb.add_argument(
        "--note", type=Path, metavar="DIR", help="folder of the note (default: in notes/)"
    )
    add_settings(verb)
    add_cluster(verb)
    verb.set_defaults(do=do_tune)


def do_tune(args: argparse.Namespace) -> int:
    from bascule.core.processes import cores
    from bascule.experiments.files import find_file
    from bascule.experiments.measurable import check_search
    from bascule.jobs import PlayTrials
    from bascule.runs import codec, recipe_format
    from bascule.training.hardware import resolve_auto
    from bascule.tuning.search import best_of, counted, load, study_of

    tuning = load(find_file(args.tuning), args.quick)
    tuning = tuning.with_settings(settings(args.set), args.name)
    trials = tuning.trials if args.trials is None else args.trials
    workers = cores() if args.workers is None else args.workers
    if trials < 1 or workers < 1:
        raise UserError(f"--trials {trials} --workers {workers}: expected at least 1 of each")
    until = time.time() + seconds_of(args.budget) if args.budget else NEVER
    store = Store(args.runs)
    folder = tuning.folder(store)
    storage = args.storage or str(folder.resolve() / "journal.log")
    study = study_of(tuning, storage)
    images = load_images(tuning.trial({}).data)
    check_search(images, tuning.fakes)
    launcher = launcher_of(args)
    resolve_auto(tuning.start, here=not args.cluster)  # refuses now what a later step would
    assert tuning.file is not None
    job = PlayTrials(
        runs=str(store.root.resolve()),
        file=str(tuning.file.resolve()),
        quick=args.quick,
        settings=tuple(settings(args.set).items()),
        name=tuning.name,
        storage=storage,
        trials=trials,
        until=until,
        worker="",
    )
    if not _search(study, tuning, folder, images, workers, job, launcher):
        return interrupted()
    best = best_of(study)
    if best is None:
        raise UserError(f"none of {counted(study)} trials of {tuning.name} finished: see {folder}")
    preset = folder / "best.json"
    plain = recipe_format.stamped(codec.encode(tuning.recipe(best.params)))
    atomic.write(preset, json.dumps(plain, indent=1, ensure_ascii=False))
    results, credit = _judge(tuning, best, store, launcher), images.credit
    if results is None and best.params != tuning.start_params():
        return interrupted()
    from bascule.tuning.report import write_tuning

    place = args.note or store.root / "notes" / slug(f"tuned {tuning.name}")
    if results and not may_replace(place, "note", [results], train=True):
        return 2
    page = write_tuning(tuning, study, results, preset, place, credit, _command(args))
    print(f"best settings: bascule train {preset}")
    if results is None:
        print(f"no trial beat the start\nnote: {page}")
        return 0
    say(results, page)
    return 2 if results.failures else 0


def seconds_of(text: str) -> float:
    """``1h30m`` in seconds.

    >>> seconds_of("1h30m")
    5400.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if not parts or "".join(n + unit for n, unit in parts) != text.replace(" ", ""):
        raise UserError(f"--budget {text}: expected a time like 90m, 2h or 1h30m")
    return sum(float(n) * UNITS[unit] for n, unit in parts)


def _search(
    study: Study,
    tuning: Tuning,
    folder: Path,
    images: ImageSet,
    workers: int,
    job: PlayTrials,
    launcher: LocalLauncher | SubmititLauncher,
) -> bool:
    """Let workers do ``job``; False when interrupted. A worker that dies costs only its trial."""
    from bascule import jobs
    from bascule.cli.progress import bars, counter
    from bascule.features.cache import features_of
    from bascule.features.extractors import extractor
    from bascule.runs.execute import stop_signals
    from bascule.tuning.search import counted, fail, left_behind, orphans, put_back

    trials = job.trials
    for orphan in left_behind(study):  # by a process that was killed
        put_back(study, orphan)
    if counted(study) >= trials:
        return True
    with counter("features of the images") as tell:
        features_of(images, extractor(tuning.judge), tell)
    folder.mkdir(parents=True, exist_ok=True)
    team: dict[str, Process] = {}
    shown = _Shown(study, trials)
    last = ""
    with stop_signals() as stopped, bars() as progress:

        def begin() -> None:
            name = uuid4().hex
            path = folder.resolve() / f"{name}.json"
            jobs.write(replace(job, worker=name), path)
            team[name] = launcher.start(path, path.with_suffix(".log"), 1)

        task = progress.add_task(tuning.name, total=trials, speed="")
        try:
            for _ in range(min(workers, trials - counted(study))):
                begin()
            while team and not stopped():
                time.sleep(0.3)
                for name in [name for name, worker in team.items() if worker.poll() is not None]:
                    code = team.pop(name).returncode
                    last = _last_line(folder, name) or last
                    lost = orphans(study, name)
                    for orphan in lost:
                        fail(study, orphan, f"its worker died (exit code {code})")
                    if lost:
                        begin()
                shown(progress, task)
        finally:
            for worker in team.values():
                worker.terminate()
            for name, worker in team.items():
                worker.wait()
                _last_line(folder, name)
        if not stopped() and counted(study) == 0:
            raise UserError(f"no trial could start: {last or 'the workers gave no reason'}")
        return not stopped()


def _last_line(folder: Path, worker: str) -> str:
    """The last line of a worker's log; its files are deleted."""
    (folder / f"{worker}.json").unlink(missing_ok=True)
    log = folder / f"{worker}.log"
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        log.unlink()
    except OSError:
        return ""
    return lines[-1] if lines else ""


class _Shown:
    """How many trials have ended, the best so far, and the time left."""

    def __init__(self, study: Study, trials: int) -> None:
        from bascule.cli.progress import Log
        from bascule.tuning.search import ended

        self.study, self.trials = study, trials
        self.asked_at, self.log = time.monotonic(), Log()
        self.first = len(ended(study))

    def __call__(self, progress: Any, task: Any) -> None:
        from bascule.cli.progress import about
        from bascule.tuning.search import best_of, ended

        now = time.monotonic()
        if now - self.asked_at < 2:
            return
        self.asked_at = now
        done, best = len(ended(self.study)), best_of(self.study)
        told = f"lowest KID {best.values[0]:.3f}" if best else ""
        progress.update(task, completed=done, speed=told, begun=self.first)
        if not progress.console.is_terminal:
            left = about(progress.tasks[0])
            self.log(f"{done} of {self.trials} trials ended", told, left)


def _judge(
    tuning: Tuning, best: Any, store: Store, launcher: LocalLauncher | SubmititLauncher
) -> Results | None:
    """The best settings and the start on fresh seeds; None when interrupted or both are equal."""
    from bascule.experiments.schedule import plan

    if best.params == tuning.start_params():
        return None
    found = tuning.judgement(best.params)
    jobs = plan(found, found.seeds, here=launcher.at_once is None)
    sets = images_of(jobs)
    if not train_all(found, jobs, sets, store, launcher):
        return None
    return judged(found, jobs, sets, store, found.seeds)


def _words(args: argparse.Namespace) -> list[str]:
    """The words of the command that say what is searched, without its limits."""
    words = ["tune", args.tuning, *(["--quick"] if args.quick else [])]
    words += ["--storage", args.storage] if args.storage else []
    words += ["--name", args.name] if args.name else []
    return words + (["--set", *args.set] if args.set else [])


def _command(args: argparse.Namespace) -> str:
    words = ["bascule", *_words(args)]
    words += ["--trials", str(args.trials)] if args.trials else []
    return shlex.join(words + (["--budget", args.budget] if args.budget else []))
