"""``python -m bascule.worker JOB.json [PARENT]``: run one job in this process.

Launchers start it on this machine or on a cluster. During training it prints a JSON line a few
times per second: ``{"epoch": ..., "images_per_s": ..., "scalars": {...}}``. A user error is one
line on standard error. Exit codes: 0 done, 2 user error, 130 interrupted. It stops when its parent
process has ended, whose number launchers give as PARENT.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bascule import jobs
from bascule.core.errors import UserError
from bascule.core.exits import INTERRUPTED, exit_code
from bascule.core.processes import parent_watch
from bascule.jobs import Job, MeasureRun, PlayTrials, TrainRun
from bascule.runs.store import Store

if TYPE_CHECKING:
    from bascule.tracking.tracker import Tracker
    from bascule.training.loop import Callback


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job in the file that is named; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return exit_code(lambda: _done(given))


def _done(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2) or not all(word.isdecimal() for word in arguments[1:]):
        raise UserError(
            f"{' '.join(arguments) or 'nothing'}: expected `python -m bascule.worker JOB.json`, "
            "and the number of the process that starts it, if there is one to end with"
        )
    parent = int(arguments[1]) if arguments[1:] else os.getppid()
    return do(jobs.read(Path(arguments[0])), parent_watch(parent))


def do(job: Job, orphaned: Callable[[], bool]) -> int:
    """Run a job; returns the exit code. Each kind of job imports only what it needs.

    ``orphaned``: whether the process that started this one has ended.
    """
    if orphaned():
        return INTERRUPTED
    if isinstance(job, TrainRun):
        return _train(job, orphaned)
    if isinstance(job, MeasureRun):
        return _measure(job, orphaned)
    return _play_trials(job, orphaned)


def _train(job: TrainRun, orphaned: Callable[[], bool]) -> int:
    from bascule.runs.execute import execute
    from bascule.training.hardware import leave_compiler_unloaded
    from bascule.training.pace import Lines

    store = Store(Path(job.runs))
    run = store.find(job.run)
    if not getattr(run.recipe, "compile", False):  # some kinds of recipe have no such field
        leave_compiler_unloaded()
    images = run.playable.data.load()
    lines = Lines(run.recipe, len(images.indices("train")) // run.recipe.batch)
    state = execute(
        run,
        store,
        (*_callbacks(job), lines),
        images,
        orphaned,
        job.branches,
        trackers=_trackers(job),
    )
    return INTERRUPTED if state == "interrupted" else 0


def _callbacks(job: TrainRun) -> list[Callback]:
    """The user's callbacks."""
    if not job.callbacks:
        return []  # most jobs have none, and the module that parses names takes seconds to load
    from bascule.runs.own import callback_named

    return [callback_named(words) for words in job.callbacks]


def _trackers(job: TrainRun) -> list[Tracker]:
    if not job.track:
        return []
    from bascule.runs.own import tracker_named

    return [tracker_named(words) for words in job.track]


def _measure(job: MeasureRun, orphaned: Callable[[], bool]) -> int:
    from bascule.experiments.experiment import Measure
    from bascule.experiments.measuring import Means, measure_run
    from bascule.runs.evaluations import keep_with_picture

    threading.Thread(target=_end_when, args=(orphaned,), daemon=True).start()
    run = Store(Path(job.runs)).find(job.run)
    measure = job.measure
    if isinstance(measure, Measure):
        measure = measure.with_own(job.metrics, job.features)
    images, means = run.playable.data.load(), Means(seed=job.seed)
    for epoch in job.epochs:
        keep_with_picture(run.folder, *measure_run(run, images, measure, epoch, means))
    return 0


def _end_when(orphaned: Callable[[], bool]) -> None:
    """End this process when its parent has ended; finished measurements are kept."""
    while not orphaned():
        time.sleep(1)
    os._exit(INTERRUPTED)


def _play_trials(job: PlayTrials, orphaned: Callable[[], bool]) -> int:
    from bascule.features.extractors import extractor
    from bascule.runs.execute import stop_signals
    from bascule.tuning.search import load, study_of, work

    tuning = load(Path(job.file), job.quick).with_settings(dict(job.settings), job.name)
    study = study_of(tuning, job.storage)
    images = tuning.trial({}).data.load()
    store = Store(Path(job.runs))
    with stop_signals() as stopped:

        def stop() -> bool:
            return stopped() or orphaned()

        done = work(
            *(study, tuning, store, images, extractor(tuning.judge), tuning.folder(store)),
            *(job.trials, job.until, stop, job.worker),
        )
    return 0 if done else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
