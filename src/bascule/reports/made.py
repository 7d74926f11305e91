"""What a page on disk was made from, so that an emptier one never takes its place.

It lies beside the page as ``STEM.json``: {"runs": [ids], "measurements": number}. Of a page that
has no such file the runs are counted in its Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.runs.evaluations import evaluations
from bascule.runs.store import Run


@dataclass(frozen=True)
class Made:
    """How many finished runs, and how many numbers that were measured of them.

    ``ids``: of the runs, where they are known.
    """

    runs: int
    measurements: int = 0
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.runs} finished run{'s' * (self.runs != 1)}"
        return told + (f", {self.measurements} measurements" if self.measurements else "")

    def is_emptier_than(self, other: Made) -> bool:
        return self.runs < other.runs or self.measurements < other.measurements


def made_of(runs: Iterable[Run]) -> Made:
    """What a page of these runs is made from."""
    every = list(runs)
    numbers = sum(len(e.values) for run in every for e in evaluations(run.folder))
    return Made(len(every), numbers, tuple(run.id for run in every))


def keep_made(folder: Path, stem: str, made: Made) -> None:
    """Write it beside the page ``stem`` in ``folder``."""
    told = {"runs": list(made.ids), "measurements": made.measurements}
    atomic.write(folder / f"{stem}.json", json.dumps(told, indent=1, ensure_ascii=False))


def found_made(folder: Path, stem: str) -> Made | None:
    """What the page ``stem`` in ``folder`` was made from; None where there is no page.

    Of a page that does not say so, one run is assumed, if it is a page of runs at all.
    """
    if not any((folder / f"{stem}.{form}").exists() for form in ("md", "html")):
        return None
    try:
        told = json.loads((folder / f"{stem}.json").read_text("utf-8"))
        ids = tuple(map(str, told["runs"]))
        return Made(len(ids), int(told["measurements"]), ids)
    except (OSError, ValueError, KeyError, TypeError):
        return Made(_counted(folder / f"{stem}.md"))


def protect(folder: Path, stem: str, now: Made, how: str, only_from_nothing: bool = False) -> None:
    """Refuse to replace the page ``stem`` in ``folder`` by one made from less.

    ``how``: what to do about it. ``only_from_nothing``: refuse only one made from no run at all.
    """
    there = found_made(folder, stem)
    if there is None or not now.is_emptier_than(there) or (only_from_nothing and now.runs):
        return
    raise UserError(
        f"{folder / f'{stem}.md'} was made from {there}; found now: {now}. It stays as it is: {how}"
    )


def _counted(page: Path) -> int:
    """The runs that a page without a record names: rows of its table of runs, or their sum."""
    try:
        text = page.read_text("utf-8")
    except (OSError, ValueError):
        return 1
    if summed := re.search(r"summed over (\d+) runs \|", text):
        return int(summed[1])
    table = re.search(r"^\| run \| arm \| seed \|.*\n\|[ -|]*\n((?:\|.*\n)*)", text, re.MULTILINE)
    return table[1].count("\n") if table else 1
