"""The latents of a G: sliders, walks, and the nearest training pictures.

To draw executes the network, so a run with code of its own needs the user's trust
(:attr:`bascule.runs.store.Run.playable`). Drawing changes nothing in the run, so all of it is asked
by GET.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board
from bascule.board.latents import MOST_STOPS, Gs, Loaded, Place, Reals, attributes, png, sheet
from bascule.core.errors import UserError, unknown

TAB = None  # it is reached from a game
SPACES = {"pixels": "pixels", "features": "efficientnet-lite0"}  # in which distances are taken
FRAMES = 24  # of each leg of a walk
KEPT = {"Cache-Control": "private, max-age=600"}


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""
    gs, reals = Gs(), Reals()

    def page(request: Request) -> Response:
        run = board.run(request.query_params.get("run", ""))
        row = board.summaries.one(run.id)
        title = row.title if row else run.id
        told = {"run": run, "title": title, "most": MOST_STOPS, "frames": FRAMES}
        return board.page(request, "latents.html.j2", **told)

    def asked(request: Request, renew: bool = False) -> Loaded:
        text = request.query_params.get("epoch", "")
        if text and not (text.isascii() and text.isdecimal() and len(text) < 9):
            raise UserError(f"epoch={text[:20]!r}: expected a whole number")
        run = board.run(request.path_params["run"])
        return gs.get(run, int(text) if text else None, renew)

    def place(request: Request) -> Place:
        return Place.parse(request.query_params.get("place", ""))

    def about(request: Request) -> Response:
        G, run = asked(request, renew=True), board.run(request.path_params["run"])
        return JSONResponse({**G.about(), "kept": run.kept_epochs()})

    def picture(request: Request) -> Response:
        return Response(png(asked(request).draw(place(request))[0]), media_type="image/png")

    def walk(request: Request) -> Response:
        places = [Place.parse(text) for text in request.query_params.getlist("place")]
        drawn = asked(request).walk(places, FRAMES)
        return Response(png(sheet(drawn, FRAMES)), media_type="image/png")

    def beside(request: Request) -> Response:
        by = request.query_params.get("by", "")
        if by not in SPACES:
            raise unknown("way to compare pictures", by, SPACES)
        run, drawn = board.run(request.path_params["run"]), asked(request).draw(place(request))
        near = reals.nearest(run, drawn, SPACES[by])
        found = [{"index": index, "distance": distance} for index, distance in near]
        return JSONResponse({"nearest": found, **attributes(reals.images(run), drawn)})

    def real(request: Request) -> Response:
        images = reals.images(board.run(request.path_params["run"]))
        index = request.path_params["index"]
        if index >= len(images):
            raise UserError(f"picture {index}: there are {len(images)}, counted from 0")
        return Response(png(images.pixels[index]), media_type="image/png", headers=KEPT)

    return [
        Route("/latents", page),
        Route("/latents/{run}/about", about),
        Route("/latents/{run}/picture.png", picture),
        Route("/latents/{run}/walk.png", walk),
        Route("/latents/{run}/beside", beside),
        Route("/latents/{run}/real/{index:int}.png", real),
    ]
