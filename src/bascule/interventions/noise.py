"""Noise: an almost perfect G, simulated by noisy reals, and noise on what D sees.

Added noise is not clipped, so D may see values outside [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bascule.core.context import StepContext
from bascule.core.fields import check_fields
from bascule.core.schedules import Schedule, Uniform, check_strength, value_at
from bascule.interventions.hooks import Intervention, Player, check_epoch


def add_noise(x: Tensor, sigma: Schedule, context: StepContext) -> Tensor:
    """``x`` plus Gaussian noise; its standard deviation is one draw of ``sigma`` for the batch."""
    noise = torch.randn(x.shape, generator=context.device_rng("noise"), device=x.device)
    return x + value_at(sigma, context.within("sigma")) * noise


@dataclass(frozen=True)
class PerfectG(Intervention):
    """From ``at_epoch`` on, G seems almost perfect: the fakes are reals plus noise.

    G does not learn from then on.

    sigma  standard deviation of the noise, one draw for each batch, on the scale of [-1, 1]
    of     the images that become fakes:

    - ``"same"``: the reals that D is shown in this step, as in the 2019 notebook;
    - ``"other"``: other training images, none of them a real of this step;
    - ``"held_out"``: held-out images, which D never sees as real. Then no images are left to
      measure D with, so such a run has no diagnostics and is not evaluated.
    """

    at_epoch: int
    sigma: Schedule = Uniform(0.0, 0.1)
    of: Literal["same", "other", "held_out"] = "same"

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("PerfectG", "at_epoch", self.at_epoch)
        check_strength("PerfectG", "sigma", self.sigma)

    def first_epoch(self) -> int:
        return self.at_epoch

    def uses_held_out(self) -> bool:
        return self.of == "held_out"

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.at_epoch:
            return real, fake
        whose = real if self.of == "same" else context.sample_reals(self.of, len(real))
        return real, add_noise(whose, self.sigma, context)

    def should_update(self, player: Player, context: StepContext) -> bool:
        return player == "D" or context.epoch < self.at_epoch


@dataclass(frozen=True)
class NoiseOnReals(Intervention):
    """From ``from_epoch`` on, D is shown its reals with noise, and its fakes without noise.

    sigma  standard deviation, one draw for each batch, on the scale of [-1, 1]
    """

    sigma: Schedule = Uniform(0.0, 0.1)
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("NoiseOnReals", "from_epoch", self.from_epoch)
        check_strength("NoiseOnReals", "sigma", self.sigma)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.from_epoch:
            return real, fake
        return add_noise(real, self.sigma, context), fake


@dataclass(frozen=True)
class InstanceNoise(Intervention):
    """From ``from_epoch`` on, every image that D sees has noise, in D's step and in G's.

    Sønderby et al. 2017, section 3.2. ``sigma``: standard deviation, on the scale of [-1, 1]. It
    is drawn for each batch that D sees, so reals and fakes of one step may have unequal noise.
    """

    sigma: Schedule = Uniform(0.0, 0.1)
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("InstanceNoise", "from_epoch", self.from_epoch)
        check_strength("InstanceNoise", "sigma", self.sigma)

    def first_epoch(self) -> int:
        return self.from_epoch

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        return x if context.epoch < self.from_epoch else add_noise(x, self.sigma, context)
