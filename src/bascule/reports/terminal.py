"""Tables of a page on a terminal."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bascule.reports.page import Table

SCALED = re.compile(r"(.+?)\[(.+)\]")
SHORTEST = 16  # the shortest length of a cut cell
WIDE = 1000  # columns if standard output is a file, so that no table is cut there


def console() -> Console:
    """A console on standard output, for tables."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:  # rich would exit without a message
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    shown = Output()
    if not shown.is_terminal:
        shown.width = WIDE
    return shown


def fitted(
    rows: Sequence[Mapping[str, str]],
    width: int,
    later: Sequence[str] = (),
    cut: str = "",
    title: str = "",
) -> RichTable:
    """Rows of one kind as a table of at most ``width`` columns, if possible.

    Empty columns are left out, and then those in ``later``, in this order, until the rest fits. If
    it still does not fit, cells of the column ``cut`` are cut, but not below ``SHORTEST``.
    """
    from rich.markup import escape
    from rich.table import Table as RichTable

    wide = _widths(rows)
    columns = list(wide)

    def over() -> int:
        return sum(wide[name] + 3 for name in columns) + 1 - width

    if cut in columns:
        whole, wide[cut] = wide[cut], min(wide[cut], SHORTEST)
    for name in later:
        if over() > 0 and name in columns:
            columns.remove(name)
    if cut in columns:
        wide[cut] = min(whole, max(SHORTEST, wide[cut] - over()))
    shown = RichTable(title=escape(title) or None, title_justify="left")
    for name in columns:
        numbers = all(row[name][:1] in "0123456789−–-" for row in rows)
        shown.add_column(escape(name), no_wrap=numbers or name == cut, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(shortened(row[name], wide[name])) for name in columns))
    return shown


def width_of(rows: Sequence[Mapping[str, str]]) -> int:
    """The width of a table of all rows, in columns."""
    return sum(wide + 3 for wide in _widths(rows).values()) + 1


def _widths(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """The width of each column that is not empty."""
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    return {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters: its beginning and its end."""
    before = (width - 1) // 2
    return text if len(text) <= width else f"{text[:before]}…{text[before + 1 - width :]}"


def on_terminal(table: Table, width: int) -> list[RichTable]:
    """A table of labels like "KID[efficientnet-lite0,128px]" for a terminal of ``width`` columns.

    The feature space of several rows and their common n are shown once, in a title.
    """
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    first = table.columns[0]
    parts = [SCALED.fullmatch(row[first]) for row in rows]
    often = Counter(found.group(2) for found in parts if found)
    groups: dict[str, list[dict[str, str]]] = {}
    for row, found in zip(rows, parts, strict=True):
        if found and often[found.group(2)] > 1:
            groups.setdefault(found.group(2), []).append({**row, first: found.group(1)})
        else:
            groups.setdefault("", []).append(row)
    shown = []
    for scale, of_scale in groups.items():
        n = {row.get("n") for row in of_scale}
        told = [f"measured with {scale}"] if scale else []
        if scale and len(n) == 1 and (one := n.pop()):
            told.append(f"n {one}")
            of_scale = [{name: row[name] for name in row if name != "n"} for row in of_scale]
        shown.append(fitted(of_scale, width, ("n", "better"), title=", ".join(told)))
    if shown and table.caption:
        from rich.markup import escape

        shown[-1].caption, shown[-1].caption_justify = escape(table.caption), "left"
    return shown


def rich_table(table: Table) -> RichTable:
    """The same cells as a rich table; text is shown verbatim, and long words are wrapped."""
    from rich.markup import escape
    from rich.table import Column
    from rich.table import Table as RichTable

    columns = [Column(escape(name), overflow="fold") for name in table.columns]
    shown = RichTable(*columns, caption=escape(table.caption) or None)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown
