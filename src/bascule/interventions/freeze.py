"""An intervention under which one player no longer learns."""

from __future__ import annotations

from dataclasses import dataclass

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.interventions.hooks import Intervention, Player, check_epoch


@dataclass(frozen=True)
class Freeze(Intervention):
    """From `from_epoch` on, one player does not learn, and the other learns against it.

    With a fixed D, the best that G can do is to draw the one image that D takes most for real
    (Goodfellow 2016, section 5.1.1: mode collapse). With a fixed G, D becomes as good as it can.

    player       "D" or "G"
    from_epoch   the first epoch, from 0, in which it does not learn
    until_epoch  the first epoch in which it learns again; None: never
    """

    player: Player = "D"
    from_epoch: int = 0
    until_epoch: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("Freeze", "from_epoch", self.from_epoch)
        if self.until_epoch is not None and self.until_epoch <= self.from_epoch:
            raise UserError(
                f"Freeze(until_epoch={self.until_epoch}): expected an epoch after "
                f"from_epoch={self.from_epoch}"
            )

    def first_epoch(self) -> int:
        return self.from_epoch

    def should_update(self, player: Player, context: StepContext) -> bool:
        thaws = self.until_epoch is not None and context.epoch >= self.until_epoch
        return player != self.player or context.epoch < self.from_epoch or thaws
