"""A page's table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bascule.reports.page import Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

WIDE = 220  # columns where standard output is a file: a table is not to be cut there


def console() -> Console:
    """Standard output, for tables."""
    from rich.console import Console

    shown = Console()
    if not shown.is_terminal:
        shown.width = WIDE
    return shown


def rich_table(table: Table) -> RichTable:
    """The same cells, for rich; what people wrote is shown as it is, and long words go on below."""
    from rich.markup import escape
    from rich.table import Column
    from rich.table import Table as RichTable

    columns = [Column(escape(name), overflow="fold") for name in table.columns]
    shown = RichTable(*columns, caption=escape(table.caption) or None)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown
