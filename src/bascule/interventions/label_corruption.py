"""Label corruption: D is shown reals as fakes, or fakes as reals, or variants of the literature.

These interventions change only D's batch. In G's step D judges G's own fakes, unless an
intervention says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.core.schedules import Schedule, check_strength
from bascule.interventions.adaptive import adapted, check_adaptive
from bascule.interventions.hooks import Intervention, check_epoch
from bascule.interventions.noise import add_noise


def _check_count(owner: str, name: str, value: int) -> None:
    if value < 1:
        raise UserError(f"{owner}({name}={value}): expected a whole number >= 1")


def _check_share(owner: str, name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise UserError(f"{owner}({name}={value}): expected a share in (0, 1]")


def _fits(owner: str, t: int, batch: int) -> None:
    if t > batch:
        raise UserError(f"{owner}(t={t}): expected at most the batch size, {batch}")


@dataclass(frozen=True)
class RealsAmongFakes(Intervention):
    """From ``from_epoch`` on, ``t`` fakes of D's batch are replaced by reals, labelled as fake.

    The "negative lie" of a 2019 notebook (t = 6 of 64): the first ``t`` reals of the step, plus
    noise, replace the first ``t`` fakes. They stay among the reals too.

    t            how many, from 1 to the batch size
    sigma        standard deviation of the noise, one draw for each batch
    every_steps  acts only in every n-th step
    G_sees       D judges the same batch in G's step, as in 2019. Then G learns nothing from ``t``
                 of its fakes. Its loss and D's batch statistics include the ``t`` reals, which give
                 G no gradient.
    """

    t: int = 6
    sigma: Schedule = 0.0
    from_epoch: int = 0
    every_steps: int = 1
    G_sees: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        _check_count("RealsAmongFakes", "t", self.t)
        _check_count("RealsAmongFakes", "every_steps", self.every_steps)
        check_strength("RealsAmongFakes", "sigma", self.sigma)
        check_epoch("RealsAmongFakes", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def _acts(self, context: StepContext) -> bool:
        return context.epoch >= self.from_epoch and context.step % self.every_steps == 0

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if not self._acts(context):
            return real, fake
        _fits("RealsAmongFakes", self.t, len(real))
        lies = add_noise(real[: self.t], self.sigma, context)
        return real, torch.cat([lies, fake[self.t :]])

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        return own if self._acts(context) and not self.G_sees else shown


@dataclass(frozen=True)
class FakesAmongReals(Intervention):
    """From ``from_epoch`` on, the ``t`` fakes that D scores highest are shown as reals.

    The "positive lie" of a 2019 notebook (t = 6 of 64). D scores the fakes at the beginning of the
    step. The best ``t`` replace the first ``t`` reals, and stay among the fakes too.
    """

    t: int = 6
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_count("FakesAmongReals", "t", self.t)
        check_epoch("FakesAmongReals", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.from_epoch:
            return real, fake
        _fits("FakesAmongReals", self.t, len(real))
        best = context.discriminate(fake).topk(self.t).indices
        return torch.cat([fake[best].detach(), real[self.t :]]), fake


@dataclass(frozen=True)
class PseudoAugmentation(Intervention):
    """Adaptive pseudo augmentation (APA, Jiang et al. 2021): fakes among the reals.

    Each real is replaced, with probability p, by a fake of the same step. p starts at 0. It rises
    if r_t = E[sign(logit)] over the reals of the previous step exceeds ``target``, and falls if it
    is below. It needs ``speed_images`` images to go from 0 to 1. The paper adjusts p every 4 steps,
    by the mean over these 4, and takes the fakes of G's last step.
    """

    target: float = 0.6
    speed_images: int = 500_000
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_adaptive("PseudoAugmentation", self.target, self.speed_images)
        check_epoch("PseudoAugmentation", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.from_epoch:
            return real, fake
        p = adapted(context, self.target, len(real) / self.speed_images)
        lie = torch.rand((len(real), 1, 1, 1), generator=context.rng("lie")) < p
        order = torch.randperm(len(fake), generator=context.rng("order")).to(fake.device)
        return torch.where(lie.to(real.device), fake.detach()[order], real), fake


@dataclass(frozen=True)
class NegativeAugmentation(Intervention):
    """Negative data augmentation (Sinha et al. 2021): broken reals among the fakes.

    A ``share`` of D's fakes are reals of the step, cut into ``grid`` x ``grid`` tiles in a wrong
    order (the paper's Jigsaw), with one order for each image. So D learns that an image in pieces
    is fake. The paper weights two losses; a share of the batch gives the same in expectation.
    """

    share: float = 0.25
    grid: int = 2
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_share("NegativeAugmentation", "share", self.share)
        if not 2 <= self.grid <= 8:
            raise UserError(f"NegativeAugmentation(grid={self.grid}): expected 2 to 8 tiles a side")
        check_epoch("NegativeAugmentation", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.from_epoch:
            return real, fake
        n = max(1, round(self.share * len(real)))
        broken = jigsaw(real[:n], self.grid, context.rng("jigsaw"))
        return real, torch.cat([broken, fake[n:]])

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        return shown if context.epoch < self.from_epoch else own


def jigsaw(x: Tensor, grid: int, rng: torch.Generator) -> Tensor:
    """Each image of x (B, C, H, W) cut into grid x grid tiles, in a wrong order.

    Raises :class:`UserError` if ``grid`` does not divide the sides.
    """
    b, c, h, w = x.shape
    if h % grid or w % grid:
        raise UserError(
            f"jigsaw of {h} x {w} pixels: {grid} tiles a side do not fit; expected a grid that "
            "divides both sides"
        )
    tiles = x.reshape(b, c, grid, h // grid, grid, w // grid).permute(0, 2, 4, 1, 3, 5)
    tiles = tiles.reshape(b, grid * grid, c, h // grid, w // grid)
    orders = torch.rand(b, grid * grid, generator=rng).argsort(1)
    right = torch.arange(grid * grid)
    # The right order is shifted by one tile, so one wrong order is a little more probable.
    orders = torch.where((orders == right).all(1, keepdim=True), right.roll(1), orders)
    tiles = tiles[torch.arange(b)[:, None].to(x.device), orders.to(x.device)]
    tiles = tiles.reshape(b, grid, grid, c, h // grid, w // grid).permute(0, 3, 1, 4, 2, 5)
    return tiles.reshape(b, c, h, w)


@dataclass(frozen=True)
class FakeHistory(Intervention):
    """Shows D earlier fakes from a pool (Shrivastava et al. 2017, section 2.3).

    A ``share`` of D's fakes come from a pool of ``size`` images. In each step, as many random fakes
    of this step replace random images of the pool. Until the pool is full, it takes all fakes, and
    D sees only those of the step.
    """

    size: int = 256
    share: float = 0.5
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        _check_count("FakeHistory", "size", self.size)
        _check_share("FakeHistory", "share", self.share)
        check_epoch("FakeHistory", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch < self.from_epoch:
            return real, fake
        new = fake.detach()
        pool = context.recall("pool").to(new.device, new.dtype)
        pool = new[:0] if pool.ndim == 0 else pool[: self.size]
        if len(pool) < self.size:
            context.remember("pool", torch.cat([pool, new])[: self.size].clone())
            return real, fake
        n = min(max(1, round(self.share * len(new))), self.size)
        drawn = torch.randperm(self.size, generator=context.rng("drawn"))[:n].to(new.device)
        placed = torch.randperm(self.size, generator=context.rng("placed"))[:n].to(new.device)
        order = torch.randperm(len(new), generator=context.rng("order")).to(new.device)
        shown = torch.cat([pool[drawn], new[order[n:]]])
        pool = pool.clone()
        pool[placed] = new[order[:n]]
        context.remember("pool", pool)
        return real, shown

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        return shown if context.epoch < self.from_epoch else own
