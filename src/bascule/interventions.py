"""Interventions: one changed rule of the game each.

A step asks four questions of every intervention, its seams. The base class answers each with
"no change", and an intervention overrides the answers that its rule needs:

- ``prepare``: shall the players be altered before this step?
- ``batches``: what is D shown as real, and as fake?
- ``view``: how does D see any image, in both players' turns? (differentiable)
- ``may_learn``: does this player learn in this step?

Images are (B, 3, H, W) in [-1, 1]. Added noise is not clipped, so D may see values outside.
Several interventions act in the order in which they are listed, each on what the previous left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from bascule.errors import Refusal
from bascule.game import Game
from bascule.laws import Law, Uniform, check_strength, draw
from bascule.now import Now
from bascule.typed import check_fields

Player = Literal["G", "D"]


class Intervention:
    """Changes nothing."""

    def acts_from(self) -> int:
        """The first epoch (from 0) at which this rule may change anything."""
        return 0

    def prepare(self, game: Game, now: Now) -> None:
        """Alter the players in place before the step."""

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        """What D is shown as real and as fake."""
        return real, fake

    def view(self, x: Tensor, now: Now) -> Tensor:
        """How D sees ``x``; must be differentiable with respect to ``x``."""
        return x

    def may_learn(self, player: Player, now: Now) -> bool:
        """Whether ``player`` takes its optimiser's step."""
        return True


def add_noise(x: Tensor, sigma: Law, now: Now) -> Tensor:
    """``x`` plus Gaussian noise: one standard deviation a batch, drawn from the law ``sigma``."""
    noise = torch.randn(x.shape, generator=now.device_rng("noise"), device=x.device)
    return x + draw(sigma, now.within("sigma")) * noise


def _check_epoch(owner: str, name: str, epoch: int) -> None:
    if epoch < 0:
        raise Refusal(f"{owner}({name}={epoch}): expected an epoch >= 0, counted from 0")


@dataclass(frozen=True)
class PerfectG(Intervention):
    """From ``at_epoch`` on, G seems almost perfect: the fakes are the same reals plus noise.

    G rests from then on. ``sigma``: standard deviation of the noise, one draw a batch, in units
    of images in [-1, 1].
    """

    at_epoch: int
    sigma: Law = Uniform(0.0, 0.1)

    def __post_init__(self) -> None:
        check_fields(self)
        _check_epoch("PerfectG", "at_epoch", self.at_epoch)
        check_strength("PerfectG", "sigma", self.sigma)

    def acts_from(self) -> int:
        return self.at_epoch

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        if now.epoch < self.at_epoch:
            return real, fake
        return real, add_noise(real, self.sigma, now)

    def may_learn(self, player: Player, now: Now) -> bool:
        return player == "D" or now.epoch < self.at_epoch


@dataclass(frozen=True)
class NoiseOnReals(Intervention):
    """From ``from_epoch`` on, D is shown its reals with noise, and its fakes as they are."""

    sigma: Law = Uniform(0.0, 0.1)
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_epoch("NoiseOnReals", "from_epoch", self.from_epoch)
        check_strength("NoiseOnReals", "sigma", self.sigma)

    def acts_from(self) -> int:
        return self.from_epoch

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        if now.epoch < self.from_epoch:
            return real, fake
        return add_noise(real, self.sigma, now), fake


@dataclass(frozen=True)
class InstanceNoise(Intervention):
    """From ``from_epoch`` on, every image that D sees carries noise, in both players' turns.

    Sønderby et al. 2017, section 3.2. One standard deviation is drawn for each batch that D
    sees, so reals and fakes of one step may be noised unequally.
    """

    sigma: Law = Uniform(0.0, 0.1)
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_epoch("InstanceNoise", "from_epoch", self.from_epoch)
        check_strength("InstanceNoise", "sigma", self.sigma)

    def acts_from(self) -> int:
        return self.from_epoch

    def view(self, x: Tensor, now: Now) -> Tensor:
        return x if now.epoch < self.from_epoch else add_noise(x, self.sigma, now)


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

    def prepare(self, game: Game, now: Now) -> None:
        for name, part in zip(self._names, self.parts, strict=True):
            part.prepare(game, now.within(name))

    def batches(self, real: Tensor, fake: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        for name, part in zip(self._names, self.parts, strict=True):
            real, fake = part.batches(real, fake, now.within(name))
        return real, fake

    def view(self, x: Tensor, now: Now) -> Tensor:
        for name, part in zip(self._names, self.parts, strict=True):
            x = part.view(x, now.within(name))
        return x

    def may_learn(self, player: Player, now: Now) -> bool:
        return all(
            part.may_learn(player, now.within(name))
            for name, part in zip(self._names, self.parts, strict=True)
        )
