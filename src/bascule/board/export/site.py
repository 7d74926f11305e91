"""The pages and files of a static site of runs: curves, pictures over time, latents, stories.

A site has no server. The news that a board would send is in a script beside each page, so a page
also opens as a file. Nothing of the runs folder's path or of other runs is in it. What D judged
shows training images, so it is left out for imported image sets; what G drew may resemble them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bascule.board.assets import STATIC, theme_css
from bascule.board.board import Board
from bascule.board.export.bundle import bundle
from bascule.board.export.latents import draw_latents
from bascule.board.export.stories import STORIES, Story, Told
from bascule.board.watch import Watch
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.imported import Imported
from bascule.reports.templating import environment
from bascule.runs.store import Run, Store

MARK = "bascule-site.json"  # only a folder with this file is replaced
MOST_MOMENTS = 60  # with pictures, of one run
MOST_RUNS = 60  # of a site
BESIDE = 12  # runs that fit on one page
PARTS = ("board.css", "latents.css", "icon.svg", "vendor/uPlot.min.css")
SCRIPTS = {"game.js": ("game.js", "story.js"), "latents.js": ("drawn.js",)}


@dataclass
class Site:
    """A site that is being written to ``folder``; ``say`` hears what it does and leaves out."""

    store: Store
    folder: Path
    say: Callable[[str], None]
    board: Board = field(init=False)
    news: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)  # by run
    latents: dict[str, str] = field(default_factory=dict, init=False)  # run -> its page

    def __post_init__(self) -> None:
        self.board = Board(self.store)
        self.templates = environment("bascule.board")

    def write(self, runs: Sequence[Run], stories: Mapping[str, Run]) -> None:
        """All pages. ``stories``: the runs of the stories by arm; empty without stories."""
        self.board.warm_up()
        self._assets()
        every = {run.id: run for run in (*runs, *stories.values())}
        titles = {run.id: arm for arm, run in stories.items()}
        for place, run in enumerate(every.values()):
            self.say(f"{place + 1} of {len(every)}: {run.name}")
            self._run(run, f"runs/{place}", titles.get(run.id, ""))
        told = {arm: Told(self.news[run.id]) for arm, run in stories.items()}
        credits = dict.fromkeys(filter(None, map(credit_of, every.values())))
        chosen = [run.id for run in runs]
        pages = [self._story(story, stories, told) for story in STORIES if stories]
        pages += [self._game(f"game-{k}.html", [id]) for k, id in enumerate(chosen)]
        if 1 < len(chosen) <= BESIDE:
            pages.append(self._game("together.html", chosen))
        self._page("index.html", "site_index.html.j2", pages=pages, credits=credits)

    def _assets(self) -> None:
        for part in PARTS:
            atomic.write(_made(self.folder / "static" / part), (STATIC / part).read_bytes())
        atomic.write(self.folder / "static" / "theme.css", theme_css())
        for name, entries in SCRIPTS.items():
            atomic.write(self.folder / "static" / name, bundle(STATIC, *entries))

    def _run(self, run: Run, place: str, title: str = "") -> None:
        """The news, the pictures and the latents of one run, in the folder ``place``."""
        news = self.news[run.id] = news_of(self.board, run.id)
        if "problem" in news:
            raise UserError(f"{run.id}: {news['problem']}")
        news["row"]["title"] = title or news["row"]["title"]
        if isinstance(run.recipe.data, Imported):
            news.pop("shown", None)
        for word, kind in (("samples", "epoch"), ("shown", "shown")):
            news[word] = moments(news.get(word, []))
            for epoch in news[word]:
                copy = _made(self.folder / place / kind / f"{epoch}.png")
                shutil.copyfile(self.board.file(run, "samples", f"{kind}-{epoch:04d}.png"), copy)
        news["pictures"] = place
        try:
            about = draw_latents(run, self.folder / place / "latents")
        except UserError as refusal:
            self.say(f"{run.name} has no latents page: {refusal}")
            return
        self.latents[run.id] = f"latents-{place.rpartition('/')[2]}.html"
        told = json.dumps({**about, "folder": f"{place}/latents"})
        title = news["row"]["title"]
        self._page(self.latents[run.id], "site_latents.html.j2", title=title, told=told)

    def _game(self, name: str, ids: list[str], **more: Any) -> dict[str, Any]:
        """A page of one game or of several beside each other; what the index needs of it."""
        rows = [self.news[id]["row"] for id in ids]
        title = more.pop("title", rows[0]["title"] if len(ids) == 1 else "All games together")
        site = {
            "runs": {id: self.news[id] for id in ids},
            "pictures": {id: self.news[id]["pictures"] for id in ids},
            "latents": {id: self.latents[id] for id in ids if id in self.latents},
        }
        data = f"data/{name.removesuffix('.html')}.js"
        text = json.dumps(site, separators=(",", ":"), allow_nan=False)
        atomic.write(_made(self.folder / data), f"globalThis.bascule = {text};\n")
        told = json.dumps({"runs": ids, "seeds": [], "relatives": []})
        about = {"story": None, "steps": [], **more}
        self._page(name, "site_game.html.j2", title=title, told=told, data=data, **about)
        return {"href": name, "title": title, "rows": rows, "image": self._newest(ids), **about}

    def _story(
        self, story: Story, runs: Mapping[str, Run], told: Mapping[str, Told]
    ) -> dict[str, Any]:
        ids = [runs[arm].id for arm in story.arms]
        steps = story.steps(*(told[arm] for arm in story.arms))
        return self._game(
            f"story-{story.name}.html", ids, title=story.title, story=story, steps=steps
        )

    def _newest(self, ids: Sequence[str]) -> str:
        """The newest picture of the last of some games; "" without one."""
        news = self.news[ids[-1]]
        return f"{news['pictures']}/epoch/{news['samples'][-1]}.png" if news["samples"] else ""

    def _page(self, name: str, template: str, **values: Any) -> None:
        atomic.write(self.folder / name, self.templates.get_template(template).render(values))


def news_of(board: Board, id: str) -> dict[str, Any]:
    """All that a page is told of one run, as one piece of news."""
    watch, told = Watch(board, [id]), dict[str, Any]()
    while event := watch.look():  # the first look leaves diagnoses out; then nothing is new
        told |= event.data["runs"].get(id, {})
        if "problem" in told:
            break
    return told


def credit_of(run: Run) -> str:
    """Whom to name where pictures of a run are shown; "" for images of the user's own."""
    data = run.recipe.data
    return "" if isinstance(data, Imported) else data.load().credit


def moments(epochs: Sequence[int]) -> list[int]:
    """At most ``MOST_MOMENTS`` of the epochs with pictures, evenly; the last one among them."""
    step = -(-len(epochs) // MOST_MOMENTS)
    return [e for k, e in enumerate(epochs) if (k + 1) % step == 0 or k == len(epochs) - 1]


def export(
    store: Store,
    folder: Path,
    runs: Sequence[Run],
    stories: Mapping[str, Run],
    say: Callable[[str], None],
) -> Path:
    """Write a site to ``folder``; the path of its first page.

    A site that is there already is replaced as soon as the new one is complete. Raises
    :class:`UserError` for any other folder with something in it, and for more runs than a site has.
    """
    check_folder(folder)
    if len(runs) > MOST_RUNS:
        raise UserError(f"{len(runs)} runs: expected at most {MOST_RUNS} in a site")
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir()
        Site(store, building, say).write(runs, stories)
        atomic.write(building / MARK, json.dumps({"runs": [run.id for run in runs]}))
        if folder.exists():
            old = folder.with_name(f"{building.name}.old")
            folder.rename(old)
            building.rename(folder)
            shutil.rmtree(old)
        else:
            building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return folder / "index.html"


def check_folder(folder: Path) -> None:
    """Raise :class:`UserError` if a site may not be written to ``folder``."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is no folder: give another name for the site")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UserError(f"{folder} holds other files: give a new or empty folder for the site")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
