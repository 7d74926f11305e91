"""Where jobs are done: in processes here, or as jobs of a cluster.

The latter are submitit's, so queues, time limits and preemption are Slurm's and submitit's
business. What makes them simple is the run: stopped by anything, it goes on from its checkpoint.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bascule.core.errors import UserError, unknown

KINDS = ("local", "slurm")


class Process(Protocol):
    """What a scheduler needs of a process, wherever it is."""

    returncode: int | None

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def wait(self) -> int: ...


@dataclass(frozen=True)
class LocalLauncher:
    """Processes of this machine. ``at_once``: so many; None, as many as its cores allow, and one on
    a GPU, whose memory may hold no more."""

    at_once: int | None = None

    def __post_init__(self) -> None:
        _check_at_once(self.at_once)

    def start(self, job: Path, errors: Path, threads: int, listen: bool = False) -> Process:
        """Begin the job in the file ``job``; complaints go to the file ``errors``.

        ``listen``: keep its standard output.
        """
        return subprocess.Popen(
            _command(job),
            stdout=subprocess.PIPE if listen else subprocess.DEVNULL,
            stderr=errors.open("w"),
            text=True,
            encoding="utf-8",
            env=_environment(threads),
            start_new_session=True,  # Ctrl-C is for the scheduler, which tells its workers
        )


def _check_at_once(n: int | None) -> None:
    if n is not None and n < 1:
        raise UserError(f"--jobs {n}: expected at least 1")


class SubmititLauncher:
    """Jobs of submitit: of Slurm, or of this machine to try it out.

    ``settings``: what submitit's executor takes, e.g. ``timeout_min``, ``gpus_per_node`` or
    ``slurm_partition``. At most ``at_once`` jobs are queued. ``folder``, where submitit writes,
    and the runs must be seen by all machines. Raises :class:`UserError` without submitit or Slurm,
    and for a setting that it does not know.
    """

    def __init__(self, kind: str, folder: Path, at_once: int, settings: Mapping[str, str]) -> None:
        try:
            import submitit
        except ImportError:
            raise UserError('a cluster needs submitit: pip install -e ".[slurm]"') from None
        if kind not in KINDS:
            raise unknown("cluster", kind, KINDS)
        _check_at_once(at_once)
        self.at_once = at_once
        try:
            self.executor = submitit.AutoExecutor(folder / "%j", cluster=kind)
            given = {name: _number(text) for name, text in settings.items()}
            self.executor.update_parameters(**{"name": "bascule", "timeout_min": 24 * 60} | given)
        except Exception as error:  # each of its parts has its own kind
            told = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"the cluster {kind!r} cannot be used: {told}") from None

    def start(self, job: Path, errors: Path, threads: int, listen: bool = False) -> Process:
        """Queue the job in the file ``job``.

        There is nothing to listen to: its run's folder tells how far it is.
        """
        self.executor.update_parameters(cpus_per_task=threads)
        return _Job(self.executor.submit(Work(str(job), str(errors), threads)))


@dataclass(frozen=True)
class Work:
    """What a machine of a cluster does: one job, in a process that may be told to stop."""

    job: str
    errors: str
    threads: int

    def __call__(self) -> int:
        with open(self.errors, "w", encoding="utf-8") as errors:
            child = subprocess.Popen(
                _command(Path(self.job)),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(self.threads),
                start_new_session=True,  # it hears of a stop from here, once
            )
        _children.append(child)
        try:
            return child.wait()
        except KeyboardInterrupt:  # a local job that is cancelled
            return _stopped(child)
        finally:
            _children.remove(child)

    def checkpoint(self) -> Any:
        """Before the time limit, or when it is preempted: stop, and queue the same again."""
        import submitit

        for child in _children:
            _stopped(child)
        return submitit.helpers.DelayedSubmission(self)


_children: list[subprocess.Popen[bytes]] = []  # of the job that this process is


def _stopped(child: subprocess.Popen[bytes]) -> int:
    child.terminate()
    return child.wait()


def _command(job: Path) -> list[str]:
    return [sys.executable, "-m", "bascule.worker", str(job)]


def _environment(threads: int) -> dict[str, str]:
    # NumPy reads it when it starts, and only there
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def _number(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


class _Job:
    """A job of submitit as a process; how it ended, once it is done."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and self.job.done():
            try:
                self.returncode = int(self.job.result())
            except Exception as error:  # cancelled, killed, or out of time too often
                print(f"job {self.job.job_id}: {type(error).__name__}", file=sys.stderr)
                self.returncode = 1
        return self.returncode

    def terminate(self) -> None:
        self.job.cancel(check=False)

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.2)
        return self.returncode or 0
