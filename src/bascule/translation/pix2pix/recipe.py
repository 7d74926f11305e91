"""The recipe of pix2pix: pairs of pictures, nets, rates and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.model import Pix2Pix
from bascule.translation.pix2pix.step import PairedRules, Pairs, paired_step
from bascule.translation.recipe import TranslationRecipe, TranslationTrainer


@dataclass(frozen=True)
class PairedRecipe(TranslationRecipe):
    """One run of pix2pix, whole: what the same translator reaches where it is told the answers.

    Steps and epochs are those of :class:`bascule.translation.recipe.TranslationRecipe`, but the
    two pictures of a step belong together. ``lr``: of both nets. ``pixels``:
    :class:`bascule.translation.pix2pix.step.PairedRules`.
    """

    data: CartoonPair = CartoonPair(paired=True)
    model: Pix2Pix = Pix2Pix(width=32, blocks=4, size=64, net="resnet", width_D=32, halvings=2)
    # what is played for
    objective: Literal["least-squares", "non-saturating"] = "non-saturating"
    pixels: float = 100.0

    def __post_init__(self) -> None:
        self._check_translation("pixels")
        if not self.data.paired:
            raise UserError(f"data={self.data}: pix2pix learns from pairs: give paired=True")

    sample_caption = (
        "rows of eight: training pictures of the first set, what they become, what they should"
    )

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_D", "loss_G", "pixels"

    def build(self) -> PairedTrainer:
        G, D = self.networks()
        players = Pairs(G, D, self.adam((G,)), self.adam((D,)), torch.device(self.device))
        return PairedTrainer(self, players)


class PairedTrainer(TranslationTrainer[PairedRecipe, Pairs]):
    """A translator and its judge, which sees pairs."""

    in_step = True

    def turn(self, a: Tensor, b: Tensor, context: StepContext) -> dict[str, Tensor]:
        rules = PairedRules(self.recipe.objective, self.recipe.pixels)
        return paired_step(self.players, a, b, rules)

    def translators(self) -> tuple[nn.Module, nn.Module | None]:
        return self.players.G, None
