"""What workers are told to do: a job is a frozen dataclass, kept as a JSON file.

Schedulers write jobs, launchers pass the path of the file on, and ``python -m bascule.worker
JOB.json`` does what it says (:mod:`bascule.worker`).
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
    """Train a run to its last epoch, from wherever it stands.

    ``runs``: the folder of all runs, where the parent of a fork is found. ``run``: the run's
    folder. ``branches``: epochs whose checkpoint is kept, because other runs fork from it.
    ``callbacks``: the user's, as :func:`bascule.runs.own.words_for` tells them. ``tensorboard``:
    write TensorBoard events, too.
    """

    runs: str
    run: str
    branches: tuple[int, ...] = ()
    callbacks: tuple[str, ...] = ()
    tensorboard: bool = False


@dataclass(frozen=True)
class MeasureRun:
    """Measure a finished run.

    ``measure``: a ``Measure``, ``MeasureTranslation`` or ``MeasureCoding``
    (:mod:`bascule.experiments.experiment`). ``epochs``: of the checkpoints that are measured.
    ``metrics`` and ``features``: the user's, which a ``Measure`` is given in addition, as
    :func:`bascule.runs.own.words_for` tells them.
    """

    runs: str
    run: str
    measure: Any
    epochs: tuple[int, ...]
    metrics: tuple[str, ...] = ()
    features: str = ""


@dataclass(frozen=True)
class PlayTrials:
    """Play trials of a search until ``trials`` have begun in all, or until the time ``until``.

    ``file``: that of the tuning, ``quick``: its small version, ``settings``: changed fields of its
    start as (path, text), ``name``: what the search is called. ``storage``: where the study is
    kept. ``until``: seconds since 1970. ``worker``: a name that no other worker has.
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
    """The job in a file. Raises :class:`UserError` where it is no job, or a field is wrong."""
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
    """The kinds of what is measured. A job of training needs none, and does not load them."""
    from bascule.experiments.experiment import MEASURES

    return MEASURES
