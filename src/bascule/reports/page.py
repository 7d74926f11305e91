"""A page: what a report says, in the order in which it says it, free of any form.

Its two forms are Markdown and HTML (:mod:`bascule.reports.publish`).
"""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, ClassVar

from bascule.experiments.verdict import Word
from bascule.reports.samples import Picture, Strip

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Text:
    """Paragraphs, apart by an empty line."""

    kind: ClassVar[str] = "text"
    body: str

    @property
    def paragraphs(self) -> list[str]:
        blocks = textwrap.dedent(self.body).strip().split("\n\n")
        return [" ".join(block.split()) for block in blocks if block.strip()]


@dataclass(frozen=True)
class Lines:
    """Lines that stay as they are: a credit, a command."""

    kind: ClassVar[str] = "lines"
    body: str
    code: bool = False


@dataclass(frozen=True)
class Table:
    """Cells are plain text; the first column names the row. ``plain``: no header is shown."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Data:
    """The numbers of a drawing, a row each, at full precision."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def csv(self) -> str:
        """Comma-separated values with a header; what was not measured is empty."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow("" if isinstance(cell, float) and isnan(cell) else cell for cell in row)
        return buffer.getvalue()


@dataclass(frozen=True)
class Key:
    """An entry of a drawing's legend: the name of an arm, and its stroke.

    ``dashes``: lengths of strokes and gaps in pixels, as SVG has them; "" for a solid line.
    ``first``: the first epoch that is drawn; an arm's past before it is its parent's.
    """

    name: str
    colour: str
    dashes: str = ""
    first: int = 0


@dataclass(frozen=True)
class Drawing:
    """A figure for a desk and the same for a phone. ``alt`` says what one sees.

    ``data``: its numbers. With ``keys`` it is one of :mod:`bascule.reports.curves`, whose arms
    may be hidden, and whose values may be read, on a page.
    """

    kind: ClassVar[str] = "drawing"
    name: str
    wide: Figure
    narrow: Figure
    alt: str
    caption: str
    data: Data | None = None
    keys: Sequence[Key] = ()


@dataclass(frozen=True)
class Gallery:
    """Rows of pictures at their own size, each with a name; ``drawn``: the same as one figure.

    ``rows``: (name, uint8 (H, W, 3)).
    """

    kind: ClassVar[str] = "gallery"
    name: str
    rows: Sequence[tuple[str, np.ndarray]]
    drawn: Figure
    alt: str
    caption: str


@dataclass(frozen=True)
class Samples:
    """Grids of every arm under one slider (HTML), and a few of them as pictures (Markdown)."""

    kind: ClassVar[str] = "samples"
    places: Sequence[int]
    strips: Sequence[Strip]
    pictures: Sequence[Picture]
    credit: str


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, a row each: its name, and a data URI for each of ``columns``."""

    kind: ClassVar[str] = "pictures"
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def anchor(title: str, row: int | None = None) -> str:
    """The id of a section of a page, or of a table's row in it; a link to it stays valid.

    ``title``: the section's. ``row``: counted from 1, through all tables of the section.
    """
    words = re.findall(r"\w+", title.lower())
    return "-".join([*words, *([] if row is None else [str(row)])]) or "section"


Block = Text | Lines | Table | Drawing | Gallery | Samples | Pictures


@dataclass(frozen=True)
class Section:
    """A title and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Chip:
    """One prediction at a glance.

    ``text``: short words, such as "D_Gz higher: +0.33 [0.29, 0.38]". ``word``: supported, refuted,
    inconclusive or not measured. ``target``: the :func:`anchor` of what tells more; "" for none.
    """

    text: str
    word: str
    target: str = ""


@dataclass(frozen=True)
class Answer:
    """The verdict as the page's first view shows it.

    ``finding``: one sentence, what was found; shown first and largest. ``chips``: ranked.
    """

    word: Word
    why: str
    meaning: str
    finding: str = ""
    chips: Sequence[Chip] = ()


@dataclass(frozen=True)
class Page:
    """One report. ``lead``: (label, text) pairs of the first view.

    ``hero``: what is seen right below the answer, without scrolling.
    """

    kind: str
    title: str
    lead: Sequence[tuple[str, Text]]
    sections: Sequence[Section]
    answer: Answer | None = None
    hero: Block | None = None
