"""Run the arms of an experiment on the same seeds, several at once, and share their common past.

Each run has a process of its own. If an arm only adds interventions to the first arm, the two are
bit-identical until the first intervention acts. So the arm is forked there and its past is not
trained again.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from bascule import jobs as work
from bascule.core.errors import unknown
from bascule.core.processes import cores
from bascule.experiments.experiment import Experiment, Measure
from bascule.experiments.factors import evaluation_seed, with_seed
from bascule.experiments.judgments import sheets_in, with_judgments
from bascule.experiments.launchers import LocalLauncher, Process, SubmititLauncher
from bascule.experiments.predictions import Curves, error_of
from bascule.experiments.verdict import Verdict, verdict
from bascule.runs.evaluations import evaluations, judged
from bascule.runs.execute import stop_signals
from bascule.runs.fork import fork
from bascule.runs.own import tracker_words, words_for
from bascule.runs.store import Run, Store
from bascule.runs.tracked import WARNING
from bascule.training.hardware import resolve_auto
from bascule.training.recipe import Recipe

Workers = dict[int, Process]  # by the index of their job


@dataclass
class Job:
    """One arm on one seed. It shares its first ``shared_epochs`` epochs with ``trunk``."""

    arm: str
    recipe: Recipe
    trunk: Job | None = None
    shared_epochs: int = 0
    branches: set[int] = field(default_factory=set)  # epochs where other jobs fork from this one
    run: Run | None = None
    state: str = "waiting"  # then running, finished, failed
    message: str = ""
    warnings: list[str] = field(default_factory=list)  # of trackers that failed
    to_measure: list[int] | None = None  # epochs; None: not looked up yet
    unmeasured: str = ""  # why its fakes could not be measured
    epoch: float = 0.0  # progress in epochs, with fractions
    images_per_s: float = 0.0
    scalars: dict[str, float] = field(default_factory=dict)  # the latest scalars

    @property
    def seed(self) -> int:
        return self.recipe.seed

    @property
    def epochs_to_do(self) -> int:
        return self.recipe.epochs - self.shared_epochs


@dataclass(frozen=True)
class Results:
    """The results of an experiment: its runs, their curves and the verdict."""

    experiment: Experiment
    seeds: Sequence[int]
    runs: Mapping[str, Mapping[int, Run]]  # finished ones only
    curves: Curves
    verdict: Verdict
    failures: Mapping[str, str] = field(default_factory=dict)  # "arm, seed" -> message

    @property
    def every_run(self) -> list[Run]:
        """The finished runs, arm by arm."""
        return [run for by_seed in self.runs.values() for run in by_seed.values()]

    def shares_past(self, arm: str, than: str) -> bool:
        """Whether two arms share a past on every seed."""
        return share_past(self.runs[arm], self.runs[than])

    @property
    def saw(self) -> set[str]:
        """The feature networks that the game of any run has seen; none of them judges any run."""
        return {name for run in self.every_run for name in run.saw}

    @property
    def scalars(self) -> tuple[str, ...]:
        """The scalars of the arms' steps and of the callbacks, which notes show."""
        arms, callbacks = self.experiment.arms.values(), self.experiment.callbacks
        of_steps = [name for recipe in arms for name in recipe.scalars]
        return tuple(
            dict.fromkeys([*of_steps, *(n for callback in callbacks for n in callback.adds)])
        )


def plan(
    experiment: Experiment, seeds: Sequence[int], only: Sequence[str] = (), here: bool = True
) -> list[Job]:
    """The jobs in the order in which they start. ``only``: these arms (default: all).

    ``here``: they run on this machine, so "auto" in recipes is resolved for it.
    """
    for arm in only:
        if arm not in experiment.arms:
            raise unknown("arm", arm, experiment.arms)
    jobs = []
    for seed in seeds:
        trunks: list[Job] = []
        for arm, recipe in experiment.arms.items():
            if only and arm not in only:
                continue
            threads = recipe.threads or (max(1, cores() // len(seeds)) if here else 1)
            seeded = with_seed(recipe, seed, experiment.vary)
            job = Job(arm, resolve_auto(seeded.replace(threads=threads), here))
            for trunk in trunks:
                shared = shared_epochs(trunk.recipe, job.recipe)
                if shared > job.shared_epochs:
                    job.trunk, job.shared_epochs = trunk, shared
            if job.trunk is None:
                trunks.append(job)
            else:
                job.trunk.branches.add(job.shared_epochs)
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.trunk is not None)


def shared_epochs(trunk: Recipe, other: Recipe) -> int:
    """The number of epochs for which the two recipes train identically, bit for bit.

    0 unless they differ only in added interventions, the number of epochs and the learning rate
    decay. An intervention changes nothing before its ``first_epoch()``. Both recipes must have more
    epochs than they share.
    """
    n = len(trunk.interventions)
    free = {"interventions", "epochs"}
    starts = [change.first_epoch() for change in other.interventions[n:]]
    same = type(trunk) is type(other)
    if same:
        free |= {*trunk.length_fields}
        length = ("epochs", *trunk.length_fields)
        if any(getattr(trunk, name) != getattr(other, name) for name in length):
            both = (trunk.depends_on_length_from, other.depends_on_length_from)
            starts += [epoch for epoch in both if epoch is not None]
    same = same and all(
        getattr(trunk, f.name) == getattr(other, f.name)
        for f in fields(trunk)
        if f.name not in free
    )
    if not starts or not same or other.interventions[:n] != trunk.interventions:
        return 0
    return min(starts) if min(starts) < min(trunk.epochs, other.epochs) else 0


def run_all(
    jobs: list[Job],
    experiment: Experiment,
    store: Store,
    data_digests: Mapping[object, str],
    watch: Callable[[list[Job]], None],
    launcher: LocalLauncher | SubmititLauncher | None = None,
) -> str:
    """Run all jobs; returns "finished" or "interrupted".

    ``watch`` is called a few times per second. ``data_digests``: the digest of the images of each
    ``recipe.data``. ``launcher``: starts the processes. A job that fails does not stop the others.
    After SIGINT or SIGTERM every running job saves a checkpoint, and the same call later resumes
    from there. Raises :class:`UserError` for a tracker that is unknown or not installed, and InUse
    while another process runs this experiment in the same store.
    """
    experiment = replace(experiment, track=tuple(map(tracker_words, experiment.track)))
    launcher = launcher or LocalLauncher()
    workers: Workers = {}
    measuring: Workers = {}
    with store.lock(experiment.name), stop_signals() as stopped:
        adopt(jobs, experiment, store, data_digests)
        for job in jobs:
            if job.trunk is None and job.state != "finished":
                name = run_name(experiment, job)
                job.run = store.create(job.recipe, name, data_digests[job.recipe.data])
        try:
            while not stopped():
                _collect(jobs, workers)
                _collect_measured(jobs, measuring, experiment)
                _start(jobs, workers, len(measuring), experiment, store, launcher)
                more = _start_measuring(jobs, measuring, experiment, store, launcher)
                watch(jobs)
                if not more and not any(j.state in ("waiting", "running") for j in jobs):
                    break
                time.sleep(0.2)
        finally:
            for worker in (*workers.values(), *measuring.values()):
                worker.terminate()
            for worker in (*workers.values(), *measuring.values()):
                worker.wait()
            _collect(jobs, workers)
            watch(jobs)
    return "interrupted" if stopped() else "finished"


def gather(
    jobs: Sequence[Job], experiment: Experiment, seeds: Sequence[int], look: int = 1
) -> Results:
    """Read the measurements of the finished jobs and judge the predictions.

    ``look``: which look at the results of this experiment this is, from 1
    (:mod:`bascule.experiments.looks`).
    """
    runs: dict[str, dict[int, Run]] = {arm: {} for arm in experiment.arms}
    for job in jobs:
        if job.run is not None and job.state == "finished":
            runs[job.arm][job.seed] = job.run
    curves = {
        arm: {seed: curve(run) for seed, run in by_seed.items()} for arm, by_seed in runs.items()
    }
    roots = {run.folder.parent for by_seed in runs.values() for run in by_seed.values()}
    sheets = [sheet for root in sorted(roots) for sheet in sheets_in(root)]
    curves = with_judgments(curves, runs, sheets)
    failures = {f"{j.arm}, seed {j.seed}": j.message for j in jobs if j.state == "failed"}
    failures |= {f"{j.arm}, seed {j.seed}": j.unmeasured for j in jobs if j.unmeasured}
    answer = verdict(
        experiment.predictions,
        experiment.checks,
        curves,
        seeds,
        experiment.primary,
        look,
        lambda arm, than: share_past(runs[arm], runs[than]),
    )
    return Results(experiment, seeds, runs, curves, answer, failures)


def share_past(ours: Mapping[int, Run], theirs: Mapping[int, Run]) -> bool:
    """Whether two arms share a past on every seed: one is a fork of the other, or both of one."""
    both = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    return bool(both) and all(bool(_pasts(a) & _pasts(b)) for a, b in both)


def _pasts(run: Run) -> set[str]:
    """The ids of a run and of the run from which it was forked."""
    return {run.id, run.fork.parent} if run.fork else {run.id}


def curve(run: Run) -> dict[str, np.ndarray]:
    """The scalars of a run by name, one value an epoch; NaN where an epoch was not measured.

    These are the scalars of training, ``lead`` = D_x - D_Gz, diagnostics, and evaluations by label
    with their errors (:func:`~bascule.experiments.predictions.error_of`). Numbers of networks that
    its game has seen are left out.
    """
    rows = run.rows()
    found: dict[str, np.ndarray] = {}

    def put(name: str, epoch: int, value: float) -> None:
        if name not in found:
            found[name] = np.full(len(rows), np.nan)
        if 0 <= epoch < len(rows):
            found[name][epoch] = value

    for place, row in enumerate(rows):
        for name, value in row.items():
            put(name, place, value)
    if {"D_x", "D_Gz"} <= found.keys():
        found["lead"] = found["D_x"] - found["D_Gz"]
    played = set(found)
    for row in run.diagnostics():
        for name in row.keys() - played:
            put(name, int(row["epoch"]), row[name])
    for evaluation in judged(run):
        for told in evaluation.values:
            epoch = (evaluation.epoch or 0) - 1
            put(told.label, epoch, told.measured.value)
            put(error_of(told.label), epoch, told.error)
    return found


def find_runs(
    jobs: Sequence[Job],
    experiment: Experiment,
    store: Store,
    data_digests: Mapping[object, str],
) -> None:
    """Set the run of every job that has one in ``store`` already."""
    adopt(jobs, experiment, store, data_digests)
    for job in jobs:
        if job.state != "finished":
            told = "not started yet" if job.run is None else "not finished yet"
            job.state, job.message = "failed", told


def adopt(
    jobs: Sequence[Job],
    experiment: Experiment,
    store: Store,
    data_digests: Mapping[object, str],
) -> None:
    """Set the runs that there are: a job's own, or a finished one of another machine.

    What "auto" became there (precision, threads, device) may differ: such a run is as good, and
    pages tell its precision and its machine.
    """
    for job in jobs:
        name, digest = run_name(experiment, job), data_digests[job.recipe.data]
        job.run = store.same(job.recipe, name, digest)
        found = [job.run] if job.run else store.named(name)
        for run in found:
            mine = run if run is job.run else _alike(run, job, experiment, store, digest)
            if mine and mine.status["state"] == "finished":
                job.run, job.recipe = mine, mine.recipe
                job.state, job.epoch = "finished", job.recipe.epochs
                break


def _alike(run: Run, job: Job, experiment: Experiment, store: Store, digest: str) -> Run | None:
    """The run, if it has these images and its recipe is that of a job but for what "auto" became.

    A recipe with code of the user's is compared by its key, which covers the code.
    """
    if run.about["data_digest"] != digest:
        return None
    asked = with_seed(experiment.arms[job.arm], job.seed, experiment.vary)
    auto = {name for name in ("device", "precision") if getattr(asked, name) == "auto"}
    auto |= set() if asked.threads else {"threads"}
    settled = {name: getattr(run.recipe, name, getattr(asked, name)) for name in auto}
    recipe = asked.replace(**settled)
    if type(recipe) is type(run.recipe) and recipe == run.recipe:
        return run
    return store.same(recipe, run.name, digest, run.fork)


def run_name(experiment: Experiment, job: Job) -> str:
    """The name of a job's run: experiment, arm and seed."""
    return f"{experiment.name} {job.arm} s{job.seed}"


def seed_in(name: str, experiment: str) -> int | None:
    """The seed in a run's ``name`` if it is one of ``experiment``, of any arm; otherwise None."""
    found = re.fullmatch(rf"{re.escape(experiment)} .+ s(\d+)", name)
    return int(found[1]) if found else None


def _start(
    jobs: Sequence[Job],
    workers: Workers,
    also_busy: int,
    experiment: Experiment,
    store: Store,
    launcher: LocalLauncher | SubmititLauncher,
) -> None:
    """Start as many waiting jobs as the cores allow; ``also_busy``: cores in use by measuring."""
    for place, job in enumerate(jobs):
        if job.state != "waiting":
            continue
        trunk = job.trunk
        if trunk is not None and trunk.state == "failed":
            job.state, job.message = "failed", f"“{trunk.arm}”, whose past it shares, failed"
            continue
        if trunk is not None and trunk.state != "finished":
            continue
        if not _has_room(jobs, also_busy, job.recipe, launcher):
            return
        if trunk is not None and trunk.run is not None:
            job.run = fork(
                store,
                trunk.run,
                job.shared_epochs,
                job.recipe,
                run_name(experiment, job),
                same_law=True,
            )
        assert job.run is not None
        job.state = job.run.status["state"]
        if job.state == "finished":
            job.epoch = job.recipe.epochs
            continue
        job.state = "running"
        job.epoch = len(job.run.rows())
        folder, root = job.run.folder.resolve(), str(store.root.resolve())
        branches, callbacks = (
            tuple(sorted(job.branches)),
            tuple(map(words_for, experiment.callbacks)),
        )
        told = work.TrainRun(root, str(folder), branches, callbacks, tuple(experiment.track))
        threads = job.run.recipe.threads or cores()
        worker = _worker(told, folder / "train.json", threads, launcher, listen=True)
        threading.Thread(target=_listen, args=(job, worker), daemon=True).start()
        workers[place] = worker


def _has_room(
    jobs: Sequence[Job], also_busy: int, recipe: Recipe, launcher: LocalLauncher | SubmititLauncher
) -> bool:
    if launcher.at_once:
        return sum(j.state == "running" for j in jobs) + also_busy < launcher.at_once
    busy = [j.recipe.threads or 1 for j in jobs if j.state == "running"]
    if not busy and not also_busy:
        return True
    return recipe.device == "cpu" and sum(busy) + also_busy + (recipe.threads or 1) <= cores()


def _to_measure(job: Job, experiment: Experiment) -> list[int]:
    """The epochs of a job whose fakes are still to be measured.

    Empty for a run that shows D the held-out images, since none is left to measure with.
    """
    measure = experiment.measure
    if measure is None or job.state != "finished" or job.run is None or job.unmeasured:
        return []
    if job.to_measure is None:
        seed = evaluation_seed(job.seed, experiment.vary)
        found = evaluations(job.run.folder)
        done = {e.epoch for e in found if e.seed == seed and measure.is_done(e)}
        spoilt = job.recipe.uses_held_out()
        job.to_measure = [] if spoilt else sorted(measure.when(job.recipe) - done)
    return job.to_measure


def _start_measuring(
    jobs: Sequence[Job],
    measuring: Workers,
    experiment: Experiment,
    store: Store,
    launcher: LocalLauncher | SubmititLauncher,
) -> bool:
    """Start to measure finished jobs, one core each, on cores that no training needs.

    Returns whether any job is left to measure.
    """
    measure = experiment.measure
    wanted = [(place, job) for place, job in enumerate(jobs) if _to_measure(job, experiment)]
    for place, job in wanted:
        if place in measuring:
            continue
        if not _has_room(jobs, len(measuring), job.recipe, launcher):
            break
        assert job.run is not None and measure is not None
        folder, epochs = job.run.folder.resolve(), tuple(job.to_measure or ())
        seed = evaluation_seed(job.seed, experiment.vary)
        told = work.MeasureRun(str(store.root.resolve()), str(folder), measure, epochs, seed=seed)
        if isinstance(measure, Measure):
            metrics, features = measure.own_words()
            told = replace(told, measure=measure.plain(), metrics=metrics, features=features)
        measuring[place] = _worker(told, folder / "measure.json", 1, launcher)
    return bool(wanted)


def _collect_measured(jobs: Sequence[Job], measuring: Workers, experiment: Experiment) -> None:
    """Record the measurements that have ended."""
    for place, worker in list(measuring.items()):
        if worker.poll() is None:
            continue
        job = jobs[place]
        assert job.run is not None
        asked, job.to_measure = job.to_measure, None  # to be looked up again
        if worker.returncode != 0 or _to_measure(job, experiment) == asked:
            why = _said(job.run) or f"ended with code {worker.returncode}"
            job.unmeasured = f"not measured: {why}"
        del measuring[place]


def _said(run: Run) -> str:
    """The last line of a worker's error output."""
    return (_errors(run) or [""])[-1]


def _errors(run: Run) -> list[str]:
    return (run.folder / "errors.log").read_text("utf-8", "replace").strip().splitlines()


def _worker(
    job: work.Job,
    path: Path,
    threads: int,
    launcher: LocalLauncher | SubmititLauncher,
    listen: bool = False,
) -> Process:
    """Start a process for one job, written to ``path``; its error output goes beside it."""
    work.write(job, path)
    return launcher.start(path, path.with_name("errors.log"), threads, listen)


def _listen(job: Job, worker: Process) -> None:
    """Update a job's progress from its worker's output, or from the run's rows if it has none."""
    stdout = getattr(worker, "stdout", None)
    if stdout is None:
        while worker.poll() is None and job.run is not None:
            if rows := job.run.rows():
                job.epoch, job.images_per_s = len(rows), rows[-1].get("images_per_s", 0.0)
                job.scalars = {n: rows[-1][n] for n in job.recipe.scalars if n in rows[-1]}
            time.sleep(2)
        return
    for line in stdout:
        try:
            told = json.loads(line)
            job.epoch, job.images_per_s = told["epoch"], told["images_per_s"]
            job.scalars = told.get("scalars", {})
        except (ValueError, TypeError, KeyError):  # other output
            continue


def _collect(jobs: Sequence[Job], workers: Workers) -> None:
    """Record the workers that have ended."""
    for place, worker in list(workers.items()):
        if worker.poll() is None:
            continue
        job = jobs[place]
        assert job.run is not None
        job.warnings += [line for line in _errors(job.run) if line.startswith(WARNING)]
        if worker.returncode == 0 and job.run.status["state"] == "finished":
            job.state, job.epoch = "finished", job.recipe.epochs
        elif job.run.is_asked_to_stop():
            job.state = "failed"
            job.message = f"stopped by hand: go on with `bascule resume {job.run.id}`"
        elif job.run.status["state"] == "interrupted" and worker.returncode in (0, 130):
            job.state, job.message = "waiting", "interrupted"
        else:
            job.state = "failed"
            job.message = _said(job.run) or f"ended with code {worker.returncode}"
        del workers[place]
