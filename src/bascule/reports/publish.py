"""A page on disk: Markdown, and one HTML file that stands alone.

The HTML file asks nothing of any network: style, script, drawings and pictures lie inside it.
Markdown stands beside ``figures/`` and ``samples/``, which hold its pictures.
"""

from __future__ import annotations

from pathlib import Path

from bascule import atomic
from bascule.reports import markdown
from bascule.reports.figures import png, svg
from bascule.reports.page import Drawing, Page, Samples, anchor


def write_page(page: Page, folder: Path, stem: str) -> Path:
    """Write ``stem.md`` and ``stem.html`` into ``folder``; returns the HTML file."""
    blocks = [block for section in page.sections for block in section.blocks]
    for name in ("figures", "samples"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for block in blocks:
        if isinstance(block, Drawing):
            atomic.write(folder / "figures" / f"{stem}-{block.name}.png", png(block.wide))
        if isinstance(block, Samples):
            for picture in block.pictures:
                to = folder / "samples" / picture.file
                if to.resolve() != picture.source.resolve():
                    atomic.write(to, picture.source.read_bytes())
    atomic.write(folder / f"{stem}.md", markdown.render(page, stem))
    atomic.write(folder / f"{stem}.html", html(page))
    return folder / f"{stem}.html"


def html(page: Page) -> str:
    """The page as one HTML file; everything that people wrote is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("bascule.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def inline(drawing: Drawing) -> list[tuple[str, Markup]]:
        forms = (("wide", drawing.wide), ("narrow", drawing.narrow))
        return [(form, Markup(svg(f, f"{drawing.name}-{form}"))) for form, f in forms]

    return environment.get_template("page.html.j2").render(page=page, inline=inline, anchor=anchor)
