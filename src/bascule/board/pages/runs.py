"""The list of runs and experiments: what is running, titles, tags, the trash."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board, Tab, post
from bascule.board.row import row_of, seen
from bascule.board.stream import Event, stream
from bascule.board.summary import Summary
from bascule.core.errors import UserError

TAB = Tab("/", "Runs")
EVERY_S = 1.0


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""

    def page(request: Request) -> Response:
        return board.page(request, "runs.html.j2")

    def events(request: Request) -> Response:
        return stream(board, News(board).look, EVERY_S)

    def rename(told: dict[str, Any]) -> None:
        board.shelf.label(board.run(_text(told, "run")), title=_text(told, "title"))

    def tag(told: dict[str, Any]) -> None:
        board.shelf.label(board.run(_text(told, "run")), tags=told.get("tags") or [])

    def delete(told: dict[str, Any]) -> None:
        board.shelf.delete(board.run(_text(told, "run")), board.summaries.all())

    def restore(told: dict[str, Any]) -> None:
        board.shelf.restore(_text(told, "run"))

    def purge(told: dict[str, Any]) -> dict[str, Any]:
        return {"freed": board.shelf.purge()}

    def stop(told: dict[str, Any]) -> None:
        board.workers.stop(board.run(_text(told, "run")))

    def resume(told: dict[str, Any]) -> None:
        board.workers.start(board.run(_text(told, "run")))

    changes = (rename, tag, delete, restore, purge, stop, resume)
    return [
        Route("/", page),
        Route("/events/runs", events),
        *(post(f"/do/{do.__name__}", do) for do in changes),
    ]


def _text(told: dict[str, Any], name: str) -> str:
    if not isinstance(text := told.get(name), str):
        raise UserError(f"expected a text {name!r}")
    return text


class News:
    """What has changed in the list since the last look of one open page."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.rows: dict[str, Summary] = {}
        self.rest: dict[str, Any] = {}
        self.first = True

    def look(self) -> Event | None:
        board = self.board
        if not self.first:
            board.summaries.measure()
        rows = {each.id: seen(board, each) for each in board.summaries.all()}
        changed = [row_of(row) for id, row in rows.items() if self.rows.get(id) != row]
        gone = list(self.rows.keys() - rows.keys())
        rest = {
            "trash": board.shelf.names(),
            "experiments": [asdict(told) for told in board.experiments.all()],
        }
        told: dict[str, Any] = {n: value for n, value in rest.items() if self.rest.get(n) != value}
        told |= {"runs": changed} if changed or self.first else {}
        told |= {"gone": gone} if gone else {}
        self.rows, self.rest, self.first = rows, rest, False
        return Event(told) if told else None
