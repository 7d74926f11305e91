"""The board's own files, and the colours of figures as a style sheet."""

from __future__ import annotations

from pathlib import Path

from bascule.reports.figures import THEME

STATIC = Path(__file__).with_name("static")


def theme_css() -> str:
    """The colours of figures as CSS properties, for light and for dark pages."""
    light, dark = ("".join(f"--{name}:{pair[k]};" for name, pair in THEME.items()) for k in (0, 1))
    return f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
