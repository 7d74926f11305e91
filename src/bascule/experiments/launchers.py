"""Launchers run jobs: in processes on this machine, or on a cluster.

Cluster jobs go through submitit, so Slurm and submitit handle queues, time limits and preemption. A
launcher needs no state of its own, since a stopped run resumes from its checkpoint.
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
    """The interface that a scheduler needs of a process, local or remote."""

    returncode: int | None

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def wait(self) -> int: ...


@dataclass(frozen=True)
class LocalLauncher:
    """Starts processes on this machine.

    ``at_once``: the largest number at a time. None: as many as there are cores, but one on a GPU,
    whose memory may not hold more.
    """

    at_once: int | None = None

    def __post_init__(self) -> None:
        _check_at_once(self.at_once)

    def start(self, job: Path, errors: Path, threads: int, listen: bool = False) -> Process:
        """Start the job in the file ``job``; its standard error goes to the file ``errors``.

        ``listen``: make its standard output readable.
        """
        return subprocess.Popen(
            _command(job),
            stdout=subprocess.PIPE if listen else subprocess.DEVNULL,
            stderr=errors.open("w"),
            text=True,
            encoding="utf-8",
            env=_environment(threads),
            start_new_session=True,  # only the scheduler receives Ctrl-C; it then stops its workers
        )


def _check_at_once(n: int | None) -> None:
    if n is not None and n < 1:
        raise UserError(f"--jobs {n}: expected at least 1")


class SubmititLauncher:
    """Submits jobs with submitit, to Slurm or, for a test, to this machine.

    ``settings``: parameters of submitit's executor, e.g. ``timeout_min``, ``gpus_per_node`` or
    ``slurm_partition``. ``at_once``: the largest number of queued jobs. ``folder``: where submitit
    writes its files. All machines need access to it and to the runs. Raises :class:`UserError` if
    submitit or Slurm is missing, and for an unknown setting.
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
        except Exception as error:  # submitit raises many types
            told = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"the cluster {kind!r} cannot be used: {told}") from None

    def start(self, job: Path, errors: Path, threads: int, listen: bool = False) -> Process:
        """Queue the job in the file ``job``.

        Its output cannot be read. Its progress is read from the run's folder.
        """
        self.executor.update_parameters(cpus_per_task=threads)
        return _Job(self.executor.submit(Work(str(job), str(errors), threads)))


@dataclass(frozen=True)
class Work:
    """The task of a cluster node: one job, in a child process that can be stopped."""

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
                start_new_session=True,  # so that it receives the stop signal once, from here
            )
        _children.append(child)
        try:
            return child.wait()
        except KeyboardInterrupt:  # a local job was cancelled
            return _stopped(child)
        finally:
            _children.remove(child)

    def checkpoint(self) -> Any:
        """Called before the time limit and at preemption: stop, and submit the same job again."""
        import submitit

        for child in _children:
            _stopped(child)
        return submitit.helpers.DelayedSubmission(self)


_children: list[subprocess.Popen[bytes]] = []  # the child processes of this job


def _stopped(child: subprocess.Popen[bytes]) -> int:
    child.terminate()
    return child.wait()


def _command(job: Path) -> list[str]:
    return [sys.executable, "-m", "bascule.worker", str(job), str(os.getpid())]


def _environment(threads: int) -> dict[str, str]:
    # NumPy reads these only when it is imported
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def _number(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


class _Job:
    """A submitit job with the interface of a process; keeps the exit code once it has ended."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and self.job.done():
            try:
                self.returncode = int(self.job.result())
            except Exception as error:  # cancelled, killed, or timed out too often
                print(f"job {self.job.job_id}: {type(error).__name__}", file=sys.stderr)
                self.returncode = 1
        return self.returncode

    def terminate(self) -> None:
        self.job.cancel(check=False)

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.2)
        return self.returncode or 0
