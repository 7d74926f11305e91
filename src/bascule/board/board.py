"""What all pages of the board share: the runs folder, safe paths in it, templates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bascule.board.experiments import Experiments
from bascule.board.shelf import Shelf
from bascule.board.summary import Summaries
from bascule.board.workers import Workers
from bascule.core.errors import UserError
from bascule.reports.templating import environment
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BODY_BYTES = 2**20
WARM_UP_AFTER_S = 2.0  # after the first page was told what there is


class Tab(NamedTuple):
    """An entry of the navigation."""

    path: str
    label: str


@dataclass
class Board:
    """One board over one runs folder. ``tabs``: the navigation; set by the application."""

    store: Store
    tabs: tuple[Tab, ...] = ()
    closing: bool = False  # streams end, so that the server can
    can_judge: bool = False  # whether what diagnoses is loaded, see :meth:`warm_up`
    _warming: Timer | None = None
    shelf: Shelf = field(init=False)
    summaries: Summaries = field(init=False)
    experiments: Experiments = field(init=False)
    workers: Workers = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.store)
        self.summaries = Summaries(self.store.root)
        self.experiments = Experiments(self.store.root)
        self.workers = Workers(self.store)

    def warm_up_soon(self) -> None:
        """Warm up in a while, after the first page; called again, it does nothing."""
        if self._warming is None and not self.can_judge:
            self._warming = Timer(WARM_UP_AFTER_S, self.warm_up)
            self._warming.start()

    def close(self) -> list[str]:
        """Stop the board's own trainings, and destroy what it deleted; ids of stopped runs."""
        self.closing = True
        if self._warming and self._warming.is_alive():
            self._warming.cancel()
            self._warming.join()  # Python cannot end in the middle of an import
        stopped = self.workers.close()
        self.shelf.purge(only_mine=True)
        return stopped

    def warm_up(self) -> None:
        """Load PyTorch, which takes seconds and would hold up a stream that needs a diagnosis."""
        import bascule.diagnostics.rules  # noqa: F401

        self.can_judge = True

    @property
    def root(self) -> Path:
        return self.store.root

    def run(self, name: str) -> Run:
        """The run whose folder in the runs folder is ``name``; it may be damaged.

        Raises :class:`UserError` if there is none, for a link, and for anything but a plain name.
        """
        folder = self.root / name
        plain = re.fullmatch(r"[^/\\\0]+", name) and not name.startswith(".")
        if not plain or folder.is_symlink() or not (folder / "recipe.json").exists():
            raise UserError(
                f"there is no run {name!r} in this runs folder: look at the list of runs"
            )
        return Run(folder)

    def file(self, run: Run, *parts: str) -> Path:
        """The file of a run at ``parts``; links out of the run's folder are refused."""
        path = run.folder.joinpath(*parts)
        if not path.resolve().is_relative_to(run.folder.resolve()) or not path.is_file():
            raise UserError(f"{run.id} has no file {'/'.join(parts)}")
        return path

    def page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        """A page from a template, with the navigation around it."""
        status = int(values.pop("status_code", 200))
        told = {"tabs": self.tabs, "path": request.url.path, "root": str(self.root), **values}
        return HTMLResponse(self._templates.get_template(template).render(told), status)

    @cached_property
    def _templates(self) -> Environment:
        from bascule.reports.figures import THEME

        made = environment("bascule.board")
        made.globals["theme"] = THEME
        return made


def post(path: str, do: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Route:
    """A POST to ``path``: ``do`` is called in a thread with its JSON, and answers with JSON."""

    async def endpoint(request: Request) -> Response:
        told = await body(request)
        return JSONResponse(await run_in_threadpool(do, told) or {})

    return Route(path, endpoint, methods=["POST"])


async def body(request: Request) -> dict[str, Any]:
    """The JSON object that a POST carries. Raises :class:`UserError` for anything else."""
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > MOST_BODY_BYTES:
            raise UserError(f"more than {MOST_BODY_BYTES:,} bytes were sent: expected less")
    return json_object(text)


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object that a text is. Raises :class:`UserError` for anything else."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise UserError("expected a JSON object")
    return told
