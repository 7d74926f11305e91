"""Trained weights that come with the package, so that training can start from a trained GAN.

A file ``weights/NAME.pt`` is written by ``bascule export RUN -o NAME.pt --half`` and read with
``torch.load(..., weights_only=True)``: the state dicts ``"G"`` and ``"D"`` (floats in half
precision), and the texts ``"model"`` (the recipe's model as Python code), ``"made"`` (how the
run was trained), ``"credit"`` (the source of the training images) and ``"saw"`` (the feature
networks through which its game was trained, separated by commas; older files lack it).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bascule.core.errors import UserError, unknown

FOLDER = files("bascule.models") / "weights"


def names() -> list[str]:
    """The names of the weights that come with the package."""
    found = (Path(entry.name) for entry in FOLDER.iterdir())
    return sorted(path.stem for path in found if path.suffix == ".pt")


def check_start(name: str, model: Any) -> None:
    """Raise :class:`UserError` if the weights do not exist, or belong to another ``model``."""
    theirs = told(name)["model"]
    if theirs != repr(model):
        raise UserError(
            f"start={name!r} has weights of model={theirs}, not of model={model!r}; set the model "
            "to the former, or start=None"
        )


@cache
def told(name: str) -> dict[str, str]:
    """The texts in the file of ``name``: ``model``, ``made`` and ``credit``. Raises as read."""
    return {key: text for key, text in read(name).items() if isinstance(text, str)}


def saw(name: str) -> tuple[str, ...]:
    """The feature networks through which the game of these weights was trained."""
    return tuple(filter(None, told(name).get("saw", "").split(", ")))


def read(name: str) -> dict[str, Any]:
    """The content of the file of ``name``. Raises :class:`UserError` for an unknown name."""
    if name not in names():
        raise unknown("start", name, names())
    with as_file(FOLDER / f"{name}.pt") as path:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return found


def load_into(name: str, G: nn.Module, D: nn.Module) -> None:
    """Load the weights of ``name`` into G and D, in the precision of these networks."""
    saved = read(name)
    G.load_state_dict(saved["G"])
    D.load_state_dict(saved["D"])
