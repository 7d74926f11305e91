"""Trained weights that come with the package, so that a game can start from faces, not from noise.

A file ``weights/NAME.pt`` is written by ``bascule export RUN -o NAME.pt --half`` and read with
``torch.load(..., weights_only=True)``: the state dicts ``"G"`` and ``"D"`` (floats in half
precision), and the texts ``"model"`` (the recipe's model as Python writes it), ``"made"`` (how the
run was trained) and ``"credit"`` (whose pictures it learnt from).
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
    """The weights that come with the package."""
    found = (Path(entry.name) for entry in FOLDER.iterdir())
    return sorted(path.stem for path in found if path.suffix == ".pt")


def check_start(name: str, model: Any) -> None:
    """Refuse weights that do not exist, or that another ``model`` was trained with."""
    theirs = told(name)["model"]
    if theirs != repr(model):
        raise UserError(f"start={name!r}: expected model={theirs}, got model={model!r}")


@cache
def told(name: str) -> dict[str, str]:
    """The texts of the file of ``name``: ``model``, ``made`` and ``credit``. Same refusal."""
    return {key: text for key, text in read(name).items() if isinstance(text, str)}


def read(name: str) -> dict[str, Any]:
    """What the file of ``name`` holds. Raises :class:`UserError` for a name that is not shipped."""
    if name not in names():
        raise unknown("start", name, names())
    with as_file(FOLDER / f"{name}.pt") as path:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return found


def load_into(name: str, G: nn.Module, D: nn.Module) -> None:
    """Give both players the weights of ``name``, in the precision that they have."""
    saved = read(name)
    G.load_state_dict(saved["G"])
    D.load_state_dict(saved["D"])
