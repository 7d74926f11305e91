"""The hooks through which an intervention changes the training step; several as one.

A step calls five hooks of every intervention. The base class changes nothing in each; an
intervention overrides those that it needs:

- ``on_step_start``: change the networks before this step
- ``discriminator_batch``: choose what D is shown as real and as fake in its own step
- ``generator_batch``: choose the images that D judges in G's step
- ``augment``: transform every image that D sees, in both steps (differentiable)
- ``should_update``: decide whether G, or D, learns in this step

Images are (B, 3, H, W) in [-1, 1]. Several interventions act in the order in which they are
listed, each on the result of the previous one.
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

OLD_NAMES = {  # earlier names of the hooks, to report them clearly
    "prepare": "on_step_start",
    "batches": "discriminator_batch",
    "turn_of_G": "generator_batch",
    "view": "augment",
    "may_learn": "should_update",
    "acts_from": "first_epoch",
    "shows_held_out": "uses_held_out",
}


class Intervention:
    """Base of interventions; changes nothing.

    An intervention is a frozen value without state. What it must remember from earlier steps it
    keeps with :meth:`bascule.core.context.StepContext.remember`, so that it is part of
    checkpoints. Before ``first_epoch()`` it must change and remember nothing.
    """

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        for old, new in OLD_NAMES.items():
            if old in vars(cls):
                raise UserError(
                    f"{cls.__name__} defines {old}(): this hook is now called {new}(); rename it"
                )

    def first_epoch(self) -> int:
        """The first epoch (from 0) in which it may change anything."""
        return 0

    def uses_held_out(self) -> bool:
        """Whether D is shown held-out images; then none are left to measure D with."""
        return False

    def on_step_start(self, game: Game, context: StepContext) -> None:
        """Change the networks in place before the step."""

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        """What D is shown as real and as fake in its step; both (B, 3, H, W) in [-1, 1]."""
        return real, fake

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        """What D judges in G's step: what it was ``last_judged`` as fake, or G's ``own`` fakes."""
        return shown

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        """What D sees of images ``x``; must be differentiable with respect to ``x``."""
        return x

    def should_update(self, player: Player, context: StepContext) -> bool:
        """Whether ``player`` ("G" or "D") learns in this step."""
        return True


def check_epoch(owner: str, name: str, epoch: int) -> None:
    """Raise :class:`UserError` for a negative epoch."""
    if epoch < 0:
        raise UserError(f"{owner}({name}={epoch}): expected an epoch >= 0, counted from 0")


@dataclass(frozen=True)
class Compose(Intervention):
    """Several interventions as one, in order; each has draws and a memory of its own."""

    parts: tuple[Intervention, ...] = ()
    _names: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)
        seen: Counter[str] = Counter()
        names = []
        for part in self.parts:
            # The addresses of draws keep the first name of this class, so that no number changes.
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
