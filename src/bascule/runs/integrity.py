"""Whether a run folder is whole: every file of it is read, and every check sum compared."""

from __future__ import annotations

from collections.abc import Callable

from bascule.core.errors import UserError
from bascule.core.reading import numbered
from bascule.data.decoding import own_picture
from bascule.diagnostics.replay import Replay
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
    attempt(run.diagnostics)
    attempt(lambda: evaluations(run.folder))
    for epoch in run.kept_epochs():
        attempt(lambda epoch=epoch: run.load_checkpoint(epoch))  # type: ignore[misc]
    done: list[int] = []
    if run.checkpoint().exists():
        attempt(lambda: done.append(run.load_checkpoint()["epoch"]))
    attempt(lambda: run.rows_until(sum(done)))
    for epoch in numbered(run.replay, ".npy"):
        attempt(lambda epoch=epoch: Replay(run.replay).fakes(epoch))  # type: ignore[misc]
    for path in sorted((run.folder / "samples").glob("*.png")):
        attempt(lambda path=path: own_picture(path))  # type: ignore[misc]
    return found
