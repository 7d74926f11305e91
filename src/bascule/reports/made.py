"""A record of what a page was made from, so that a page with less never replaces it.

It is stored next to the page as ``STEM.json``: {"runs": [ids], "measurements": number}. If a page
has no such file, the runs are counted in its Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import MOST_BYTES, read_bytes, read_json
from bascule.runs.evaluations import evaluations
from bascule.runs.store import Run


@dataclass(frozen=True)
class Made:
    """The number of finished runs, and the number of their measurements.

    ``ids``: the ids of the runs, if known.
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
    """The record for a page of these runs."""
    every = list(runs)
    numbers = sum(len(e.values) for run in every for e in evaluations(run.folder))
    return Made(len(every), numbers, tuple(run.id for run in every))


def keep_made(folder: Path, stem: str, made: Made) -> None:
    """Write the record next to the page ``stem`` in ``folder``."""
    told = {"runs": list(made.ids), "measurements": made.measurements}
    atomic.write(folder / f"{stem}.json", json.dumps(told, indent=1, ensure_ascii=False))


def found_made(folder: Path, stem: str) -> Made | None:
    """The record of the page ``stem`` in ``folder``; None if there is no page.

    A page of runs without any such information counts as made from one run.
    """
    if not any((folder / f"{stem}.{form}").exists() for form in ("md", "html")):
        return None
    try:
        told = read_json(folder / f"{stem}.json")
        ids = tuple(map(str, told["runs"]))
        return Made(len(ids), int(told["measurements"]), ids)
    except (OSError, ValueError, KeyError, TypeError):
        return Made(_counted(folder / f"{stem}.md"))


def protect(folder: Path, stem: str, now: Made, how: str, only_from_nothing: bool = False) -> None:
    """Raises :class:`UserError` if the page ``stem`` in ``folder`` was made from more than
    ``context``.

    ``how``: the advice in the error line. ``only_from_nothing``: raise only if ``context`` has no
    run.
    """
    there = found_made(folder, stem)
    if there is None or not now.is_emptier_than(there) or (only_from_nothing and now.runs):
        return
    raise UserError(
        f"{folder / f'{stem}.md'} was made from {there}; found now: {now}. It stays as it is: {how}"
    )


def _counted(page: Path) -> int:
    """The number of runs that a page without a record names in its table or in its sum of runs."""
    try:
        text = read_bytes(page, MOST_BYTES).decode()
    except (OSError, ValueError):
        return 1
    if summed := re.search(r"summed over (\d+) runs \|", text):
        return int(summed[1])
    table = re.search(r"^\| run \| arm \| seed \|.*\n\|[ -|]*\n((?:\|.*\n)*)", text, re.MULTILINE)
    return table[1].count("\n") if table else 1
