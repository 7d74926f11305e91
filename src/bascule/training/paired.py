"""The recipe of pix2pix: pairs of pictures, nets, rates and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.data.augment import Augmentation
from bascule.data.pairs import CartoonPair
from bascule.errors import Refusal
from bascule.laws import Rate
from bascule.models.pix2pix import Pix2Pix
from bascule.now import Now
from bascule.steps.paired import PairedRules, Pairs, paired_step
from bascule.training.translation import TranslationRecipe


@dataclass(frozen=True)
class PairedRecipe(TranslationRecipe):
    """One run of pix2pix, whole: what the same translator reaches where it is told the answers.

    Steps and epochs are those of :class:`bascule.training.translation.TranslationRecipe`, but the
    two pictures of a step belong together. ``lr``: of both nets. ``pixels``:
    :class:`bascule.steps.paired.PairedRules`.
    """

    data: CartoonPair = CartoonPair(paired=True)
    model: Pix2Pix = Pix2Pix(width=32, blocks=4, size=64, net="resnet", width_D=32, halvings=2)
    epochs: int = 100
    batch: int = 1
    seed: int = 0
    # optimisation (Adam)
    lr: Rate = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    # what is played for
    objective: Literal["least-squares", "non-saturating"] = "non-saturating"
    pixels: float = 100.0
    # what the nets see
    augment: tuple[Augmentation, ...] = ()
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True
    threads: int | None = None
    device: str = "auto"
    # what is kept
    sample_every_epochs: int = 1
    keep_every_epochs: int = 10

    def __post_init__(self) -> None:
        self._check_translation("pixels")
        if not self.data.paired:
            raise Refusal(f"data={self.data}: pix2pix learns from pairs: give paired=True")

    in_step = True
    drawn = "rows of eight: training pictures of the first set, what they become, what they should"

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_D", "loss_G", "pixels"

    def begin(self) -> Pairs:
        G, D = self._drawn_players()
        return Pairs(G, D, self._adam((G,)), self._adam((D,)), torch.device(self.device))

    def step(self, game: Pairs, a: Tensor, b: Tensor, now: Now) -> dict[str, Tensor]:
        return paired_step(game, a, b, PairedRules(self.objective, self.pixels))

    def ways(self, players: Pairs) -> tuple[nn.Module, nn.Module | None]:
        return players.G, None
