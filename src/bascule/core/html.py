"""Small pieces of HTML with which values show themselves in a notebook.

They carry no style of their own, so that they follow the notebook's, light or dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def lines(*texts: str) -> str:
    """Paragraphs, one for each text that is not empty."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts if text)


def heading(text: str) -> str:
    """A line in bold."""
    return f"<p><b>{escape(text)}</b></p>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts. ``columns``: its header."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(image: Image.Image, told: str, enlarge: int = 1) -> str:
    """A picture inside the page. ``told``: what it shows, for readers who do not see it."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    data = base64.b64encode(file.getvalue()).decode()
    style = f"width:{image.width * enlarge}px;max-width:100%;image-rendering:pixelated"
    return f'<img alt="{escape(told)}" style="{style}" src="data:image/png;base64,{data}">'
