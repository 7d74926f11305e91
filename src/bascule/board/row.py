"""A run in one row, as pages are told it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from bascule.board.summary import Summary

if TYPE_CHECKING:
    from bascule.board.board import Board


def seen(board: Board, summary: Summary) -> Summary:
    """``summary`` with what the board's own processes say; the same object if they say nothing."""
    if board.workers.is_at_work(summary.id):
        state = "running" if summary.state == "running" else "starting"
        return replace(summary, state=state, why="")
    if complaint := board.workers.complaint(summary.id):
        return replace(summary, why=complaint)
    return summary


def row_of(summary: Summary) -> dict[str, Any]:
    """A row as JSON."""
    return {**asdict(summary), "seconds_left": summary.seconds_left}
