"""A page's table on a terminal."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bascule.reports.page import Table

WIDE = 220  # columns where standard output is a file: a table is not to be cut there


def console() -> Console:
    """Standard output, for tables."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:  # rich would end the program in silence
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    shown = Output()
    if not shown.is_terminal:
        shown.width = WIDE
    return shown


def rich_table(table: Table) -> RichTable:
    """The same cells, for rich; what people wrote is shown as it is."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(*map(escape, table.columns), caption=escape(table.caption) or None)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown
