"""A lesson that was played, as a terminal and a notebook show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from bascule.core import html
from bascule.diagnostics.advice import ADVICE
from bascule.diagnostics.rules import Finding, diagnose
from bascule.experiments.scalars import explained
from bascule.lessons.lesson import Lesson
from bascule.runs.store import Run

GAME = ("D_x", "D_Gz")  # scalars of steps
ASKED = ("auc_held_out", "mmd", "vendi_ratio", "coverage", "nearest_50", "C_T")  # of diagnostics
LAST = 5  # epochs whose mean is told


@dataclass(frozen=True)
class Shown:
    """A lesson with its finished run, and the healthy run to compare it with.

    In a notebook it shows the numbers, the diagnosis and the pictures of both.
    """

    lesson: Lesson
    run: Run
    healthy: Run

    @property
    def runs(self) -> dict[str, Run]:
        """The healthy run and that of the lesson, by title; one of them if they are the same."""
        return {"healthy": self.healthy, self.lesson.title: self.run}

    @property
    def findings(self) -> list[Finding]:
        """What the diagnosis of the lesson's run names."""
        return diagnose(self.run.diagnostics())

    @property
    def numbers(self) -> list[tuple[str, ...]]:
        """Rows of a table: the number, its value at the end of each run, and what it is."""
        told = [_at_the_end(run) for run in self.runs.values()]
        meaning = dict(explained((*GAME, *ASKED)))
        return [
            (name, *(f"{each[name]:.2g}" if name in each else "" for each in told), meaning[name])
            for name in (*GAME, *ASKED)
            if any(name in each for each in told)
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The header of :attr:`numbers`."""
        return ("at the end", *self.runs, "what it is")

    @property
    def picture(self) -> str:
        """The path of the newest grid of what G draws."""
        return str(self.run.sample(self.run.epochs))

    @property
    def command(self) -> str:
        """What to try next."""
        return self.lesson.then.replace("RUN", self.run.id)

    def said(self) -> Iterator[tuple[str, str]]:
        """Pairs of a heading and a text, below the numbers."""
        for finding in self.findings:
            since = f" (since epoch {finding.since_epoch + 1})" if finding.name != "healthy" else ""
            yield "Diagnosis", f"{finding.name}{since}: {finding.evidence}"
            yield "What people try", ADVICE[finding.name]
        yield "Look at", f"{self.lesson.look} {self.picture}"
        yield "Question", self.lesson.question
        yield "Answer", self.lesson.answer
        yield "Then", f"{self.command}   {self.lesson.why}"

    def __repr__(self) -> str:
        names = ", ".join(finding.name for finding in self.findings)
        return f"<lesson {self.lesson.name}: {names or 'nothing named'}, {self.run.folder}>"

    def _repr_html_(self) -> str:
        parts = [html.heading(self.lesson.title), html.lines(self.lesson.about)]
        parts.append(html.table(self.columns, self.numbers))
        for title, run in self.runs.items():
            with Image.open(run.sample(run.epochs)) as grid:
                told = f"{title}: what G draws after {run.epochs} epochs"
                parts += [html.lines(told), html.picture(grid, told)]
        parts += [html.lines(f"{heading}: {text}") for heading, text in self.said()]
        parts.append(html.lines(self.run.recipe.data.load().credit))
        return "".join(parts)


def _at_the_end(run: Run) -> dict[str, float]:
    """The mean of the game's scalars over the last epochs, and the newest row of diagnostics."""
    last, asked = run.rows()[-LAST:], run.diagnostics()[-1:]
    found = {name: sum(row[name] for row in last) / len(last) for name in GAME if last}
    return found | {name: row[name] for row in asked for name in ASKED if name in row}
