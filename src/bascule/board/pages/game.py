"""One game or several beside each other: curves, diagnosis and pictures, live and back in time."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board
from bascule.board.stream import stream
from bascule.board.summary import Summary
from bascule.board.watch import Watch
from bascule.core.errors import UserError

TAB = None  # it is reached from the list of runs
MOST_RUNS = 12  # at once on a page
MOST_SEEDS = 10  # of an arm, for its spread


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""

    def page(request: Request) -> Response:
        runs = _chosen(board, request, "run")
        every = board.summaries.all()
        told = {
            "runs": [run.id for run in runs],
            "seeds": [each.id for each in seeds_of(runs, every)],
            "relatives": [_named(each) for each in relatives_of(runs, every)],
        }
        title = runs[0].title if len(runs) == 1 else f"{len(runs)} games"
        return board.page(request, "game.html.j2", title=title, told=json.dumps(told))

    def events(request: Request) -> Response:
        runs, seeds = (_chosen(board, request, name) for name in ("run", "seed"))
        cursor = request.headers.get("last-event-id") or request.query_params.get("cursor", "")
        watch = Watch(board, [run.id for run in runs], [seed.id for seed in seeds], cursor)
        return stream(board, watch.look)

    def picture(request: Request) -> Response:
        kind, epoch = request.path_params["kind"], request.path_params["epoch"]
        if kind not in ("epoch", "shown"):
            raise UserError(f"unknown pictures {kind!r}: expected epoch or shown")
        run = board.run(request.path_params["run"])
        path = board.file(run, "samples", f"{kind}-{epoch:04d}.png")
        kept = {"Cache-Control": "private, max-age=600"}  # a film asks often
        return FileResponse(path, media_type="image/png", headers=kept)

    return [
        Route("/game", page),
        Route("/events/game", events),
        Route("/run/{run}/{kind}/{epoch:int}.png", picture),
    ]


def _chosen(board: Board, request: Request, name: str) -> list[Summary]:
    """The runs that a URL names, in their order."""
    ids = list(dict.fromkeys(request.query_params.getlist(name)))
    if not ids and name == "run":
        raise UserError("no run is chosen: choose some in the list of runs")
    if len(ids) > max(MOST_RUNS, MOST_SEEDS * MOST_RUNS * (name == "seed")):
        raise UserError(f"{len(ids)} runs are chosen: expected at most {MOST_RUNS}")
    found = [board.summaries.one(board.run(id).id) for id in ids]
    return [each for each in found if each]


def seeds_of(runs: list[Summary], every: list[Summary]) -> list[Summary]:
    """The other seeds of the arms of ``runs``."""
    chosen = {run.id for run in runs}
    found: list[Summary] = []
    for arm in dict.fromkeys(run.arm for run in runs if run.arm):
        others = [each for each in every if each.arm == arm and each.id not in chosen]
        found += others[:MOST_SEEDS]
    return found


def relatives_of(runs: list[Summary], every: list[Summary]) -> list[Summary]:
    """Parents and forks of ``runs``, and their other seeds, which are not among them."""
    chosen = {run.id for run in runs}
    parents = {run.parent for run in runs if run.parent}
    arms = {run.arm for run in runs if run.arm}
    return [
        each
        for each in every
        if each.id not in chosen
        and (each.id in parents or each.parent in chosen | parents - {""} or each.arm in arms)
    ]


def _named(each: Summary) -> dict[str, Any]:
    return {"id": each.id, "title": each.title, "parent": each.parent, "branch": each.branch}
