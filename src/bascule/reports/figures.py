"""What all drawings of a report share: their colours, their style, and their two file forms.

Figures are made with Matplotlib's objects alone: nothing is shown, no state is kept. Text and
axes are drawn in one ink, which :func:`svg` turns into the text colour of the page around them;
the colours of :data:`THEME` become those of the page's mode, light or dark.
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

# Okabe and Ito 2008: told apart by colour-blind readers. On white each is darkened until lines
# have a contrast of 3 there; on dark paper theirs are taken as they are.
COLOURS = ("#00528A", "#9E3200", "#007F5C", "#C95C9C", "#BF8000", "#2F95EB")
ON_DARK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#1b1f24"
DPI = 110  # of a PNG
HANDLE = 4.5  # the length of a stroke in a legend, in letters: its dashes must be seen
SUPPORTED, REFUTED, UNDECIDED = "#00755A", "#B03A00", "#5B636F"  # ink of words
# Name of the page's own property -> the colour on light paper, and on dark paper.
THEME: Mapping[str, tuple[str, str]] = {
    **{f"arm-{k}": pair for k, pair in enumerate(zip(COLOURS, ON_DARK, strict=True))},
    "ink-supported": (SUPPORTED, "#3FC79B"),
    "ink-refuted": (REFUTED, "#FF8F57"),
    "ink-inconclusive": (UNDECIDED, "#A2ABB5"),
}
FONTS = (  # DejaVu, which comes with Matplotlib, lacks Chinese, Japanese and Korean
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Hiragino Sans",
    "Yu Gothic",
    "MS Gothic",
    "IPAGothic",
    "WenQuanYi Zen Hei",
)


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour an arm, in order; they repeat after six."""
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches), to be made and filled within :func:`style`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)  # type: ignore[union-attr,call-arg]
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure on white."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def svg(figure: Figure, salt: str, legend: bool = True) -> str:
    """The figure as an ``<svg>`` element that takes the colours of the page around it.

    ``salt``: a name of its own on its page, so that no two drawings there share an id. The gid of
    an artist (words apart by spaces) becomes the class of its group. ``legend``: whether the
    figure's legend is drawn; without it no room is kept for it.
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
    """Where the panels of a figure lie in its :func:`svg`, which must have been made before.

    Of each one: ``scalar``; ``box``, its left, top, right and bottom edge; ``epochs``, the limits
    of its x axis; ``levels``, pairs of a value and its place from the top, straight between them.
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
    """A colour as CSS: the page's own for its mode where :data:`THEME` knows it, else itself."""
    names = (name for name, (light, _) in THEME.items() if light.lower() == colour.lower())
    name = next(names, "")
    return f"var(--{name})" if name else colour


def wrapped(text: str, width: int) -> str:
    """``text`` in lines of at most ``width`` columns; a Chinese, Japanese or Korean sign takes two.

    Words that are longer are cut.
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
    """Matplotlib's settings for a report, put back at the end."""
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

    It stays as it is where ``values`` are not all above 0, or span less than a factor of 3.
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
