"""Progress on the terminal, and as lines that another process reads."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bascule.training.loop import Probe

if TYPE_CHECKING:  # a worker starts without what verdicts need
    from bascule.experiments.schedule import Job
    from bascule.training.recipe import AnyRecipe
    from bascule.training.state import State


class Pace(Probe):
    """Measures images/s and the epoch, a few times a second."""

    def __init__(self, recipe: AnyRecipe, steps_per_epoch: int, every_s: float = 0.5) -> None:
        self.recipe, self.steps_per_epoch, self.every_s = recipe, steps_per_epoch, every_s
        self.told_at, self.step_at = 0.0, -1

    def step_done(self, state: State, seconds: float) -> None:
        if self.step_at < 0:
            self.told_at, self.step_at = seconds, state.step
        elif seconds - self.told_at > self.every_s:
            steps = state.step - self.step_at
            rate = steps * self.recipe.batch / (seconds - self.told_at)
            self.told_at, self.step_at = seconds, state.step
            self.tell(state.step / self.steps_per_epoch, rate)

    def working(self, what: str, done: int, of: int) -> None:
        self.step_at = -1  # a pace is that of steps alone

    def tell(self, epoch: float, images_per_s: float) -> None:
        raise NotImplementedError


class Lines(Pace):
    """One JSON line a tick on standard output, for the scheduler."""

    def tell(self, epoch: float, images_per_s: float) -> None:
        print(json.dumps({"epoch": epoch, "images_per_s": images_per_s}), flush=True)


class Bar(Pace):
    """A bar over the epochs of one run; plain lines where there is no terminal."""

    def __init__(self, recipe: AnyRecipe, steps: int, progress: Progress, task: TaskID) -> None:
        super().__init__(recipe, steps)
        self.progress, self.task = progress, task
        self.lined_at = 0.0

    def tell(self, epoch: float, images_per_s: float) -> None:
        speed = f"{images_per_s:.0f} images/s"
        self.progress.update(self.task, completed=epoch, speed=speed)
        self._line(f"epoch {epoch:.1f} of {self.recipe.epochs}, {speed}")

    def working(self, what: str, done: int, of: int) -> None:
        super().working(what, done, of)
        told = f"{what}: {done} of {of}"
        self.progress.update(self.task, speed=told)
        self._line(told)

    def _line(self, told: str) -> None:
        if not self.progress.console.is_terminal and time.monotonic() - self.lined_at > 10:
            self.lined_at = time.monotonic()
            print(told, file=sys.stderr)


class JobBars:
    """One bar an experiment's run, and one over all of them.

    ``images``: how many each image set has to train on. The bar over all, and so the time left,
    goes by images, since an epoch of few is soon over.
    """

    def __init__(
        self, progress: Progress, jobs: Sequence[Job], images: Mapping[object, int]
    ) -> None:
        self.progress, self.images = progress, images
        self.epochs = sum(job.epochs_to_do for job in jobs)
        self.to_see = sum(job.epochs_to_do * images[job.recipe.data] for job in jobs)
        self.all = progress.add_task("all runs", total=self.epochs, speed="")
        self.tasks = {
            id(job): progress.add_task(
                f"{job.arm}, seed {job.seed}", total=job.recipe.epochs, speed="", visible=False
            )
            for job in jobs
        }
        self.lined_at = 0.0

    def __call__(self, jobs: Sequence[Job]) -> None:
        done = seen = speed = 0.0
        for job in jobs:
            played = max(0.0, min(job.epoch, job.recipe.epochs) - job.shared_epochs)
            done += played
            seen += played * self.images[job.recipe.data]
            running = job.state == "running"
            speed += job.images_per_s if running else 0.0
            self.progress.update(
                self.tasks[id(job)],
                completed=job.epoch,
                visible=running,
                speed=f"{job.images_per_s:.0f} images/s",
            )
        share = seen / max(self.to_see, 1)
        self.progress.update(self.all, completed=self.epochs * share, speed=f"{speed:.0f} images/s")
        if not self.progress.console.is_terminal and time.monotonic() - self.lined_at > 15:
            self.lined_at = time.monotonic()
            task = self.progress.tasks[0]
            left = f", about {task.time_remaining:.0f} s left" if task.time_remaining else ""
            finished = sum(job.state == "finished" for job in jobs)
            to_measure = sum(bool(job.to_measure) and not job.unmeasured for job in jobs)
            left += f", {to_measure} runs to measure" if to_measure else ""
            print(
                f"{finished} of {len(jobs)} runs finished, {done:.0f} of {self.epochs} epochs, "
                f"{speed:.0f} images/s{left}",
                file=sys.stderr,
            )


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on standard error, shown once there is something to wait for.

    Where that is no terminal, a plain line now and then.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines_of(what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _lines_of(what: str, every_s: float = 15.0) -> Callable[[int, int], None]:
    began = told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if done and time.monotonic() - told_at > every_s:
            told_at = time.monotonic()
            left = (told_at - began) * (total - done) / done
            print(f"{what}: {done} of {total}, about {left:.0f} s left", file=sys.stderr)

    return tell


@contextmanager
def bars() -> Iterator[Progress]:
    """A progress display on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=120,
    ) as progress:
        yield progress
