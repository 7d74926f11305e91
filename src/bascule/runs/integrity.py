"""Whether a run folder is whole: every file of it is read, and every check sum compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from bascule.core.errors import UserError
from bascule.runs.evaluations import evaluations
from bascule.runs.store import Run


def problems(run: Run) -> list[str]:
    """What is damaged in the folder of ``run``, a line each; empty if nothing is.

    Read are the recipe, all scalars and diagnostics, the state, evaluations, every checkpoint with
    its check sums, kept fakes and sample pictures. Nothing of the folder is executed.
    """
    found: list[str] = []

    def attempt(read: Callable[[], object]) -> None:
        try:
            read()
        except UserError as error:
            found.append(" ".join(str(error).split()))

    attempt(run.check)
    attempt(lambda: run.recipe)
    attempt(run.rows)
    attempt(run.diagnostics)
    attempt(lambda: evaluations(run.folder))
    if run.checkpoint().exists():
        attempt(run.load_checkpoint)
    for epoch in run.kept_epochs():
        attempt(lambda epoch=epoch: run.load_checkpoint(epoch))  # type: ignore[misc]
    for path in sorted(run.replay.glob("*.npy")):
        try:
            np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            found.append(f"cannot read {path}: {error}; delete it")
    for path in sorted((run.folder / "samples").glob("*.png")):
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                picture.load()
        except (OSError, ValueError, SyntaxError) as error:
            found.append(f"cannot read {path}: {error}; delete it")
    return found
