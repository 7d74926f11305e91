"""What is new in some runs since an open page last heard of them.

A page holds all that it was told; here stand only the places up to which it was told. So an update
costs what is new, and nothing is sent twice, also after a broken connection.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bascule.board.row import row_of, seen
from bascule.board.stream import Event
from bascule.board.summary import Summary
from bascule.board.tail import START, Cursor, numbers, read_new
from bascule.core.errors import UserError

if TYPE_CHECKING:
    from bascule.board.board import Board
    from bascule.diagnostics.rules import Finding

PARTS = re.compile(r"_(std|min|max)$")  # within an epoch; curves show means
PLACES = ("epoch", "step")
ASKED = (  # of diagnostics, what curves show
    *("auc_held_out", "auc_train_vs_held_out", "mmd", "coverage", "vendi_ratio", "C_T"),
    *("grad_norm_D", "grad_norm_G"),
)
MOST_NAMES = 100  # scalars of a row that are shown

Columns = dict[str, list[float | None]]


@dataclass
class Place:
    """Up to where a page was told of one run.

    rows, asked    in the files of scalars and of diagnostics
    sample, shown  the newest epochs whose pictures it knows
    """

    rows: Cursor = START
    asked: Cursor = START
    sample: int = 0
    shown: int = 0

    def __str__(self) -> str:
        return f"{self.rows}~{self.asked}~{self.sample}~{self.shown}"

    @classmethod
    def parse(cls, text: str) -> Place:
        parts = text.split("~")
        if len(parts) != 4 or not all(p.isdecimal() and len(p) < 10 for p in parts[2:]):
            return cls()
        return cls(Cursor.parse(parts[0]), Cursor.parse(parts[1]), int(parts[2]), int(parts[3]))


@dataclass
class Watch:
    """One open page over the runs ``ids``; ``curves_only``: those without pictures and diagnosis.

    ``cursor``: the page's own, from an earlier connection.
    """

    board: Board
    ids: Sequence[str]
    curves_only: Sequence[str] = ()
    cursor: str = ""
    first: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        told = dict(part.split("=", 1) for part in self.cursor.split("!") if "=" in part)
        self.places = {id: Place.parse(told.get(id, "")) for id in (*self.ids, *self.curves_only)}
        self.rows: dict[str, Summary] = {}
        self.complaints: dict[str, str] = {}
        self.judges: dict[str, Judge] = {}
        self.stamps: dict[str, int] = {}

    def look(self) -> Event | None:
        news = {}
        for id in self.places:
            try:
                told = self._of(id)
                self.complaints.pop(id, None)
            except (UserError, OSError) as error:
                told = {} if self.complaints.get(id) == str(error) else {"problem": str(error)}
                self.complaints[id] = str(error)
            if told:
                news[id] = told
        self.first = False
        if not news:
            return None
        return Event({"runs": news}, "!".join(f"{id}={place}" for id, place in self.places.items()))

    def _of(self, id: str) -> dict[str, Any]:
        summary = self.board.summaries.one(id)
        if summary is None:
            self.places[id] = Place()
            return {"gone": True} if self.rows.pop(id, None) or self.first else {}
        told: dict[str, Any] = {}
        now = seen(self.board, summary)
        if self.rows.get(id) != now:
            self.rows[id], told["row"] = now, row_of(now)
        folder, place = self.board.root / id, self.places[id]
        told |= self._scalars(folder, place)
        if id not in self.curves_only:
            told |= self._pictures(folder, place)
            if not self.first and self.board.can_judge:  # curves and pictures come first
                told |= self._diagnosis(folder, place, id)
        return told

    def _scalars(self, folder: Path, place: Place) -> dict[str, Any]:
        path = folder / "scalars.jsonl"
        news = read_new(_inside(path, folder), place.rows)
        place.rows = news.cursor
        told: dict[str, Any] = {"again": True} if news.again else {}
        return told | (
            {"scalars": columns([numbers(line) for line in news.lines])} if news.lines else {}
        )

    def _pictures(self, folder: Path, place: Place) -> dict[str, Any]:
        """The epochs of new pictures; the folder is read only when it has changed."""
        try:
            stamp = os.stat(folder / "samples").st_mtime_ns
        except OSError:
            return {}
        if self.stamps.get(folder.name) == stamp:
            return {}
        self.stamps[folder.name] = stamp
        found: dict[str, list[int]] = {"epoch": [], "shown": []}
        for name in os.listdir(_inside(folder / "samples", folder)):
            if match := re.fullmatch(r"(epoch|shown)-(\d{1,9})\.png", name):
                found[match[1]].append(int(match[2]))
        samples = sorted(epoch for epoch in found["epoch"] if epoch > place.sample)
        shown = sorted(epoch for epoch in found["shown"] if epoch > place.shown)
        place.sample, place.shown = max([place.sample, *samples]), max([place.shown, *shown])
        told = {"samples": samples} if samples else {}
        return told | ({"shown": shown} if shown else {})

    def _diagnosis(self, folder: Path, place: Place, id: str) -> dict[str, Any]:
        path = _inside(folder / "diagnostics.jsonl", folder)
        judge = self.judges.setdefault(id, Judge())
        if not judge.rows and place.asked != START:  # connected again: judge needs what was before
            before = START
            while before.lines < place.asked.lines and (old := read_new(path, before)).lines:
                judge.rows += map(numbers, old.lines)
                before = old.cursor
            judge.rows = judge.rows[: place.asked.lines]
        news = read_new(path, place.asked)
        if news.again:
            judge.rows.clear()
        place.asked = news.cursor
        if not news.lines and not news.again:
            return {}
        rows = [numbers(line) for line in news.lines]
        told: dict[str, Any] = {"diagnoses": [judge.next(row) for row in rows]}
        told["asked"] = columns([{n: row.get(n) for n in ("epoch", *ASKED)} for row in rows])
        return told | ({"asked_again": True} if news.again else {})


class Judge:
    """Diagnoses of one run, row after row, as they stood after each of them."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float | None]] = []

    def next(self, row: Mapping[str, float | None]) -> dict[str, Any]:
        """The diagnosis after a further row of diagnostics: its light, and its findings."""
        from bascule.diagnostics.advice import ADVICE
        from bascule.diagnostics.rules import diagnose, silence

        self.rows.append(row)
        known = [{n: v for n, v in each.items() if v is not None} for each in self.rows]
        try:
            findings = diagnose(known)
            said = silence(known)
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            findings, said = [], f"cannot judge these rows: {type(error).__name__} {error}"
        return {
            "epoch": int(row.get("epoch") or 0) + 1,
            "light": light(findings),
            "said": said,
            "findings": [
                {
                    "name": each.name,
                    "since": each.since_epoch + 1,
                    "evidence": each.evidence,
                    "calibrated": each.calibrated,
                    "advice": ADVICE.get(each.name, ""),
                }
                for each in findings
            ],
        }


def light(findings: Sequence[Finding]) -> str:
    """One word for a diagnosis: "healthy", "trouble", "watch" for a rule that is not calibrated,
    "unknown" where nothing can be said."""
    if not findings:
        return "unknown"
    if [each.name for each in findings] == ["healthy"]:
        return "healthy"
    return "trouble" if any(each.calibrated for each in findings) else "watch"


def columns(rows: Sequence[Mapping[str, float | None]]) -> Columns:
    """Rows as one list for each scalar, with None where a row lacks it.

    Spreads within an epoch (``loss_D_std``) are left out where there is a mean.
    """
    names: dict[str, None] = {}
    for row in rows:
        for name in row:
            if name != "step" and not (PARTS.search(name) and PARTS.sub("", name) in row):
                names[name] = None
    kept = list(names)[:MOST_NAMES]
    return {name: [row.get(name) for row in rows] for name in kept}


def _inside(path: Path, folder: Path) -> Path:
    """``path``; refused if it is a link out of ``folder``."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path.name} is a link to a place outside the run, which is not followed")
    return path
