"""Colours, style and file formats of all figures in reports.

Figures use only Matplotlib's objects, without pyplot's global state. Text and axes have one ink
colour, which :func:`svg` replaces by the text colour of the page. The colours of :data:`THEME`
follow the page's light or dark mode.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: colour-blind readers can distinguish them. On white each is darkened until
# lines have a contrast of 3. On a dark page they are unchanged.
COLOURS = ("#00528A", "#9E3200", "#007F5C", "#C95C9C", "#BF8000", "#2F95EB")
ON_DARK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#1b1f24"
DPI = 110  # dots per inch of PNG files
HANDLE = 4.5  # length of a legend's strokes, in font sizes; long enough to show dashes
SUPPORTED, REFUTED, UNDECIDED = "#00755A", "#B03A00", "#5B636F"  # text colours of verdict words
# Name of the CSS property -> the colour on a light page, and on a dark page.
THEME: Mapping[str, tuple[str, str]] = {
    **{f"arm-{k}": pair for k, pair in enumerate(zip(COLOURS, ON_DARK, strict=True))},
    "ink-supported": (SUPPORTED, "#3FC79B"),
    "ink-refuted": (REFUTED, "#FF8F57"),
    "ink-inconclusive": (UNDECIDED, "#A2ABB5"),
}
FONTS = (  # Matplotlib's DejaVu has no Chinese, Japanese and Korean
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Hiragino Sans",
    "Yu Gothic",
    "MS Gothic",
    "IPAGothic",
    "WenQuanYi Zen Hei",
)


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour per arm, in order; colours repeat after six."""
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, size in inches. Create and fill it inside :func:`style`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)  # type: ignore[union-attr,call-arg]
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG on a white background."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def svg(figure: Figure, salt: str, legend: bool = True) -> str:
    """The figure as an ``<svg>`` element that uses the colours of its page.

    ``salt``: a name that is unique on the page, so that no two drawings share an id. The gid of an
    artist (words separated by spaces) becomes the class of its group. ``legend``: whether to draw
    the figure's legend; otherwise it takes no space.
    """
    buffer = io.StringIO()
    told = {name: None for name in ("Date", "Creator", "Format", "Type")}
    with style(salt), _legends(figure, legend):
        figure.savefig(buffer, format="svg", transparent=True, metadata=told)
    text = buffer.getvalue()
    text = re.sub(r'<g id="([^"]*)"', lambda g: f'<g class="{g[1].replace(".", "-")}"', text)
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return re.sub(r"#[0-9a-f]{6}\b", lambda colour: themed(colour[0]), text)


def panels(figure: Figure) -> list[dict[str, Any]]:
    """The positions of a figure's panels in its :func:`svg`, which must have been made before.

    For each panel: ``scalar``; ``box``: its left, top, right and bottom edge; ``epochs``: the
    limits of its x axis; ``levels``: pairs of a value and its distance from the top, to interpolate
    linearly.
    """
    width, height = 72 * figure.get_size_inches()
    found = []
    for ax in figure.axes:
        if ax.get_gid() != "panel":
            continue
        place = ax.get_position()
        left, right = width * place.x0, width * place.x1
        top, bottom = height * (1 - place.y1), height * (1 - place.y0)
        shares = np.linspace(0, 1, 2 if ax.get_yscale() == "linear" else 129)
        pixels = ax.transAxes.transform(np.column_stack([np.zeros_like(shares), shares]))
        values = ax.transData.inverted().transform(pixels)[:, 1]
        found.append(
            {
                "scalar": ax.get_label(),
                "title": ax.get_title(loc="left"),
                "box": [round(float(edge), 3) for edge in (left, top, right, bottom)],
                "epochs": [float(edge) for edge in ax.get_xlim()],
                "levels": [
                    (float(f"{value:.6g}"), round(bottom - share * (bottom - top), 3))
                    for value, share in zip(values, shares, strict=True)
                ],
            }
        )
    return found


@contextmanager
def _legends(figure: Figure, shown: bool) -> Iterator[None]:
    kept = figure.legends
    figure.legends = kept if shown else []
    yield
    figure.legends = kept


def themed(colour: str) -> str:
    """A colour as CSS: a property of the page if it is in :data:`THEME`, else the colour itself."""
    names = (name for name, (light, _) in THEME.items() if light.lower() == colour.lower())
    name = next(names, "")
    return f"var(--{name})" if name else colour


def wrapped(text: str, width: int) -> str:
    """``text`` in lines of at most ``width`` columns; a CJK character takes two.

    Longer words are cut.
    """
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split():
        for part in chop_cells(word, width):
            longer = f"{lines[-1]} {part}".strip()
            if cell_len(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(part)
    return "\n".join(lines)


@contextmanager
def style(salt: str = "bascule") -> Iterator[None]:
    """Matplotlib's settings for a report, restored at the end."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    settings: dict[Any, Any] = {
        "font.family": ["DejaVu Sans", *(name for name in FONTS if name in installed)],
        "font.size": 9.5,
        "text.parse_math": False,  # an arm may be called "$1 a go"
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
    }
    inked = ("text.", "axes.edge", "axes.label", "xtick.", "ytick.")
    settings |= {f"{part}color": INK for part in inked}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def logarithmic(ax: Axes, side: Literal["x", "y"], values: Iterable[float]) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of each decade.

    The axis stays linear if some of ``values`` are not above 0, or if they span less than a factor
    of 3.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    found = list(values)
    if not found or min(found) <= 0 or max(found) < 3 * min(found):
        return
    axis = ax.xaxis if side == "x" else ax.yaxis
    (ax.set_xscale if side == "x" else ax.set_yscale)("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
