"""Experiments with runs here, and each as it stands now: answer, forest plot, curves, tables."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board, Tab
from bascule.board.guard import POLICY

TAB = Tab("/experiments", "Experiments")


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""

    @cache
    def views():  # type: ignore[no-untyped-def]
        from bascule.board.experiment_view import Views  # loads PyTorch

        return Views(board.store)

    def page(request: Request) -> Response:
        from bascule.board.experiment_view import begun

        words = {told.name: told for told in board.experiments.all()}
        found = begun(board.summaries.all())
        return board.page(request, "experiments.html.j2", experiments=found, told=words)

    def view(request: Request) -> Response:
        html = views().html(request.path_params["name"], home=TAB.path)
        return HTMLResponse(html, headers={"Content-Security-Policy": policy_for(html)})

    return [Route(TAB.path, page), Route("/experiments/{name:path}", view)]


def policy_for(html: str) -> str:
    """The Content-Security-Policy of a page that is one file, as notes are.

    The package's own script in it is named by its hash, so no other one runs. Its drawings have
    styles in them, which the policy of other pages forbids.
    """
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    own = files("bascule.reports").joinpath("templates", "page.js").read_text("utf-8").strip()
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in scripts
        if script.strip() == own
    )
    named = " ".join(f"'sha256-{each}'" for each in hashes)
    policy = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    return policy.replace("script-src 'self'", f"script-src 'self' {named}")
