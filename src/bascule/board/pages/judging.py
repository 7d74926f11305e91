"""Blind judging of two runs, or of fakes among reals: pictures, answers, undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board, post
from bascule.board.judging import Pictures, pair_of, shown, so_far
from bascule.core.errors import UserError

if TYPE_CHECKING:
    from bascule.experiments.judgments import Sheet
    from bascule.runs.store import Run

TAB = None  # it is reached from games


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""
    pictures, writing = Pictures(), Lock()

    def page(request: Request) -> Response:
        _, runs = pair_of([board.run(name) for name in request.query_params.getlist("run")])
        rows = [board.summaries.one(run.id) for run in runs]
        told = [
            {"id": run.id, "title": row.title} for run, row in zip(runs, rows, strict=True) if row
        ]
        return board.page(request, "judging.html.j2", runs=told, told=json.dumps(told))

    def asked(names: Any, judge: Any) -> tuple[Sheet, list[Run]]:
        from bascule.experiments.judgments import sheet_of

        if not isinstance(names, list) or not all(isinstance(t, str) for t in (judge, *names)):
            raise UserError("expected texts: runs, and the name of the judge")
        pair, runs = pair_of([board.run(name) for name in names])
        return sheet_of(board.root, pair, judge), runs

    def following(request: Request) -> Response:
        query = request.query_params
        return JSONResponse(shown(pictures, *asked(query.getlist("run"), query.get("judge", ""))))

    def result(request: Request) -> Response:
        pair, _ = pair_of([board.run(name) for name in request.query_params.getlist("run")])
        return JSONResponse(so_far(board.root, pair))

    def change(
        made: Callable[[Sheet, dict[str, Any]], Sheet],
    ) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """What keeps a changed sheet and answers with the next pictures."""

        def do(told: dict[str, Any]) -> dict[str, Any]:
            from bascule.experiments.judgments import keep

            with writing:
                sheet, runs = asked(told.get("runs"), told.get("judge"))
                if told.get("count") != len(sheet.judgments):
                    raise UserError(
                        f"{sheet.judge} has given {len(sheet.judgments)} answers meanwhile, maybe "
                        "in another window: reload this page"
                    )
                sheet = made(sheet, told)
                keep(board.root, sheet)
            return shown(pictures, sheet, runs)

        return do

    return [
        Route("/judging", page),
        Route("/judging/next", following),
        Route("/judging/result", result),
        post("/do/judge", change(_answered)),
        post("/do/unjudge", change(_undone)),
    ]


def _answered(sheet: Sheet, told: dict[str, Any]) -> Sheet:
    from bascule.experiments.judgments import PICTURES

    left, seconds = told.get("left"), told.get("seconds", -1)
    is_time = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not isinstance(left, bool) or not is_time or not 0 <= seconds < 1e6:
        raise UserError("expected left as true or false, and how many seconds it took")
    if len(sheet.judgments) >= PICTURES:
        raise UserError(f"{sheet.judge} has judged all {PICTURES} pictures of this pair")
    return sheet.answered(left, float(seconds))


def _undone(sheet: Sheet, told: dict[str, Any]) -> Sheet:
    from bascule.experiments.judgments import undone

    if not sheet.judgments:
        raise UserError("there is no answer to take back")
    return undone(sheet)
