"""A recipe or a class in one line, for lists and for the completion of the shell."""

from __future__ import annotations

import dataclasses
from typing import Any

from bascule.core.described import described
from bascule.experiments.files import first_sentence


def facts(recipe: Any) -> str:
    """``64 px, DCGAN(width=32), GAN, hinge, batch 32, 100 epochs``."""
    size, model = getattr(recipe.data, "size", None), getattr(recipe, "model", None)
    objective = getattr(recipe, "objective", None)
    told = [
        f"{size} px" if size else "",
        _net(model) if model else "",
        type(recipe).__name__.removesuffix("Recipe"),
        getattr(objective, "kind", objective),
        f"batch {recipe.batch}",
        f"{recipe.epochs} epochs",
    ]
    return ", ".join(str(part) for part in told if part)


def _net(model: Any) -> str:
    """``DCGAN(width=16)``: the model with what differs from its defaults."""
    fields = [f for f in dataclasses.fields(model) if f.init and f.name != "layers"]
    told = [f"{f.name}={v!r}" for f in fields if (v := getattr(model, f.name)) != f.default]
    return f"{type(model).__name__}({', '.join(told)})".removesuffix("()")


def summary(kind: type) -> str:
    """The first sentence of a class."""
    return first_sentence(kind.__doc__ or "")


def call_of(kind: type) -> str:
    """How a call of a class begins: ``PerfectG(at_epoch=``, or ``DiffAugment`` without values."""
    needed = [f.name for f in described(kind) if f.default is None]
    return f"{kind.__name__}({needed[0]}=" if needed else kind.__name__
