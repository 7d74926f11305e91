"""The recipe of CUT and FastCUT: two image sets, networks, learning rates and loss weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.data.faces import Faces
from bascule.data.source import PairSource
from bascule.translation.cut.model import CUT
from bascule.translation.cut.step import Contrast, ContrastRules, contrastive_step
from bascule.translation.domains import TwoSets
from bascule.translation.recipe import TranslationRecipe, TranslationTrainer


@dataclass(frozen=True)
class ContrastiveRecipe(TranslationRecipe):
    """One complete run of CUT. FastCUT has ``contrast=10, identity=False, flips=True``.

    Steps and epochs are those of :class:`bascule.translation.recipe.TranslationRecipe`. ``lr``: the
    learning rate of all networks. The loss weights are those of
    :class:`bascule.translation.cut.step.ContrastRules`.
    """

    data: PairSource = TwoSets(Faces(style="adventurer"), Faces())
    model: CUT = CUT(
        width=32,
        blocks=4,
        size=64,
        width_D=32,
        halvings=2,
        taps=("rgb", "down1", "down2", "res0", "res2"),
        features=64,
    )
    # objective
    objective: Literal["least-squares", "non-saturating"] = "least-squares"
    contrast: float = 1.0
    identity: bool = True
    flips: bool = False
    patches: int = 64
    temperature: float = 0.07

    def __post_init__(self) -> None:
        self._check_translation("contrast")
        self._expect("patches", self.patches >= 2, "at least 2 positions to contrast")
        self._expect("temperature", self.temperature > 0, "a number > 0")

    sample_caption = (
        "rows of eight: training pictures of the first set, what they become, the second set"
    )

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_D", "loss_G", "contrast"

    @property
    def rules(self) -> ContrastRules:
        return ContrastRules(
            objective=self.objective,
            taps=self.model.taps,
            contrast=self.contrast,
            identity=self.identity,
            flips=self.flips,
            patches=self.patches,
            temperature=self.temperature,
        )

    def build(self) -> ContrastiveTrainer:
        G, D, heads = self.networks()
        opt_G, opt_D = self.adam((G, heads)), self.adam((D,))
        players = Contrast(G, D, heads, opt_G, opt_D, torch.device(self.device))
        return ContrastiveTrainer(self, players)


class ContrastiveTrainer(TranslationTrainer[ContrastiveRecipe, Contrast]):
    """Trains a generator, its discriminator, and the projection heads."""

    def turn(self, a: Tensor, b: Tensor, context: StepContext) -> dict[str, Tensor]:
        return contrastive_step(self.players, a, b, context, self.recipe.rules)

    def translators(self) -> tuple[nn.Module, nn.Module | None]:
        return self.players.G, None
