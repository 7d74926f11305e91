"""Processes that the board starts to train runs, as the scheduler of experiments does.

A worker stops, with a checkpoint, when the board has ended (:mod:`bascule.worker`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bascule.core.errors import UserError
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from bascule.experiments.launchers import Process


class Workers:
    """The training processes of one board."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._processes: dict[str, Process] = {}

    def start(self, run: Run) -> None:
        """Train a run from its latest checkpoint to its last epoch, in a process of its own.

        Raises :class:`UserError` if it is trained or finished, or needs code that is not trusted.
        """
        from bascule import jobs
        from bascule.core.processes import cores
        from bascule.experiments.launchers import LocalLauncher

        run.check()  # also refuses links out of the folder, which would be written to
        state = run.status["state"]
        if state == "running" or self.is_at_work(run.id):
            raise UserError(f"{run.id} is being trained already")
        if state == "finished":
            raise UserError(f"{run.id} is finished: fork it to go on")
        run.code()  # refuses code that is not trusted
        folder = run.folder.resolve()
        job = folder / "train.json"
        jobs.write(jobs.TrainRun(str(self.store.root.resolve()), str(folder)), job)
        threads = getattr(run.recipe, "threads", 0) or cores()
        self._processes[run.id] = LocalLauncher().start(job, folder / "errors.log", threads)

    def stop(self, run: Run) -> None:
        """Ask the process that trains a run, whoever started it, to save a checkpoint and end."""
        run.check()
        if run.status["state"] != "running":
            raise UserError(f"{run.id} is not being trained")
        run.ask_to_stop()

    def is_at_work(self, name: str) -> bool:
        """Whether a process of this board works on the run ``name``; it may still be loading."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def complaint(self, name: str) -> str:
        """What the last process of this board said when it failed; "" if it did not."""
        process = self._processes.get(name)
        if process is None or process.poll() in (None, 0, 130):
            return ""
        lines: list[str] = []
        with suppress(OSError):
            path = self.store.root / name / "errors.log"
            lines = path.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else f"ended with code {process.returncode}"

    def close(self) -> list[str]:
        """Stop all of them, each with a checkpoint; returns the ids of the runs."""
        going = {n: p for n, p in self._processes.items() if p.poll() is None}
        for process in going.values():
            process.terminate()
        for process in going.values():
            process.wait()
        return list(going)
