"""The file ``metrics.json`` in a run folder or an image folder: its evaluations, by epoch."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.core import atomic
from bascule.core.errors import unreadable
from bascule.core.reading import read_json
from bascule.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from PIL import Image

    from bascule.runs.store import Run

FILE = "metrics.json"
LOCK = ".metrics.lock"


def evaluations(folder: Path) -> list[Evaluation]:
    """The evaluations stored in ``folder``, sorted by epoch; empty if there are none.

    Raises :class:`UserError` for a damaged file.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        kept = read_json(path)["evaluations"]
        return [Evaluation.read(plain) for plain in kept]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(str(path), error, "delete it and evaluate again") from None


def judged(run: Run, saw: Collection[str] = ()) -> list[Evaluation]:
    """The evaluations of ``run``, without the numbers that say nothing of its game.

    ``saw``: feature networks that games beside it have seen, so that all are judged by the same.
    """
    return [found.judged({*run.saw, *saw}) for found in evaluations(run.folder)]


def keep_evaluation(folder: Path, evaluation: Evaluation) -> Path:
    """Add an evaluation to the file. It replaces an earlier one of the same epoch.

    Several processes may do so at once: each waits until the others have written.
    """
    from filelock import FileLock

    with FileLock(folder / LOCK):
        kept = [e for e in evaluations(folder) if e.epoch != evaluation.epoch]
        kept = sorted([*kept, evaluation], key=lambda e: -1 if e.epoch is None else e.epoch)
        text = json.dumps({"evaluations": [e.plain() for e in kept]}, indent=1, ensure_ascii=False)
        atomic.write(folder / FILE, text)
    return folder / FILE


def keep_with_picture(folder: Path, evaluation: Evaluation, picture: Image.Image | None) -> Path:
    """Like :func:`keep_evaluation`; also saves the image of fakes and their nearest neighbours."""
    folder.mkdir(parents=True, exist_ok=True)
    path = keep_evaluation(folder, evaluation)
    if picture:
        atomic.write_png(folder / neighbour_file(evaluation.epoch), picture)
    return path


def last_evaluation(folder: Path) -> Evaluation | None:
    """The evaluation of the latest epoch; None if there is none."""
    return next(iter(reversed(evaluations(folder))), None)


def neighbour_file(epoch: int | None) -> str:
    """The file name of the image of fakes and their nearest neighbours."""
    return "neighbours.png" if epoch is None else f"neighbours-{epoch:04d}.png"
