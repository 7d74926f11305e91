"""Jobs of workers: each is a frozen dataclass, stored as a JSON file.

A scheduler writes the job, a launcher passes on the path of the file, and ``python -m
bascule.worker JOB.json`` runs the job (:mod:`bascule.worker`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.runs import codec


@dataclass(frozen=True)
class TrainRun:
    """Train a run to its last epoch, from its latest checkpoint.

    ``runs``: the folder of all runs, which contains the parent of a fork. ``run``: the run's
    folder. ``branches``: epochs whose checkpoints are kept, because other runs fork from them.
    ``callbacks``: names of user callbacks, from :func:`bascule.runs.own.words_for`.
    ``track``: names of trackers, from :func:`bascule.runs.own.tracker_words`.
    """

    runs: str
    run: str
    branches: tuple[int, ...] = ()
    callbacks: tuple[str, ...] = ()
    track: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeasureRun:
    """Measure a finished run.

    ``measure``: a ``Measure``, ``MeasureTranslation`` or ``MeasureCoding``
    (:mod:`bascule.experiments.experiment`). ``epochs``: the checkpoints to measure. ``metrics`` and
    ``features``: names of the user's metrics and extractor that are added to a ``Measure``, from
    :func:`bascule.runs.own.words_for`. ``seed``: of the latents and all other draws of measuring.
    """

    runs: str
    run: str
    measure: Any
    epochs: tuple[int, ...]
    metrics: tuple[str, ...] = ()
    features: str = ""
    seed: int = 0


@dataclass(frozen=True)
class PlayTrials:
    """Run trials of a search until ``trials`` have started in total, or until the time ``until``.

    ``file``: the Python file of the tuning. ``quick``: use its small version. ``settings``: changed
    fields of its start recipe as (path, text). ``name``: the name of the search. ``storage``: the
    file or database URL of the Optuna study. ``until``: seconds since 1970. ``worker``: a unique
    name.
    """

    runs: str
    file: str
    quick: bool
    settings: tuple[tuple[str, str], ...]
    name: str
    storage: str
    trials: int
    until: float
    worker: str


Job = TrainRun | MeasureRun | PlayTrials


def write(job: Job, path: Path) -> None:
    """Write a job as JSON."""
    atomic.write(path, json.dumps(codec.encode(job), indent=1, ensure_ascii=False))


def read(path: Path) -> Job:
    """The job in a file. Raises :class:`UserError` if it is not a job, or a field is wrong."""
    try:
        plain = read_json(path)
        parts = _measures() if plain.get("is") == MeasureRun.__name__ else ()
        job = codec.decode(plain, (*parts, TrainRun, MeasureRun, PlayTrials))
    except (OSError, ValueError, UserError) as error:
        raise UserError(f"cannot read the job {path}: {error}") from None
    if not isinstance(job, Job):
        raise UserError(f"{path} is no job: expected TrainRun, MeasureRun or PlayTrials")
    if isinstance(job, MeasureRun) and not isinstance(job.measure, _measures()):
        names = ", ".join(kind.__name__ for kind in _measures())
        raise UserError(f"cannot read the job {path}: measure={job.measure}: expected {names}")
    return job


def _measures() -> tuple[type, ...]:
    """The classes of measures. Training jobs do not need them, so they are imported only here."""
    from bascule.experiments.experiment import MEASURES

    return MEASURES
