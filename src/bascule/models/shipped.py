"""Trained weights from which training can start: of the package, and of the user's own runs.

Those of the package are files ``weights/NAME.pt`` beside this one. Those of runs are kept in the
folder ``weights`` of the state folder, under a name that ends in a digest of their content, so that
a recipe that starts from them says exactly what it starts from.

A file is written by ``bascule export RUN -o NAME.pt --half`` and read with
``torch.load(..., weights_only=True)``: the state dicts ``"G"`` and ``"D"`` (floats in half
precision), and the texts ``"model"`` (the recipe's model as Python code), ``"made"`` (how the
run was trained), ``"credit"`` (the source of the training images) and ``"saw"`` (the feature
networks through which its game was trained, separated by commas; older files lack it).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bascule.core import atomic
from bascule.core.errors import UserError, unknown
from bascule.core.sums import load_checked
from bascule.core.trust import state_folder

FOLDER = files("bascule.models") / "weights"
OF_A_RUN = re.compile(r"[\w-]+-[0-9a-f]{12}")  # no path: a recipe may be from elsewhere


def names() -> list[str]:
    """The names of the weights that come with the package."""
    found = (Path(entry.name) for entry in FOLDER.iterdir())
    return sorted(path.stem for path in found if path.suffix == ".pt")


def kept(name: str) -> Path:
    """The file of weights of a run, there or not."""
    return state_folder() / "weights" / f"{name}.pt"


def keep(called: str, saved: dict[str, Any]) -> str:
    """Keep the content of a file of weights; returns its name, ``called`` and a digest."""
    digest = hashlib.sha256()
    for key in sorted(saved):
        parts = saved[key].items() if isinstance(saved[key], dict) else [(key, saved[key])]
        for name, value in parts:
            plain = value.encode() if isinstance(value, str) else value.numpy().tobytes()
            digest.update(f"{key} {name}".encode() + plain)
    name = f"{called}-{digest.hexdigest()[:12]}"
    path = kept(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, lambda to: torch.save(saved, to))
    return name


def _is_elsewhere(name: str) -> bool:
    """Whether they are weights of a run that this machine does not have."""
    return bool(OF_A_RUN.fullmatch(name)) and not kept(name).exists()


def check_start(name: str, model: Any) -> None:
    """Raise :class:`UserError` if the weights do not exist, or belong to another ``model``.

    Weights of a run that are not on this machine are asked for when the networks are built, so that
    their runs can be looked at without them.
    """
    if _is_elsewhere(name):
        return
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
    if _is_elsewhere(name):
        return ()  # the run says it, too: Run.saw
    return tuple(filter(None, told(name).get("saw", "").split(", ")))


def read(name: str) -> dict[str, Any]:
    """The content of the file of ``name``. Raises :class:`UserError` for an unknown name."""
    if OF_A_RUN.fullmatch(name):
        try:
            own: dict[str, Any] = load_checked(kept(name))
            return own
        except FileNotFoundError:
            raise UserError(
                f"the weights {name!r} are not on this machine: copy {kept(name)} from where the "
                "run was made, or train with --from and the run that they were taken from"
            ) from None
        except Exception as error:  # PyTorch raises many classes of errors on damaged files
            raise UserError(f"damaged weights {kept(name)}: {error}; delete the file") from None
    if name not in names():
        raise unknown("start", name, names())
    with as_file(FOLDER / f"{name}.pt") as path:
        found: dict[str, Any] = load_checked(path)
        return found


def load_into(name: str, G: nn.Module, D: nn.Module) -> None:
    """Load the weights of ``name`` into G and D, in the precision of these networks.

    A player that the file lacks keeps its weights.
    """
    saved = read(name)
    for key, player in (("G", G), ("D", D)):
        if key in saved:
            player.load_state_dict(saved[key])
