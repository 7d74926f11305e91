"""A run in one row, as pages are told it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from bascule.board.summary import Summary

if TYPE_CHECKING:
    from bascule.board.board import Board


def row_of(board: Board, summary: Summary) -> dict[str, Any]:
    """A row for a page, with what the board's own processes say."""
    if board.workers.is_at_work(summary.id):
        state = "running" if summary.state == "running" else "starting"
        summary = replace(summary, state=state, why="")
    elif complaint := board.workers.complaint(summary.id):
        summary = replace(summary, why=complaint)
    return {**asdict(summary), "seconds_left": summary.seconds_left}
