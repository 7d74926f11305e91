"""A page: the content of a report in order, independent of the file format.

It is written as Markdown and as HTML (:mod:`bascule.reports.publish`).
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
    """Paragraphs, separated by empty lines."""

    kind: ClassVar[str] = "text"
    body: str

    @property
    def paragraphs(self) -> list[str]:
        blocks = textwrap.dedent(self.body).strip().split("\n\n")
        return [" ".join(block.split()) for block in blocks if block.strip()]


@dataclass(frozen=True)
class Lines:
    """Preformatted lines, such as a credit or a command."""

    kind: ClassVar[str] = "lines"
    body: str
    code: bool = False


@dataclass(frozen=True)
class Table:
    """A table of plain text; the first column names the row. ``plain``: show no header."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Data:
    """The numbers of a drawing as a table, at full precision."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def csv(self) -> str:
        """Comma-separated values with a header; missing numbers are empty."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow("" if isinstance(cell, float) and isnan(cell) else cell for cell in row)
        return buffer.getvalue()


@dataclass(frozen=True)
class Key:
    """An entry of a drawing's legend: the name of an arm, and its line style.

    ``dashes``: lengths of dashes and gaps in pixels, as in SVG; "" for a solid line. ``first``: the
    first epoch that is drawn; earlier epochs are drawn for the arm's parent.
    """

    name: str
    colour: str
    dashes: str = ""
    first: int = 0


@dataclass(frozen=True)
class Drawing:
    """A figure for wide screens and for narrow ones. ``alt``: its alternative text.

    ``data``: its numbers. A drawing with ``keys`` is one of :mod:`bascule.reports.curves`; on an
    HTML page its arms can be hidden and its values read.
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
    """Rows of images at their own size, each with a name; ``drawn``: the same rows as one figure.

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
    """Grids of every arm with one slider (HTML), and a few of them as images (Markdown)."""

    kind: ClassVar[str] = "samples"
    places: Sequence[int]
    strips: Sequence[Strip]
    pictures: Sequence[Picture]
    credit: str


@dataclass(frozen=True)
class Pictures:
    """Rows of images side by side: each has a name, and a data URI for each of ``columns``."""

    kind: ClassVar[str] = "pictures"
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def anchor(title: str, row: int | None = None) -> str:
    """The id of a section of a page, or of a table row in it. Links to it stay valid.

    ``title``: the section's. ``row``: counted from 1, through all tables of the section.
    """
    words = re.findall(r"\w+", title.lower())
    return "-".join([*words, *([] if row is None else [str(row)])]) or "section"


Block = Text | Lines | Table | Drawing | Gallery | Samples | Pictures


@dataclass(frozen=True)
class Section:
    """A title and the blocks under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Chip:
    """One prediction at a glance.

    ``text``: a short text, such as "D_Gz higher: +0.33 [0.29, 0.38]". ``word``: supported, refuted,
    inconclusive or not measured. ``target``: the :func:`anchor` with more details; "" for none.
    """

    text: str
    word: str
    target: str = ""


@dataclass(frozen=True)
class Answer:
    """The verdict at the top of a page.

    ``finding``: the result in one or two sentences, shown first and largest. ``chips``: in ranked
    order.
    """

    word: Word
    why: str
    meaning: str
    finding: str = ""
    chips: Sequence[Chip] = ()


@dataclass(frozen=True)
class Page:
    """One report. ``lead``: (label, text) pairs at the top.

    ``hero``: the block right below the answer, visible without scrolling.
    """

    kind: str
    title: str
    lead: Sequence[tuple[str, Text]]
    sections: Sequence[Section]
    answer: Answer | None = None
    hero: Block | None = None
