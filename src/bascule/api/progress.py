"""Progress of a training: a bar in a notebook, else the bars of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from bascule.cli import progress as terminal
from bascule.data.images import ImageSet
from bascule.experiments.schedule import Job
from bascule.runs.store import Run
from bascule.training.loop import Callback
from bascule.training.pace import Pace


def in_notebook() -> bool:
    """Whether the output is a notebook's, which shows HTML."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return "IPKernelApp" in getattr(get_ipython(), "config", {})


@contextmanager
def run_bar(run: Run, images: ImageSet) -> Iterator[Callback]:
    """A callback that shows how far a run is, until the end of the block."""
    steps = len(images.indices("train")) // run.recipe.batch
    if not in_notebook():
        with terminal.run_bar(run, steps) as bar:
            yield bar
        return
    shown = Shown()
    yield _Bar(run, steps, shown)
    shown.clear()


@contextmanager
def job_bars(
    jobs: Sequence[Job], trained_on: Mapping[object, int]
) -> Iterator[Callable[[Sequence[Job]], None]]:
    """As :func:`bascule.cli.progress.job_bars`: what shows how far an experiment is."""
    if not in_notebook():
        with terminal.job_bars(jobs, trained_on) as watch:
            yield watch
        return
    shown = Shown()
    yield lambda now: shown.tell(*_lines(now))
    shown.clear()


class Shown:
    """A piece of a notebook's output that is rewritten in place."""

    def __init__(self) -> None:
        from IPython import display

        ipython: Any = display  # without types
        self.html = ipython.HTML
        self.handle = ipython.display(ipython.HTML(""), display_id=True)
        self.last = ""

    def tell(self, *parts: str) -> None:
        """Show these pieces of HTML, if they are not shown already."""
        text = "<br>".join(parts)
        if text != self.last:
            self.last = text
            self.handle.update(self.html(text))

    def clear(self) -> None:
        self.tell("")


class _Bar(Pace):
    def __init__(self, run: Run, steps: int, shown: Shown) -> None:
        super().__init__(run.recipe, steps)
        self.name, self.shown = run.name, shown

    def tell(self, epoch: float, images_per_s: float, scalars: Mapping[str, float]) -> None:
        told = f"epoch {epoch:.1f} of {self.recipe.epochs}, {images_per_s:.0f} images/s"
        self.shown.tell(bar(self.name, epoch, self.recipe.epochs, told, terminal.scores(scalars)))

    def on_progress(self, what: str, done: int, of: int) -> None:
        super().on_progress(what, done, of)
        self.shown.tell(bar(self.name, done, of, f"{what}: {done} of {of}"))


def _lines(jobs: Sequence[Job]) -> Iterator[str]:
    """A bar over all jobs, and one for each that runs."""
    of = sum(job.epochs_to_do for job in jobs)
    done = sum(max(0.0, min(job.epoch, job.recipe.epochs) - job.shared_epochs) for job in jobs)
    finished = sum(job.state == "finished" for job in jobs)
    yield bar("all runs", done, of, f"{finished} of {len(jobs)} finished")
    for job in jobs:
        if job.state == "running":
            told = f"epoch {job.epoch:.1f} of {job.recipe.epochs}"
            name = f"{job.arm}, seed {job.seed}"
            yield bar(name, job.epoch, job.recipe.epochs, told, terminal.scores(job.scalars))


def bar(name: str, done: float, of: float, *told: str) -> str:
    """A bar as HTML, with its name before it and the texts ``told`` after it."""
    text = escape(", ".join(filter(None, told)))
    return f'{escape(name)} <progress value="{done:.1f}" max="{of:.1f}"></progress> {text}'
