"""Draws a cartoon face by its number: vector parts by DiceBear, made into pixels by resvg."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from typing import Any

import numpy as np

from bascule.data.styles import OPTIONS

GEOMETRY = ("scale", "rotate", "translateX", "translateY")


class Artist:
    """Draws faces of one style, which is parsed only once."""

    def __init__(self, style: str) -> None:
        from dicebear import Style

        self.name = style
        path = files("dicebear_styles").joinpath(f"{style}.json")
        self.definition = json.loads(path.read_text("utf-8"))
        self.style = Style(self.definition)
        self.options = OPTIONS[style]
        self.credit = str(self.definition["meta"]["license"]["text"])

    def draw(
        self, seed: int, size: int, **forced: Any
    ) -> tuple[np.ndarray, dict[str, str | float]]:
        """Face number ``seed``: uint8 RGB (3, size, size), and its labels.

        ``forced``: DiceBear options that replace those of the style, e.g.
        ``hairVariant=["full"]`` or ``glassesProbability=100``.
        """
        import resvg_py
        from dicebear import Avatar
        from PIL import Image

        face = Avatar(self.style, {**self.options, **forced, "seed": str(seed)}).to_json()
        # Without system fonts: loading them takes longer than drawing.
        png = resvg_py.svg_to_bytes(
            svg_string=face["svg"], width=size, height=size, skip_system_fonts=True
        )
        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
        return pixels, self.labels(face["options"])

    def labels(self, options: dict[str, Any]) -> dict[str, str | float]:
        """Resolved options as labels; their names depend only on the style, never on the seed."""
        parts = [f"{part}Variant" for part in self.definition["components"]]
        # Every style resolves a background, whether or not it defines colours for one.
        colours = [f"{name}Color" for name in {"background": 0} | self.definition["colors"]]
        labels: dict[str, str | float] = {name: _text(options.get(name)) for name in parts}
        labels |= {name: _text(options.get(name)) for name in colours}
        labels["flip"] = _text(options.get("flip"))
        return labels | {name: float(options[name]) for name in GEOMETRY}


def _text(value: Any) -> str:
    """A variant, or the colours of a fill joined by "+"; "none" if it is not drawn."""
    return "+".join(value) or "none" if isinstance(value, list) else str(value or "none")
