"""What people say of pictures that they judge blindly: which of two is the better, or the real one.

A :class:`Pair` is what is compared: two runs of one seed ("better"), or one run and real pictures
("real"). Each answer is a forced choice between two pictures whose order and side are addressed
draws, so they depend on the judge's name and on the pair alone. The answers of each judge are a
plain file in the runs folder, ``judgments/PAIR-JUDGE.json``; packs carry it.

The number of a seed is a share of answers, of all judges together. The unit of a verdict is the
seed (:mod:`bascule.experiments.inference`): many answers about one pair of runs know these two
runs better, not the recipes. :func:`share` of one pair has an exact binomial interval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from bascule.core import atomic
from bascule.core.context import address
from bascule.core.errors import UserError, unreadable
from bascule.core.fields import from_plain
from bascule.core.reading import read_json
from bascule.experiments.intervals import Interval
from bascule.experiments.predictions import (
    TAKEN_FOR_REAL,
    Curves,
    count_of,
    error_of,
    preferred_to,
)
from bascule.experiments.verdict import share_interval
from bascule.runs.pack import JUDGMENTS
from bascule.runs.store import Run, slug

Question = Literal["better", "real"]
PICTURES = 250  # of each run, among which a judge sees each at most once in a pair
LONGEST_NAME = 60  # characters of a judge's name


@dataclass(frozen=True)
class Pair:
    """What is compared: the pictures of two runs, or of a run and real ones.

    ``runs``: ids, two for "better", one for "real". ``epochs``: how long each G was trained.
    """

    question: Question
    runs: tuple[str, ...]
    epochs: tuple[int, ...]

    def __post_init__(self) -> None:
        sides = {"better": 2, "real": 1}
        if self.question not in sides:
            known = ", ".join(get_args(Question))
            raise UserError(f"question={self.question!r}: expected one of {known}")
        if not len(self.runs) == len(self.epochs) == sides[self.question]:
            raise UserError(
                f"a pair for the question {self.question!r} has {sides[self.question]} runs and as "
                f"many epochs, not {len(self.runs)} and {len(self.epochs)}"
            )

    @classmethod
    def better(cls, one: Run, other: Run) -> Pair:
        """Two runs at their ends, in an order that does not depend on how they were named."""
        first, second = sorted((one, other), key=lambda run: run.id)
        return cls("better", (first.id, second.id), (first.epochs, second.epochs))

    @classmethod
    def real(cls, run: Run) -> Pair:
        """A run at its end, and real pictures."""
        return cls("real", (run.id,), (run.epochs,))

    @property
    def key(self) -> str:
        text = json.dumps([self.question, self.runs, self.epochs])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Judgment:
    """One answer. ``picture``: the number of the picture; ``first``: whether the first side won.

    The first side is the first run of the pair. ``left``: whether it stood on the left. ``date``:
    ISO 8601, UTC. ``seconds``: how long the judge took.
    """

    picture: int
    left: bool
    first: bool
    date: str
    seconds: float


@dataclass(frozen=True)
class Sheet:
    """The answers of one judge about one pair, in order."""

    pair: Pair
    judge: str
    judgments: tuple[Judgment, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.pair.key}-{slug(self.judge)}.json"

    def picture(self) -> int:
        """The number of the next picture, below :data:`PICTURES`, in an order of this judge's."""
        order = np.random.default_rng(address("judged pictures", self._who)).permutation(PICTURES)
        return int(order[len(self.judgments) % PICTURES])

    def is_left(self) -> bool:
        """Whether the first side of the next picture stands on the left."""
        return address("judged side", self._who, len(self.judgments)) % 2 == 0

    @property
    def _who(self) -> str:
        return f"{self.pair.key} {slug(self.judge)}"

    def answered(self, left: bool, seconds: float) -> Sheet:
        """This sheet with one more answer. ``left``: whether the picture on the left was chosen."""
        first_left = self.is_left()
        date = datetime.now(UTC).isoformat(timespec="microseconds")
        told = Judgment(self.picture(), first_left, left == first_left, date, round(seconds, 2))
        return replace(self, judgments=(*self.judgments, told))


def check_judge(name: str) -> str:
    """A judge's name without spaces around it. Raises :class:`UserError` for no usable name."""
    name = " ".join(name.split())
    if not slug(name) or len(name) > LONGEST_NAME:
        raise UserError(
            f"the judge's name {name[:LONGEST_NAME]!r}: expected 1 to {LONGEST_NAME} characters, "
            "with a letter or a digit"
        )
    return name


def sheets_in(root: Path) -> list[Sheet]:
    """All sheets in the runs folder ``root``, sorted by file name.

    Raises :class:`UserError` for a damaged file.
    """
    return [_read(path) for path in sorted((root / JUDGMENTS).glob("*.json"))]


def files_about(root: Path, runs: Iterable[Run]) -> list[Path]:
    """The files in the runs folder ``root`` that are about these runs alone."""
    known = {run.id for run in runs}
    found = [sheet for sheet in sheets_in(root) if known.issuperset(sheet.pair.runs)]
    return [root / JUDGMENTS / sheet.file_name for sheet in found]


def sheet_of(root: Path, pair: Pair, judge: str) -> Sheet:
    """The sheet of a judge and a pair; empty if there is none yet."""
    empty = Sheet(pair, check_judge(judge))
    path = root / JUDGMENTS / empty.file_name
    return _read(path) if path.exists() else empty


def keep(root: Path, sheet: Sheet) -> Path:
    """Write a sheet into the runs folder ``root``; a sheet without answers is removed."""
    path = root / JUDGMENTS / sheet.file_name
    if not sheet.judgments:
        path.unlink(missing_ok=True)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {**asdict(sheet.pair), "judge": sheet.judge}
    plain["judgments"] = [asdict(judgment) for judgment in sheet.judgments]
    atomic.write(path, json.dumps(plain, indent=1, ensure_ascii=False))
    return path


def _read(path: Path) -> Sheet:
    try:
        told = read_json(path)
        pair = from_plain(Pair, {n: told[n] for n in ("question", "runs", "epochs")})
        found = tuple(from_plain(Judgment, judgment) for judgment in told["judgments"])
        return Sheet(pair, check_judge(told["judge"]), found)
    except (OSError, ValueError, KeyError, TypeError, UserError) as error:
        remedy = "expected JSON as bascule wrote it; put the file back"
        raise unreadable(f"the judgments {path}", error, remedy) from None


def next_sheet(sheets: Sequence[Sheet]) -> Sheet:
    """Of one judge's ``sheets`` the one to go on with: the shortest, and of several any."""
    done = sum(len(sheet.judgments) for sheet in sheets)
    fewest = min(len(sheet.judgments) for sheet in sheets)
    ways = [sheet for sheet in sheets if len(sheet.judgments) == fewest]
    judge = slug(sheets[0].judge)
    return min(ways, key=lambda sheet: address("next pair", sheet.pair.key, judge, done))


def last_sheet(sheets: Sequence[Sheet]) -> Sheet | None:
    """Of one judge's ``sheets`` the one with the latest answer; None if there is none."""
    begun = [sheet for sheet in sheets if sheet.judgments]
    return max(begun, key=lambda sheet: sheet.judgments[-1].date, default=None)


def undone(sheet: Sheet) -> Sheet:
    """``sheet`` without its last answer."""
    return replace(sheet, judgments=sheet.judgments[:-1])


def share(sheets: Iterable[Sheet], level: float = 0.95) -> tuple[Interval, int] | None:
    """The share of answers that chose the first side, with its exact interval, and their number.

    Of sheets of one pair; None without any answer. The interval (Clopper and Pearson 1934) is about
    these runs; answers of several judges are taken together as if of one.
    """
    answers = [judgment.first for sheet in sheets for judgment in sheet.judgments]
    if not answers:
        return None
    return share_interval(sum(answers), len(answers), level), len(answers)


def with_judgments(
    curves: Curves, runs: Mapping[str, Mapping[int, Run]], sheets: Sequence[Sheet]
) -> dict[str, dict[int, dict[str, np.ndarray]]]:
    """``curves`` with what judges said, as scalars of the epoch whose pictures they saw.

    ``runs``: arm -> seed -> run. A scalar "taken for real" is the share of answers in which a fake
    was taken for the real picture; "preferred to B" that in which the picture of this arm was
    preferred to that of the arm B, on the same seed. Beside each stand its error and the number of
    its answers (:func:`~bascule.experiments.predictions.error_of`, ``count_of``).
    """
    found = {arm: {s: dict(c) for s, c in by_seed.items()} for arm, by_seed in curves.items()}
    by_pair: dict[Pair, list[Sheet]] = {}
    for sheet in sheets:
        by_pair.setdefault(sheet.pair, []).append(sheet)
    where = {r.id: (arm, seed) for arm, by_seed in runs.items() for seed, r in by_seed.items()}
    for pair, of_pair in by_pair.items():
        if not all(run in where for run in pair.runs) or not (told := share(of_pair)):
            continue
        (arm, seed), epoch, n = where[pair.runs[0]], pair.epochs[0], told[1]
        won = round(told[0].mean * n)
        if pair.question == "real":
            _put(found[arm][seed], TAKEN_FOR_REAL, epoch, won, n)
            continue
        other, its_seed = where[pair.runs[1]]
        if its_seed == seed and other != arm:
            _put(found[arm][seed], preferred_to(other), epoch, won, n)
            _put(found[other][seed], preferred_to(arm), pair.epochs[1], n - won, n)
    return found


def _put(curve: dict[str, np.ndarray], name: str, epoch: int, won: int, n: int) -> None:
    """Add a share, its error and its number of answers to a curve, at the end of ``epoch``.

    The error is that of (won + 1) / (n + 2), so that answers that all agree are not exact.
    """
    near = (won + 1) / (n + 2)
    epochs = max((len(values) for values in curve.values()), default=0)
    if not 1 <= epoch <= epochs:
        return
    values = {
        name: won / n,
        error_of(name): (near * (1 - near) / (n + 2)) ** 0.5,
        count_of(name): n,
    }
    for told, value in values.items():
        whole = curve.setdefault(told, np.full(epochs, np.nan))
        whole[epoch - 1] = value
