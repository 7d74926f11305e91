"""Lessons in Python: bl.show("mode-collapse")."""

from __future__ import annotations

from bascule.api.progress import job_bars
from bascule.api.runs import Place, store_at
from bascule.lessons.shown import Shown


def show(lesson: str, runs: Place | None = None) -> Shown:
    """Play a lesson beside a healthy game; in a notebook it shows its numbers and pictures.

    ``lesson``: "healthy", "d-too-strong", "mode-collapse", "memorisation" or "oscillation".
    ``runs``: the folder of runs. It trains for about two minutes, once. Raises :class:`UserError`
    for another name, and KeyboardInterrupt after all is saved.
    """
    from bascule.lessons.cli import play

    shown = play(lesson, store_at(runs), job_bars)
    if shown is None:
        raise KeyboardInterrupt("every run is saved: the same call goes on")
    return shown
