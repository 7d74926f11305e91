"""What all drawings of a report share: their colours, their style, and their two file forms.

Figures are made with Matplotlib's objects alone: nothing is shown, no state is kept. Text and
axes are drawn in one ink, which :func:`svg` turns into the text colour of the page around them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart by colour-blind readers, and readable on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#1b1f24"
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
        figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()


def svg(figure: Figure, salt: str) -> str:
    """The figure as an ``<svg>`` element that takes the text colour of the page around it.

    ``salt``: a name of its own on its page, so that no two drawings there share an id.
    """
    buffer = io.StringIO()
    told = {name: None for name in ("Date", "Creator", "Format", "Type")}
    with style(salt):
        figure.savefig(buffer, format="svg", transparent=True, metadata=told)
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


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
