"""Write a page to disk: as Markdown, and as one self-contained HTML file.

The HTML file needs no network: style, script, drawings, numbers and images are embedded. The
Markdown file refers to images and numbers in ``figures/`` and ``samples/``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bascule.core import atomic
from bascule.core.reading import needed
from bascule.reports import figures, markdown
from bascule.reports.page import Block, Data, Drawing, Gallery, Page, Samples, anchor
from bascule.reports.samples import data_uri, size_of
from bascule.reports.templating import environment

if TYPE_CHECKING:
    from markupsafe import Markup

CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
SEEN = 526  # pixels: the smallest width of a shown grid, eight images of 64 px


def write_page(page: Page, folder: Path, stem: str) -> Path:
    """Write ``stem.md`` and ``stem.html`` into ``folder``; returns the HTML file."""
    for name in ("figures", "samples"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for block in _blocks(page):
        if isinstance(block, Drawing | Gallery):
            figure = block.wide if isinstance(block, Drawing) else block.drawn
            to = folder / "figures" / f"{stem}-{block.name}"
            atomic.write(to.with_name(f"{to.name}.png"), figures.png(figure))
            if isinstance(block, Drawing) and block.data:
                atomic.write(to.with_name(f"{to.name}.csv"), block.data.csv())
        if isinstance(block, Samples):
            for picture in block.pictures:
                to = folder / "samples" / picture.file
                if to.resolve() != picture.source.resolve():
                    atomic.write(to, needed(picture.source, "the picture", "delete it"))
    atomic.write(folder / f"{stem}.md", markdown.render(page, stem))
    atomic.write(folder / f"{stem}.html", html(page))
    return folder / f"{stem}.html"


def html(page: Page, home: str = "") -> str:
    """The page as one HTML file; all texts are escaped. ``home``: where its first word leads."""
    templates = environment("bascule.reports")
    templates.filters |= {
        "prose": prose,
        "themed": figures.themed,
        "csv_uri": csv_uri,
        "webp": data_uri,
        "shown": shown,
    }
    template = templates.get_template("page.html.j2")
    return template.render(page=page, drawn=_drawn, anchor=anchor, theme=figures.THEME, home=home)


def prose(words: str) -> Markup:
    """Text as HTML: escaped, with text between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(CODE.sub(lambda found: f"<code>{found[2]}</code>", str(escape(words))))


def csv_uri(data: Data) -> str:
    """The numbers as a data URI, for a download link."""
    return f"data:text/csv;charset=utf-8,{quote(data.csv(), safe=',')}"


def shown(uri: str) -> str:
    """CSS for width, height and magnification of an image, a whole number of pixels per pixel."""
    width, height = size_of(uri)
    return f"--w: {width}; --h: {height}; --by: {max(1, round(SEEN / width))}"


def _drawn(drawing: Drawing) -> list[tuple[str, Markup, str]]:
    """Format, SVG and the positions of its panels (JSON), for wide and for narrow screens."""
    from markupsafe import Markup

    found = []
    for form, figure in (("wide", drawing.wide), ("narrow", drawing.narrow)):
        svg = figures.svg(figure, f"{drawing.name}-{form}", legend=not drawing.keys)
        panels = json.dumps(figures.panels(figure)) if drawing.keys else ""
        found.append((form, Markup(svg), panels))
    return found


def _blocks(page: Page) -> list[Block]:
    inside = [block for section in page.sections for block in section.blocks]
    return [page.hero, *inside] if page.hero else inside
