"""The hooks: where an intervention may change the game, and several interventions as one.

A step asks five questions of every intervention, its hooks. The base class answers each with
"no change", and an intervention overrides the answers that its rule needs:

- ``on_step_start``: shall the players be altered before this step?
- ``discriminator_batch``: what is D shown as real, and as fake, in its own turn?
- ``generator_batch``: which pictures does D judge in G's turn?
- ``augment``: how does D see any image, in both players' turns? (differentiable)
- ``should_update``: does this player learn in this step?

Images are (B, 3, H, W) in [-1, 1]. Several interventions act in the order in which they are
listed, each on what the previous left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.gan.game import Game

Player = Literal["G", "D"]

OLD_NAMES = {  # of hooks, before they were named as other libraries do
    "prepare": "on_step_start",
    "batches": "discriminator_batch",
    "turn_of_G": "generator_batch",
    "view": "augment",
    "may_learn": "should_update",
    "acts_from": "first_epoch",
    "shows_held_out": "uses_held_out",
}


class Intervention:
    """Changes nothing.

    A rule is a frozen value and holds no state: what it must know of earlier steps it remembers
    in ``context`` (:meth:`bascule.core.context.StepContext.remember`), where checkpoints find it.
    Before its ``first_epoch()`` it remembers nothing.
    """

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        for old, new in OLD_NAMES.items():
            if old in vars(cls):
                raise UserError(f"{cls.__name__} defines {old}(): this hook is called {new}() now")

    def first_epoch(self) -> int:
        """The first epoch (from 0) at which this rule may change anything."""
        return 0

    def uses_held_out(self) -> bool:
        """Whether D is shown held-out images: then none is left to measure D with."""
        return False

    def on_step_start(self, game: Game, context: StepContext) -> None:
        """Alter the players in place before the step."""

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        """What D is shown as real and as fake."""
        return real, fake

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        """What D judges in G's turn: what it was ``last_judged`` as fake, or G's ``own`` fakes."""
        return shown

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        """How D sees ``x``; must be differentiable with respect to ``x``."""
        return x

    def should_update(self, player: Player, context: StepContext) -> bool:
        """Whether ``player`` takes its optimiser's step."""
        return True


def check_epoch(owner: str, name: str, epoch: int) -> None:
    """Refuse a negative epoch."""
    if epoch < 0:
        raise UserError(f"{owner}({name}={epoch}): expected an epoch >= 0, counted from 0")


@dataclass(frozen=True)
class Compose(Intervention):
    """Several interventions as one, in order; their draws are kept apart by name."""

    parts: tuple[Intervention, ...] = ()
    _names: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)
        seen: Counter[str] = Counter()
        names = []
        for part in self.parts:
            # Addresses of draws keep the class's first name, so that no number changes.
            kind = "Together" if isinstance(part, Compose) else type(part).__name__
            names.append(f"{kind}.{seen[kind]}")
            seen[kind] += 1
        object.__setattr__(self, "_names", names)

    def first_epoch(self) -> int:
        return min((part.first_epoch() for part in self.parts), default=0)

    def uses_held_out(self) -> bool:
        return any(part.uses_held_out() for part in self.parts)

    def on_step_start(self, game: Game, context: StepContext) -> None:
        for name, part in zip(self._names, self.parts, strict=True):
            part.on_step_start(game, context.owned_by(name))

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        for name, part in zip(self._names, self.parts, strict=True):
            real, fake = part.discriminator_batch(real, fake, context.owned_by(name))
        return real, fake

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        for name, part in zip(self._names, self.parts, strict=True):
            shown = part.generator_batch(own, shown, context.owned_by(name))
        return shown

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        for name, part in zip(self._names, self.parts, strict=True):
            x = part.augment(x, context.owned_by(name))
        return x

    def should_update(self, player: Player, context: StepContext) -> bool:
        return all(
            part.should_update(player, context.owned_by(name))
            for name, part in zip(self._names, self.parts, strict=True)
        )
