"""Run the arms of an experiment on matched seeds, several at once, and share their common past.

Each run is a process of its own. An arm that only adds changes to the first arm is bit-identical
to it until the first of them acts, so it is forked there instead of being trained again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bascule.errors import unknown
from bascule.experiments.experiment import Experiment
from bascule.experiments.predictions import Curves
from bascule.experiments.verdict import Verdict, verdict
from bascule.runs.execute import stop_signals
from bascule.runs.fork import fork
from bascule.runs.store import Run, Store
from bascule.training.machine import cores, settle
from bascule.training.recipe import Recipe


@dataclass
class Job:
    """One arm on one seed. ``trunk`` and ``shared_epochs``: whose past it shares, how long."""

    arm: str
    recipe: Recipe
    trunk: Job | None = None
    shared_epochs: int = 0
    run: Run | None = None
    state: str = "waiting"  # then running, finished, failed
    message: str = ""
    epoch: float = 0.0  # how far, with fractions
    images_per_s: float = 0.0

    @property
    def seed(self) -> int:
        return self.recipe.seed

    @property
    def epochs_to_do(self) -> int:
        return self.recipe.epochs - self.shared_epochs


@dataclass(frozen=True)
class Results:
    """What an experiment gave: its runs, their curves and the verdict."""

    experiment: Experiment
    seeds: Sequence[int]
    runs: Mapping[str, Mapping[int, Run]]  # finished ones only
    curves: Curves
    verdict: Verdict
    failures: Mapping[str, str] = field(default_factory=dict)  # "arm, seed" -> message


def plan(experiment: Experiment, seeds: Sequence[int], only: Sequence[str] = ()) -> list[Job]:
    """The jobs in the order in which they start. ``only``: these arms (default: all)."""
    for arm in only:
        if arm not in experiment.arms:
            raise unknown("arm", arm, experiment.arms)
    jobs = []
    for seed in seeds:
        trunk: Job | None = None
        for arm, recipe in experiment.arms.items():
            if only and arm not in only:
                continue
            threads = recipe.threads or max(1, cores() // len(seeds))
            job = Job(arm, settle(recipe.but(seed=seed, threads=threads)))
            if trunk is not None:
                job.shared_epochs = shared_epochs(trunk.recipe, job.recipe)
                job.trunk = trunk if job.shared_epochs else None
            trunk = trunk or job
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.trunk is not None)


def shared_epochs(trunk: Recipe, other: Recipe) -> int:
    """For how many epochs the two recipes play the same game, bit for bit.

    Nothing but added changes may differ; an intervention promises to change nothing before its
    ``acts_from()``. Both must last longer than that.
    """
    n = len(trunk.change)
    same = other.but(change=trunk.change, epochs=trunk.epochs) == trunk
    if not same or other.change[:n] != trunk.change or len(other.change) == n:
        return 0
    first = min(change.acts_from() for change in other.change[n:])
    return first if first < min(trunk.epochs, other.epochs) else 0


def run_all(
    jobs: list[Job],
    experiment: Experiment,
    store: Store,
    data_digests: Mapping[object, str],
    watch: Callable[[list[Job]], None],
) -> str:
    """Run every job; returns "finished" or "interrupted". ``watch`` is called a few times a second.
    ``data_digests``: of the images of each ``recipe.data``.

    A job that fails does not stop the others. After SIGINT or SIGTERM every running job saves a
    checkpoint, and the same call later goes on from there.
    """
    for job in jobs:
        if job.trunk is None:
            name = run_name(experiment, job)
            job.run = store.create(
                job.recipe, name, data_digests[job.recipe.data], experiment_file=experiment.file
            )
    workers: dict[int, subprocess.Popen[str]] = {}
    with stop_signals() as stopped:
        try:
            while any(job.state in ("waiting", "running") for job in jobs) and not stopped():
                _collect(jobs, workers)
                _start(jobs, workers, experiment, store)
                watch(jobs)
                time.sleep(0.2)
        finally:
            for worker in workers.values():
                worker.terminate()
            for worker in workers.values():
                worker.wait()
            _collect(jobs, workers)
            watch(jobs)
    return "interrupted" if stopped() else "finished"


def gather(jobs: Sequence[Job], experiment: Experiment, seeds: Sequence[int]) -> Results:
    """Read what the finished jobs measured and judge it."""
    runs: dict[str, dict[int, Run]] = {arm: {} for arm in experiment.arms}
    for job in jobs:
        if job.run is not None and job.state == "finished":
            runs[job.arm][job.seed] = job.run
    curves = {
        arm: {seed: curve(run) for seed, run in by_seed.items()} for arm, by_seed in runs.items()
    }
    failures = {f"{j.arm}, seed {j.seed}": j.message for j in jobs if j.state == "failed"}
    answer = verdict(experiment.predictions, experiment.checks, curves, seeds)
    return Results(experiment, seeds, runs, curves, answer, failures)


def curve(run: Run) -> dict[str, np.ndarray]:
    """The scalars of a run by name, one value an epoch."""
    rows = run.rows()
    return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}


def run_name(experiment: Experiment, job: Job) -> str:
    return f"{experiment.name} {job.arm} s{job.seed}"


def _start(
    jobs: Sequence[Job],
    workers: dict[int, subprocess.Popen[str]],
    experiment: Experiment,
    store: Store,
) -> None:
    """Start as many waiting jobs as the machine has room for."""
    for place, job in enumerate(jobs):
        if job.state != "waiting":
            continue
        trunk = job.trunk
        if trunk is not None and trunk.state == "failed":
            job.state, job.message = "failed", f"its trunk “{trunk.arm}” failed"
            continue
        if trunk is not None and trunk.state != "finished":
            continue
        busy = [j for j in jobs if j.state == "running"]
        if busy and (
            job.recipe.device != "cpu" or sum(j.recipe.threads or 1 for j in (*busy, job)) > cores()
        ):
            return
        if trunk is not None and trunk.run is not None:
            job.run = fork(
                store,
                trunk.run,
                job.shared_epochs,
                job.recipe,
                run_name(experiment, job),
                experiment.file,
                same_law=True,
            )
        assert job.run is not None
        job.state = job.run.status["state"]
        if job.state == "finished":
            job.epoch = job.recipe.epochs
            continue
        job.state = "running"
        job.epoch = len(job.run.rows())
        workers[place] = _worker(job, job.run, store)


def _worker(job: Job, run: Run, store: Store) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bascule", "--runs", str(store.root)]
    threads = str(run.recipe.threads or cores())  # NumPy reads it when it starts, and only there
    worker = subprocess.Popen(
        [*command, "resume", str(run.folder), "--worker"],
        stdout=subprocess.PIPE,
        stderr=(run.folder / "errors.log").open("w"),
        text=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": threads},
        start_new_session=True,  # Ctrl-C is for the scheduler, which tells its workers
    )
    threading.Thread(target=_listen, args=(job, worker), daemon=True).start()
    return worker


def _listen(job: Job, worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        job.epoch = told["epoch"]
        job.images_per_s = told["images_per_s"]


def _collect(jobs: Sequence[Job], workers: dict[int, subprocess.Popen[str]]) -> None:
    """Take note of the workers that have ended."""
    for place, worker in list(workers.items()):
        if worker.poll() is None:
            continue
        job = jobs[place]
        assert job.run is not None
        said = (job.run.folder / "errors.log").read_text("utf-8", "replace").strip().splitlines()
        if worker.returncode == 0 and job.run.status["state"] == "finished":
            job.state, job.epoch = "finished", job.recipe.epochs
        elif job.run.status["state"] == "interrupted" and worker.returncode in (0, 130):
            job.state, job.message = "waiting", "interrupted"
        else:
            job.state = "failed"
            job.message = said[-1] if said else f"ended with code {worker.returncode}"
        del workers[place]
