"""The board as one application: the routes of all pages, static files, errors as one line."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bascule.board.assets import STATIC, theme_css
from bascule.board.board import Board
from bascule.board.guard import Guard
from bascule.board.pages import PAGES
from bascule.core.errors import UserError, of_system


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def application(board: Board, token: str, host: str = "127.0.0.1", port: int = 0) -> Starlette:
    """The ASGI application of a board. ``host``, ``port``: where it listens."""
    board.tabs = tuple(page.TAB for page in PAGES if page.TAB)

    async def refused(request: Request, error: Exception) -> Response:
        told = of_system(error) if isinstance(error, OSError) else error
        return _told(board, request, str(told), 400)

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        told = "there is no such page: look at the list of runs" if status == 404 else str(error)
        return _told(board, request, told, status)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        board.closing = True

    routes = [route for page in PAGES for route in page.routes(board)]
    return Starlette(
        routes=[
            *routes,
            Route("/theme.css", _theme),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, token=token, host=host, port=port)],
        exception_handlers={UserError: refused, OSError: refused, HTTPException: missing},
        lifespan=life,
    )


def _told(board: Board, request: Request, message: str, status: int) -> Response:
    """A message as JSON for scripts, as a page for people."""
    message = " ".join(message.split())
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return board.page(request, "message.html.j2", message=message, status_code=status)
    return JSONResponse({"error": message}, status)


def _theme(request: Request) -> Response:
    return Response(theme_css(), media_type="text/css")
