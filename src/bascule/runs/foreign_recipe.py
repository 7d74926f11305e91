"""Recipes of the user's own kinds, told without executing the code of these kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bascule.core.errors import UserError
from bascule.gan.objectives import Objective
from bascule.interventions.foreign import Foreign
from bascule.training.recipe import Recipe
from bascule.training.trainer import Trainer

FACTS = (
    *("sample_caption", "preview_rows", "evaluates", "image_sets", "length_fields"),
    *("scalars", "precision", "space", "z_dim", "code_layers", "is_diagnosable"),
    "saw",
    *("round_steps", "depends_on_length_from"),
)  # what a kind of recipe says by other members than its fields


def facts_of(recipe: Recipe) -> dict[str, Any]:
    """What a recipe of the user's kind tells of itself when it is written, beside its fields."""
    told = {name: getattr(recipe, name) for name in FACTS}
    return told | {"is_recipe": True, "is_gan": recipe.gan_objective is not None}


@dataclass(frozen=True)
class ForeignRecipe(Foreign, Recipe):
    """Stands for a recipe whose class is not loaded; it can be shown and compared."""

    data: Any = None
    model: Any = None
    _members: ClassVar[tuple[str, ...]] = FACTS

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (*self.scalars, *self.length_fields)):
            raise ValueError("its scalars are no names")

    @property
    def scalars(self) -> tuple[str, ...]:
        return ()

    @property
    def gan_objective(self) -> Objective | None:
        return getattr(self, "objective", None) if self.facts.get("is_gan") else None

    def build(self) -> Trainer[Any]:
        raise UserError(f"{type(self).__name__} is not loaded: its run has its own code for it")
