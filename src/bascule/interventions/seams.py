"""The seams: where an intervention may change the game, and several interventions as one.

A step asks five questions of every intervention, its seams. The base class answers each with
"no change", and an intervention overrides the answers that its rule needs:

- ``prepare``: shall the players be altered before this step?
- ``batches``: what is D shown as real, and as fake, in its own turn?
- ``turn_of_G``: which pictures does D judge in G's turn?
- ``view``: how does D see any image, in both players' turns? (differentiable)
- ``may_learn``: does this player learn in this step?

Images are (B, 3, H, W) in [-1, 1]. Several interventions act in the order in which they are
listed, each on what the previous left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from bascule.errors import Refusal
from bascule.game import Game
from bascule.now import Now
from bascule.typed import check_fields

Player = Literal["G", "D"]


class Intervention:
    """Changes nothing.

    A rule is a frozen value and holds no state: what it must know of earlier steps it remembers
    in ``now`` (:meth:`bascule.now.Now.remember`), where checkpoints find it. Before its
    ``acts_from()`` it remembers nothing.
    """

    def acts_from(self) -> int:
        """The first epoch (from 0) at which this rule may change anything."""
        return 0

    def shows_held_out(self) -> bool:
        """Whether D is shown held-out images: then none is left to measure D with."""
        return False

    def prepare(self, game: Game, now: Now) -> None:
        """Alter the players in place before the step."""

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        """What D is shown as real and as fake."""
        return real, fake

    def turn_of_G(self, own: Tensor, shown: Tensor, now: Now) -> Tensor:
        """What D judges in G's turn: what it was ``shown`` as fake, or G's ``own`` fakes."""
        return shown

    def view(self, x: Tensor, now: Now) -> Tensor:
        """How D sees ``x``; must be differentiable with respect to ``x``."""
        return x

    def may_learn(self, player: Player, now: Now) -> bool:
        """Whether ``player`` takes its optimiser's step."""
        return True


def check_epoch(owner: str, name: str, epoch: int) -> None:
    """Refuse a negative epoch."""
    if epoch < 0:
        raise Refusal(f"{owner}({name}={epoch}): expected an epoch >= 0, counted from 0")


@dataclass(frozen=True)
class Together(Intervention):
    """Several interventions as one, in order; their draws are kept apart by name."""

    parts: tuple[Intervention, ...] = ()
    _names: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)
        seen: Counter[str] = Counter()
        names = []
        for part in self.parts:
            kind = type(part).__name__
            names.append(f"{kind}.{seen[kind]}")
            seen[kind] += 1
        object.__setattr__(self, "_names", names)

    def acts_from(self) -> int:
        return min((part.acts_from() for part in self.parts), default=0)

    def shows_held_out(self) -> bool:
        return any(part.shows_held_out() for part in self.parts)

    def prepare(self, game: Game, now: Now) -> None:
        for name, part in zip(self._names, self.parts, strict=True):
            part.prepare(game, now.owned_by(name))

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        for name, part in zip(self._names, self.parts, strict=True):
            real, fake = part.batches(real, fake, now.owned_by(name))
        return real, fake

    def turn_of_G(self, own: Tensor, shown: Tensor, now: Now) -> Tensor:
        for name, part in zip(self._names, self.parts, strict=True):
            shown = part.turn_of_G(own, shown, now.owned_by(name))
        return shown

    def view(self, x: Tensor, now: Now) -> Tensor:
        for name, part in zip(self._names, self.parts, strict=True):
            x = part.view(x, now.owned_by(name))
        return x

    def may_learn(self, player: Player, now: Now) -> bool:
        return all(
            part.may_learn(player, now.owned_by(name))
            for name, part in zip(self._names, self.parts, strict=True)
        )
