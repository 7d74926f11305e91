"""An HTML page with a user's images and their translations."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from bascule.core import atomic
from bascule.reports.page import Page, Pictures, Section, Text
from bascule.reports.publish import html
from bascule.runs.store import Run
from bascule.translation.translate import Done

AT_MOST = 400  # images in one page


def write_translated(folder: Path, done: Sequence[Done], run: Run, epoch: int, back: bool) -> Path:
    """Write ``index.html``, a self-contained file, into ``folder``; returns its path."""
    way = "from the second kind to the first" if back else "from the first kind to the second"
    lead = [("Translator", Text(f"{run.id}, {way}, after {epoch} epochs of training"))]
    columns = ("input", "translation", "and back") if done[0].again else ("input", "translation")
    rows = [
        (one.name, [_uri(path) for path in (one.given, one.made, one.again) if path])
        for one in done[:AT_MOST]
    ]
    told = f"{len(done)} pictures. In each row: {', '.join(columns)}."
    if len(done) > AT_MOST:
        told += f" Shown are the first {AT_MOST}; all are in the folder."
    sections = [Section("Pictures", [Text(told), Pictures(columns, rows)])]
    path = folder / "index.html"
    atomic.write(path, html(Page("translations", f"What {run.name} makes of it", lead, sections)))
    return path


def _uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
