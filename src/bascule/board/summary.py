"""A run in one row of the list, read again only when its files have changed.

A row costs a few small files and the last line of the scalars, however long a run is. No code and
no recipe is built, so PyTorch is not loaded. Every value that comes from a run folder may be wrong;
then the row says why.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bascule.board.tail import last_line, numbers
from bascule.core.disk import size_of
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.runs import recipe_format
from bascule.runs.store import Run

FILES = ("recipe.json", "run.json", "status.json", "scalars.jsonl", "board.json")
ALIVE = ("new", "running")  # states that only a lock confirms
MEASURE_S = 0.05  # for sizes on disk, at each look
LOCK_S = 1.0  # between two tests of a lock, each of which takes 50 ms
AGAIN_S = 10.0  # before the size of a run that grows is measured again

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class Mark:
    """A moment of a run: ``what`` acts from the epoch ``epoch`` on, counted from 0."""

    epoch: int
    what: str


@dataclass(frozen=True)
class Summary:
    """A run in one row.

    title         what a person calls it on the board; else its name
    state         new, running, finished, interrupted, failed or unreadable; on the board also
                  starting
    why           the reason of a failure
    done, epochs  complete epochs, and those of the recipe
    images_per_s, epoch_s  speed in the last epoch; None without one
    arm           equal for runs that differ only in the seed
    marks         when interventions begin to act
    bytes         on disk; None: not measured yet
    """

    id: str
    name: str
    title: str
    state: str
    tags: tuple[str, ...] = ()
    why: str = ""
    done: int = 0
    epochs: int = 0
    images_per_s: float | None = None
    epoch_s: float | None = None
    created: str = ""
    seed: int | None = None
    arm: str = ""
    parent: str = ""
    branch: int = 0
    marks: tuple[Mark, ...] = ()
    bytes: int | None = None

    @property
    def seconds_left(self) -> float | None:
        if self.state != "running" or self.epoch_s is None:
            return None
        return max(self.epochs - self.done, 0) * self.epoch_s


@dataclass(frozen=True)
class _Kept:
    """A row, what it was read from and when, and from what and when its size was measured."""

    stamp: Stamp
    row: Summary
    read_at: float
    measured: Stamp = ()
    measured_at: float = 0.0


class Summaries:
    """The rows of all runs in the folder ``root``, kept between looks.

    A row that has not changed is the same object as before.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: dict[str, _Kept] = {}

    def all(self) -> list[Summary]:
        """All runs, newest first; unreadable ones too."""
        names = self._names()
        for gone in set(self._kept).difference(names):
            self._kept.pop(gone, None)
        rows = [row for name in names if (row := self.one(name))]
        return sorted(rows, key=lambda row: (row.created, row.id), reverse=True)

    def one(self, name: str) -> Summary | None:
        """The run in the folder ``name``; None if there is none any more."""
        stamp = _stamp(os.path.join(self.root, name))
        if stamp[0] is None:
            return None
        kept = self._kept.get(name)
        now = time.monotonic()
        same = kept is not None and kept.stamp == stamp
        if kept and same and (kept.row.state not in ALIVE or now - kept.read_at < LOCK_S):
            return kept.row
        row = _read(Run(self.root / name))
        if kept:
            row = replace(row, bytes=kept.row.bytes)
            row = kept.row if row == kept.row else row
            self._kept[name] = replace(kept, stamp=stamp, row=row, read_at=now)
        else:
            self._kept[name] = _Kept(stamp, row, now)
        return row

    def measure(self) -> None:
        """Measure sizes on disk for ``MEASURE_S`` seconds, the oldest figures first."""
        until = time.monotonic() + MEASURE_S
        stale = [
            (kept.measured_at, name)
            for name, kept in list(self._kept.items())
            if kept.measured != kept.stamp
        ]
        for measured_at, name in sorted(stale):
            now = time.monotonic()
            if now > until or (measured_at and now - measured_at < AGAIN_S):
                return
            if kept := self._kept.get(name):
                row = replace(kept.row, bytes=size_of(self.root / name))
                self._kept[name] = replace(kept, row=row, measured=kept.stamp, measured_at=now)

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.root) as entries:
                return [e.name for e in entries if not e.name.startswith(".") and _is_folder(e)]
        except FileNotFoundError:
            return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _stamp(folder: str) -> Stamp:
    """What changes when one of the files of a run does."""
    found: list[tuple[int, int, int] | None] = []
    for name in FILES:
        try:
            status = os.stat(f"{folder}{os.sep}{name}")
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def _read(run: Run) -> Summary:
    plain: dict[str, Any] = {}
    try:
        _check_links(run.folder)
        plain = recipe_format.checked(read_json(run.folder / "recipe.json"))
        row = _row(run, plain)
    except (UserError, OSError) as refusal:
        return _unreadable(run, str(refusal))
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        return _unreadable(run, f"{type(error).__name__}: {error}")
    return row


def _check_links(folder: Path) -> None:
    """Refuse links among the files of a row that lead out of the folder of runs."""
    for name in FILES:
        path = folder / name
        if path.is_symlink() and not path.resolve().is_relative_to(folder.parent.resolve()):
            raise UserError(f"{name} is a link to a place outside the runs, which is not followed")


def _unreadable(run: Run, why: str) -> Summary:
    told = why.replace(f"{run.folder}{os.sep}", "")
    return Summary(run.id, run.id, run.id, "unreadable", why=" ".join(told.split())[:300])


def _row(run: Run, plain: dict[str, Any]) -> Summary:
    status, about, fork = run.status, run.about, run.fork
    line = last_line(run.folder / "scalars.jsonl")
    last = numbers(line) if line.strip() else {}
    title, tags = labels(run)
    return Summary(
        id=run.id,
        name=run.name,
        title=title or run.name,
        state=status["state"],
        tags=tags,
        why=str(status.get("message", "")),
        done=int(last.get("epoch") or 0) + 1 if last else 0,
        epochs=run.epochs,
        images_per_s=last.get("images_per_s"),
        epoch_s=last.get("seconds"),
        created=about["created"],
        seed=plain["seed"] if isinstance(plain.get("seed"), int) else None,
        arm=arm_of(plain, about["data_digest"], fork.epoch if fork else 0),
        parent=fork.parent if fork else "",
        branch=fork.epoch if fork else 0,
        marks=marks_of(plain),
    )


def labels(run: Run) -> tuple[str, tuple[str, ...]]:
    """The title and the tags that a person gave a run; empty where there are none."""
    try:
        told = read_json(run.folder / "board.json")
    except (OSError, ValueError):
        return "", ()
    title, tags = told.get("title"), told.get("tags")
    texts = tags if isinstance(tags, list) else []
    return (
        title if isinstance(title, str) else "",
        tuple(tag for tag in texts if isinstance(tag, str)),
    )


def arm_of(plain: Mapping[str, Any], data_digest: str, branch: int) -> str:
    """A text that is equal for runs that differ only in the seed and in a split drawn with it.

    It is :func:`bascule.experiments.paired.arms_of` on plain values, without building recipes.
    """
    rest = {name: value for name, value in plain.items() if name != "seed"}
    rest["data"] = _own_split(plain.get("data"), plain.get("seed"))
    told = json.dumps([rest, data_digest, branch], sort_keys=True)
    return blake2b(told.encode(), digest_size=8).hexdigest()


def _own_split(data: Any, seed: Any) -> Any:
    if not isinstance(data, dict):
        return data
    if _word(data) == "SeededSplit" and data.get("seed") == seed:
        return {**data, "seed": 0} if data.get("folds") else data.get("of")
    return {name: _own_split(value, seed) for name, value in data.items()}


def marks_of(plain: Mapping[str, Any]) -> tuple[Mark, ...]:
    """When the interventions of a recipe begin to act, if that is after the start."""
    found = []
    for rule in plain.get("interventions") or plain.get("change") or ():  # older files say change
        epoch = _first_epoch(rule)
        if epoch:
            found.append(Mark(epoch, _call(rule)))
    return tuple(sorted(found, key=lambda mark: mark.epoch))


def _first_epoch(rule: Mapping[str, Any]) -> int:
    if parts := rule.get("parts"):
        return min(map(_first_epoch, parts))
    facts = rule.get("facts") or {}
    for epoch in (facts.get("first_epoch"), rule.get("at_epoch"), rule.get("from_epoch")):
        if type(epoch) is int and epoch >= 0:
            return epoch
    return 0


def _call(value: Any) -> str:
    """A plain value as its call would be written: ``PerfectG(at_epoch=60, ...)``."""
    if isinstance(value, list):
        return f"[{', '.join(map(_call, value))}]"
    if not isinstance(value, dict):
        return repr(value)
    fields = (f"{k}={_call(v)}" for k, v in value.items() if k not in ("is", "facts", "names"))
    return f"{_word(value)}({', '.join(fields)})"


def _word(value: Mapping[str, Any]) -> str:
    """The bare name of the class of a plain value, which newer files write with its module."""
    return re.split(r"[:.]", str(value.get("is", value.get("names", "?"))))[-1]
