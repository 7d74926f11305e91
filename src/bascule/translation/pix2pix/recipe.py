"""The recipe of pix2pix: pairs of images, networks, learning rates and loss weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.data.source import PairSource
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.model import Pix2Pix
from bascule.translation.pix2pix.step import PairedRules, Pairs, paired_step
from bascule.translation.recipe import TranslationRecipe, TranslationTrainer


@dataclass(frozen=True)
class PairedRecipe(TranslationRecipe):
    """One complete run of pix2pix: an upper bound for the same generator without pairs.

    Steps and epochs are those of :class:`bascule.translation.recipe.TranslationRecipe`, but the
    two images of a step are counterparts. ``lr``: the learning rate of both networks. ``pixels``:
    see
    :class:`bascule.translation.pix2pix.step.PairedRules`.
    """

    data: PairSource = CartoonPair(paired=True)
    model: Pix2Pix = Pix2Pix(width=32, blocks=4, size=64, net="resnet", width_D=32, halvings=2)
    # objective
    objective: Literal["least-squares", "non-saturating"] = "non-saturating"
    pixels: float = 100.0

    def __post_init__(self) -> None:
        self._check_translation("pixels")
        if not self.data.paired:
            raise UserError(
                f"data={self.data}: pix2pix learns from pairs; expected CartoonPair(paired=True), "
                "or pairs of yours (bascule data import FOLDER --pairs OTHER_FOLDER)"
            )

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
    """Trains a generator, and a discriminator of pairs."""

    in_step = True

    def turn(self, a: Tensor, b: Tensor, context: StepContext) -> dict[str, Tensor]:
        rules = PairedRules(self.recipe.objective, self.recipe.pixels)
        return paired_step(self.players, a, b, rules)

    def translators(self) -> tuple[nn.Module, nn.Module | None]:
        return self.players.G, None
