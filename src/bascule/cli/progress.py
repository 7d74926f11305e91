"""Progress on the terminal.

The time left is computed from the mean speed since the start, so it does not jump. Where standard
error is no terminal, one plain line a minute is printed instead.
"""

from __future__ import annotations

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
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from bascule.reports.terminal import shortened
from bascule.training.pace import Pace

if TYPE_CHECKING:
    from bascule.experiments.schedule import Job
    from bascule.runs.store import Run
    from bascule.training.recipe import Recipe

FIRST_S, EVERY_S = 5.0, 60.0  # seconds to the first plain line, and between lines
WIDE = 110  # columns that a terminal needs to show everything


def scores(scalars: Mapping[str, float]) -> str:
    """Two scalars of a run as text: D's mean scores, or the first two that it has."""
    names = [n for n in ("D_x", "D_Gz") if n in scalars] or list(scalars)[:2]
    return ", ".join(f"{name} {scalars[name]:.2f}" for name in names)


def duration(seconds: float) -> str:
    """``75`` as "1 min"; ``7500`` as "2 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def left(task: Task) -> float | None:
    """Seconds to the end at the mean speed so far; None while that is unknown.

    The task's field ``begun``: how much of it was done when its clock started.
    """
    done: float = task.completed - task.fields.get("begun", 0.0)
    if task.total is None or task.elapsed is None or done <= 0 or task.elapsed < FIRST_S:
        return None
    return task.elapsed * max(task.total - task.completed, 0.0) / done


class Left(ProgressColumn):
    """The time left, followed by the text ``said``."""

    def __init__(self, said: str = " left") -> None:
        super().__init__(Column(no_wrap=True))
        self.said = said

    def render(self, task: Task) -> Text:
        seconds = left(task)
        return Text("" if seconds is None else f"{duration(seconds)}{self.said}", style="cyan")


class Log:
    """Plain lines on standard error, one a minute, the first after some seconds."""

    def __init__(self) -> None:
        self.due = time.monotonic() + FIRST_S

    def __call__(self, *parts: str) -> None:
        """Print the parts that are not empty, if a line is due."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + EVERY_S
            print(", ".join(filter(None, parts)), file=sys.stderr, flush=True)


def about(task: Task) -> str:
    """The time left as text; empty while it is unknown."""
    seconds = left(task)
    return "" if seconds is None else f"about {duration(seconds)} left"


class Bar(Pace):
    """A bar over the epochs of one run; plain lines where there is no terminal."""

    def __init__(self, recipe: Recipe, steps: int, progress: Progress, task: TaskID) -> None:
        super().__init__(recipe, steps)
        self.progress, self.id = progress, task
        self.task = next(each for each in progress.tasks if each.id == task)
        self.started = False
        self.log = Log()

    def tell(self, epoch: float, images_per_s: float, scalars: Mapping[str, float]) -> None:
        if not self.started:  # the start-up says nothing about the speed
            self.started = True
            _start_clock(self.progress, self.id, epoch)
        speed, told = f"{images_per_s:.0f} images/s", scores(scalars)
        self.progress.update(self.id, completed=epoch, speed=speed, scores=told)
        self._line(f"epoch {epoch:.1f} of {self.recipe.epochs}", speed, told, about(self.task))

    def on_progress(self, what: str, done: int, of: int) -> None:
        super().on_progress(what, done, of)
        told = f"{what}: {done} of {of}"
        self.progress.update(self.id, speed=told)
        self._line(told)

    def _line(self, *parts: str) -> None:
        if not self.progress.console.is_terminal:
            self.log(*parts)


def _start_clock(progress: Progress, task: TaskID, completed: float) -> None:
    """Start the clock of a task, of which ``completed`` is done already."""
    progress.reset(task, completed=completed)  # type: ignore[arg-type]  # it takes any number
    progress.update(task, begun=completed)


class JobBars:
    """One bar for each run of an experiment, and one over all of them.

    ``images``: the number of training images of each image set. The bar over all runs counts
    images, since epochs of small sets are shorter.
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
                f"{job.arm}, seed {job.seed}",
                total=job.recipe.epochs,
                speed="",
                visible=False,
            )
            for job in jobs
        }
        self.found: dict[TaskID, float] = {}  # how far each job was when it was started
        self.started: set[TaskID] = set()
        self.head = 0.0  # images seen before the clock over all runs started
        self.log = Log()

    def __call__(self, jobs: Sequence[Job]) -> None:
        done = seen = speed = at_first = 0.0
        running = [job for job in jobs if job.state == "running"]
        for job in jobs:
            played = max(0.0, min(job.epoch, job.recipe.epochs) - job.shared_epochs)
            done += played
            n, task = self.images[job.recipe.data], self.tasks[id(job)]
            seen += played * n
            if job.state != "waiting":
                at_first += self.found.setdefault(task, played) * n
                if job in running and played > self.found[task] and task not in self.started:
                    self.started.add(task)
                    _start_clock(self.progress, task, job.epoch)
            speed += job.images_per_s if job in running else 0.0
            self.progress.update(
                task,
                completed=job.epoch,
                visible=job in running,
                speed=f"{job.images_per_s:.0f} images/s",
                scores=scores(job.scalars),
            )
        share = self.epochs / max(self.to_see, 1)
        if seen > at_first and self.all not in self.started:
            self.started.add(self.all)
            self.head = seen - at_first
            _start_clock(self.progress, self.all, seen * share)
        self.progress.update(
            self.all,
            completed=seen * share,
            begun=(at_first + self.head) * share,
            speed=f"{speed:.0f} images/s",
        )
        if not self.progress.console.is_terminal:
            finished = sum(job.state == "finished" for job in jobs)
            to_measure = sum(bool(job.to_measure) and not job.unmeasured for job in jobs)
            self.log(
                f"{finished} of {len(jobs)} runs finished",
                f"{done:.0f} of {self.epochs} epochs",
                f"{speed:.0f} images/s",
                about(self.progress.tasks[0]),
                f"{to_measure} runs to measure" if to_measure else "",
                "; ".join(
                    f"{job.arm} s{job.seed}: epoch {job.epoch:.1f}, {scores(job.scalars)}"
                    for job in running
                    if job.scalars
                ),
            )


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on standard error, shown from the first progress on.

    Where standard error is no terminal, a plain line a minute.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Left())
    log = Log()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        id = bar.add_task(what, total=None, visible=False)

        def tell(done: int, total: int) -> None:
            bar.update(id, completed=done, total=total, visible=True)
            if done and not console.is_terminal:
                log(f"{what}: {done} of {total}", about(bar.tasks[0]))

        yield tell


@contextmanager
def bars() -> Iterator[Progress]:
    """A progress display on standard error; silent where standard error is no terminal."""
    console = Console(stderr=True)
    wide = console.width >= WIDE
    with Progress(
        Name(60 if wide else 16),
        BarColumn(bar_width=40 if wide else 6),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        Scores(Column(no_wrap=True)),
        *([TimeElapsedColumn()] if wide else []),
        Left(" left" if wide else ""),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


@contextmanager
def run_bar(run: Run, steps: int) -> Iterator[Bar]:
    """The bar of one run, of ``steps`` steps an epoch; a callback."""
    recipe = run.recipe
    with bars() as progress:
        task = progress.add_task(run.name, total=recipe.epochs, speed="", completed=len(run.rows()))
        yield Bar(recipe, steps, progress, task)


@contextmanager
def job_bars(jobs: Sequence[Job], images: Mapping[object, int]) -> Iterator[JobBars]:
    """The bars of an experiment. ``images``: the number of training images of each image set."""
    with bars() as progress:
        yield JobBars(progress, jobs, images)


class Name(ProgressColumn):
    """The name of a bar, in at most ``width`` columns."""

    def __init__(self, width: int) -> None:
        super().__init__(Column(no_wrap=True))
        self.width = width

    def render(self, task: Task) -> Text:
        return Text(shortened(task.description, self.width))


class Scores(ProgressColumn):
    """The latest scalars of a run, if it reports any."""

    def render(self, task: Task) -> Text:
        return Text(task.fields.get("scores", ""))
