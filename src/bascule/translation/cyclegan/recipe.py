"""The recipe of CycleGAN: two image sets, networks, learning rates and loss weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.data.faces import Faces
from bascule.data.source import PairSource
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.step import CycleRules, Translation, cycle_step
from bascule.translation.domains import TwoSets
from bascule.translation.recipe import TranslationRecipe, TranslationTrainer


@dataclass(frozen=True)
class CycleRecipe(TranslationRecipe):
    """One complete run of CycleGAN.

    Steps and epochs are those of :class:`bascule.translation.recipe.TranslationRecipe`. ``lr``: the
    learning rate of all networks. ``cycle``, ``identity``, ``pool``, ``objective``: see
    :class:`bascule.translation.cyclegan.step.CycleRules`.
    """

    data: PairSource = TwoSets(Faces(style="adventurer"), Faces())
    model: CycleGAN = CycleGAN(width=32, blocks=4, size=64, width_D=32, halvings=2)
    # objective
    objective: Literal["least-squares", "non-saturating"] = "least-squares"
    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50

    def __post_init__(self) -> None:
        self._check_translation("cycle", "identity", "pool")

    sample_caption = (
        "rows of eight: training pictures of the first set, what they become, and what leads back; "
        "then the same of the second set"
    )

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_G_AB", "loss_G_BA", "cycle_A", "cycle_B", "loss_D_A", "loss_D_B"

    @property
    def rules(self) -> CycleRules:
        return CycleRules(self.objective, self.cycle, self.identity, self.pool)

    def build(self) -> CycleTrainer:
        G_AB, G_BA, D_A, D_B = self.networks()
        opt_G, opt_D = self.adam((G_AB, G_BA)), self.adam((D_A, D_B))
        players = Translation(G_AB, G_BA, D_A, D_B, opt_G, opt_D, torch.device(self.device))
        return CycleTrainer(self, players)


class CycleTrainer(TranslationTrainer[CycleRecipe, Translation]):
    """Trains two generators and their two discriminators."""

    def turn(self, a: Tensor, b: Tensor, context: StepContext) -> dict[str, Tensor]:
        return cycle_step(self.players, a, b, context, self.recipe.rules)

    def translators(self) -> tuple[nn.Module, nn.Module | None]:
        return self.players.G_AB, self.players.G_BA
