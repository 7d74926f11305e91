"""Penalties on D (gradient penalties, LeCam, logit centring, consistency) and on G (transport).

They are added to the loss. A penalty is a frozen value, called once in the step of its player.
Squared gradient norms are summed over the
pixels of an image and averaged over the batch.

``every``: a lazy penalty is computed only in every n-th step, with n times its weight, so that its
mean stays the same. The papers of R1, R2, WGAN-GP and DRAGAN compute theirs in every step. Karras
et al. 2020 (StyleGAN2), appendix B, use ``every`` > 1 with R1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import Open, check_fields
from bascule.core.schedules import Schedule, check_strength, value_at
from bascule.data.augment import Affine, Flip

Side = Literal["real", "fake"]


@dataclass
class Turn:
    """What a penalty gets in D's step.

    images        for each side, what D was shown, (B, 3, H, W), before any ``augment`` of an
                  intervention
    logits        for each side, (B,), with a graph back to the images of the sides that a penalty
                  ``differentiates``
    discriminate  ``(x, name, side)`` -> D's logits of other images, after the interventions'
                  ``augment``. D's normalisation statistics stay unchanged. A conditional D gets the
                  labels of that side.
    context       of this step, with draws and a memory for the penalty
    rebuild       ``quarter`` (0 to 3) -> what D's decoders make of the reals after ``augment``, and
                  what they should make; only for a D that has decoders
    """

    images: dict[Side, Tensor]
    logits: dict[Side, Tensor]
    discriminate: Callable[[Tensor, str, Side], Tensor]
    context: StepContext
    rebuild: Callable[[int], tuple[Tensor, Tensor]] | None = None


class Penalty(Open):
    """Base of penalties on D, as a frozen dataclass.

    differentiates  the sides ("real", "fake") whose images need gradients
    every           steps between two computations, >= 1
    rebuilds        whether D must have decoders
    """

    differentiates: ClassVar[tuple[Side, ...]] = ()
    rebuilds: ClassVar[bool] = False
    every: int = 1

    def due(self, context: StepContext) -> bool:
        """Whether it is computed in this step."""
        return context.step % self.every == 0

    def images_of(self, batch: int) -> int:
        """How many images of a batch it takes; several processes must be able to share them."""
        return batch

    def __call__(self, turn: Turn) -> Tensor:
        """The penalty in this step, a scalar."""
        raise NotImplementedError

    def _check(self, *strengths: str) -> None:
        check_fields(self)
        name = type(self).__name__
        if self.every < 1:
            raise UserError(f"{name}(every={self.every}): expected a whole number of steps >= 1")
        for field in strengths:
            check_strength(name, field, getattr(self, field))


def squared_slope(logits: Tensor, images: Tensor) -> Tensor:
    """||d logit / d image||² of each image, (B,), differentiable once more.

    If D has BatchNorm, this includes the effect of an image on the other logits of the batch.
    """
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.square().sum((1, 2, 3))


def _zero_centred(turn: Turn, side: Side, gamma: Schedule, every: int) -> Tensor:
    strength = every * value_at(gamma, turn.context) / 2
    return strength * squared_slope(turn.logits[side], turn.images[side]).mean()


@dataclass(frozen=True)
class R1(Penalty):
    """gamma/2 E ||grad D(x)||² over reals (Mescheder et al. 2018, equation 9).

    The gradient is with respect to the image before any augmentation, through the augmentation
    that D sees it with (Huang et al. 2024, appendix).
    """

    gamma: Schedule = 10.0
    every: int = 1
    differentiates: ClassVar[tuple[Side, ...]] = ("real",)

    def __post_init__(self) -> None:
        self._check("gamma")

    def __call__(self, turn: Turn) -> Tensor:
        return _zero_centred(turn, "real", self.gamma, self.every)


@dataclass(frozen=True)
class R2(Penalty):
    """As :class:`R1`, over fakes (Mescheder et al. 2018, equation 9)."""

    gamma: Schedule = 10.0
    every: int = 1
    differentiates: ClassVar[tuple[Side, ...]] = ("fake",)

    def __post_init__(self) -> None:
        self._check("gamma")

    def __call__(self, turn: Turn) -> Tensor:
        return _zero_centred(turn, "fake", self.gamma, self.every)


@dataclass(frozen=True)
class _FiniteDifference(Penalty):
    """gamma/2 E ((D(x + eps n) - D(x)) / eps)², with n ~ N(0, I) per pixel: no double backward.

    As eps goes to 0, its mean over n is that of gamma/2 ||grad D(x)||². Lin et al. 2025
    ("Adversarial flow models", arXiv 2511.22475), who take gamma/2 = 0.25, eps = 0.01 and the first
    quarter of the batch.

    gamma  weight, as that of :class:`R1`
    eps    standard deviation of the noise, > 0
    share  of the batch that it looks at, in (0, 1]: D judges these images twice more

    Both views have the same augmentation. It is computed in fp32 in any precision, because it
    divides a small difference by ``eps``. For a D without BatchNorm and dropout.
    """

    gamma: Schedule = 10.0
    eps: float = 0.01
    share: float = 0.25
    every: int = 1
    side: ClassVar[Side] = "real"

    def __post_init__(self) -> None:
        self._check("gamma")
        name = type(self).__name__
        if not self.eps > 0:
            raise UserError(f"{name}(eps={self.eps}): expected a number > 0")
        if not 0 < self.share <= 1:
            raise UserError(f"{name}(share={self.share}): expected a number in (0, 1]")

    def images_of(self, batch: int) -> int:
        return max(1, round(self.share * batch))

    def __call__(self, turn: Turn) -> Tensor:
        whole = turn.images[self.side].detach()
        x = whole[: self.images_of(len(whole))]
        rng = turn.context.device_rng("noise")
        noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            near, at = (
                turn.discriminate(y, f"difference/{self.side}", self.side)
                for y in (x + self.eps * noise, x)
            )
        slope = (near - at).reshape(len(x), -1).sum(1) / self.eps  # summed over heads, as in R1
        return self.every * value_at(self.gamma, turn.context) / 2 * slope.square().mean()


@dataclass(frozen=True)
class FiniteR1(_FiniteDifference):
    """:class:`R1` by finite differences, over reals; without a double backward pass."""


@dataclass(frozen=True)
class FiniteR2(_FiniteDifference):
    """:class:`R2` by finite differences: as :class:`FiniteR1`, over fakes."""

    side: ClassVar[Side] = "fake"


@dataclass(frozen=True)
class LogitCentring(Penalty):
    """weight E (D(x) + D(G(z)))², which keeps the logits of reals and fakes around 0.

    For losses that know only differences of logits, such as the relativistic one. Lin et al. 2025
    ("Adversarial flow models", arXiv 2511.22475).
    """

    weight: float = 0.01
    every: int = 1

    def __post_init__(self) -> None:
        self._check("weight")

    def __call__(self, turn: Turn) -> Tensor:
        both = turn.logits["real"] + turn.logits["fake"]
        return self.every * self.weight * both.square().mean()


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """weight E (||grad D(u)|| - 1)², with u at a random point between a real and a fake.

    WGAN-GP, Gulrajani et al. 2017, equation 3. For a D without BatchNorm.
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        self._check("weight")

    def __call__(self, turn: Turn) -> Tensor:
        real, fake = (turn.images[side].detach() for side in ("real", "fake"))
        share = torch.rand((len(real), 1, 1, 1), generator=turn.context.rng("share")).to(
            real.device
        )
        u = (share * real + (1 - share) * fake).requires_grad_()
        return self.every * self.weight * _one_centred(turn.discriminate(u, "between", "real"), u)


@dataclass(frozen=True)
class DRAGAN(Penalty):
    """weight E (||grad D(x + noise)|| - 1)² around reals, with noise ~ N(0, sigma²) per pixel.

    Kodali et al. 2017, algorithm 1.
    """

    weight: float = 10.0
    sigma: float = 0.1
    every: int = 1

    def __post_init__(self) -> None:
        self._check("weight", "sigma")

    def __call__(self, turn: Turn) -> Tensor:
        real = turn.images["real"].detach()
        rng = turn.context.device_rng("noise")
        noise = torch.randn(real.shape, generator=rng, device=real.device)
        u = (real + self.sigma * noise).requires_grad_()
        return self.every * self.weight * _one_centred(turn.discriminate(u, "around", "real"), u)


def _one_centred(logits: Tensor, images: Tensor) -> Tensor:
    # The square root has no derivative at 0: a flat D would give NaN.
    return ((squared_slope(logits, images) + 1e-12).sqrt() - 1).square().mean()


@dataclass(frozen=True)
class LeCam(Penalty):
    """weight (E max(0, D(x) - f)² + E max(0, r - D(G(z)))²): keeps D near its own past.

    r and f are moving averages of D's mean logits of reals and fakes; they start at 0. Tseng et al.
    2021, equation 3, with only one side of each square, as in their program. The weight is 0 before
    ``from_epoch``, so that the averages can settle. decay: of the averages, in [0, 1).
    """

    weight: float = 0.3
    decay: float = 0.99
    from_epoch: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        self._check("weight")
        if not 0 <= self.decay < 1:
            raise UserError(f"LeCam(decay={self.decay}): expected a number in [0, 1)")

    def __call__(self, turn: Turn) -> Tensor:
        kept = {}
        for side, logits in turn.logits.items():
            mean = logits.detach().mean()
            before = turn.context.recall(side).to(mean)
            kept[side] = self.decay * before + (1 - self.decay) * mean
            turn.context.remember(side, kept[side])
        far_real = relu(turn.logits["real"] - kept["fake"]).square().mean()
        far_fake = relu(kept["real"] - turn.logits["fake"]).square().mean()
        on = float(turn.context.epoch >= self.from_epoch)
        return on * self.every * self.weight * (far_real + far_fake)


@dataclass(frozen=True)
class Consistency(Penalty):
    """weight_real E (D(x) - D(T x))² + weight_fake E (D(G(z)) - D(T G(z)))².

    T mirrors each image with probability 1/2 and moves it by whole pixels, up to an eighth of the
    side, filled by reflection. Balanced consistency regularisation (bCR), Zhao et al. 2021,
    equation 4.
    """

    weight_real: float = 10.0
    weight_fake: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        self._check("weight_real", "weight_fake")

    def __call__(self, turn: Turn) -> Tensor:
        total = torch.zeros(())
        weights: dict[Side, float] = {"real": self.weight_real, "fake": self.weight_fake}
        for side, weight in weights.items():
            images, at = turn.images[side].detach(), turn.context.within(side)
            again = turn.discriminate(_moved(images, at), f"moved/{side}", side)
            total = total + weight * (turn.logits[side] - again).square().mean()
        return self.every * total


def _moved(x: Tensor, context: StepContext) -> Tensor:
    return Affine(translate=1 / 8)(Flip()(x, context.rng("mirror")), context.rng("move"))


@dataclass(frozen=True)
class Reconstruction(Penalty):
    """weight E (rebuilt - x)²: D's decoders must rebuild real images from D's features.

    Self-supervision of D (Liu et al. 2021, equation 4), for a model with decoders (FastGAN). Mean
    over pixels and images, summed over the decoders. x has all augmentation that D sees. One
    decoder rebuilds a quarter of the image, drawn in each step. The mean squared error stands for
    the distance in a network's features, LPIPS, of their program.
    """

    weight: float = 1.0
    every: int = 1
    rebuilds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check("weight")

    def __call__(self, turn: Turn) -> Tensor:
        assert turn.rebuild is not None, "a D with decoders"
        quarter = int(torch.randint(4, (), generator=turn.context.rng("quarter")))
        rebuilt, target = turn.rebuild(quarter)
        return self.every * self.weight * (rebuilt - target).square().mean((0, 2, 3, 4)).sum()


PENALTIES: tuple[type[Penalty], ...] = (
    *(R1, R2, FiniteR1, FiniteR2, GradientPenalty, DRAGAN),
    *(LeCam, LogitCentring, Consistency, Reconstruction),
)


@dataclass
class TurnOfG:
    """What a penalty of G gets in G's step.

    z        the latents (B, z_dim)
    images   G's images for them (B, 3, H, W), with a graph back to G
    context  of this step, with draws and a memory for the penalty
    """

    z: Tensor
    images: Tensor
    context: StepContext


class GeneratorPenalty(Open):
    """Base of what G pays beside its loss, as a frozen dataclass."""

    def check(self, z_dim: int, size: int) -> None:
        """Raise :class:`UserError` if it is not for latents (B, z_dim) of images of this size."""

    def __call__(self, turn: TurnOfG) -> Tensor:
        """The penalty in this step, a scalar."""
        raise NotImplementedError


@dataclass(frozen=True)
class Transport(GeneratorPenalty):
    """weight E (G(z) - z)² per number, for latents that have the shape of an image.

    It prefers the map from noise to images that moves least, so that G and D no longer choose among
    all maps between the two distributions. Lin et al. 2025 ("Adversarial flow models", arXiv
    2511.22475), who let the weight fall from 0.2 to 0.005 along a cosine. Their normalisation of
    gradients (:class:`bascule.interventions.NormaliseGradients`) keeps D's part in proportion.
    """

    weight: Schedule = 0.05

    def __post_init__(self) -> None:
        check_fields(self)
        check_strength("Transport", "weight", self.weight)

    def check(self, z_dim: int, size: int) -> None:
        if z_dim != 3 * size**2:
            raise UserError(
                f"Transport with latents of {z_dim} numbers: expected latents of the shape of an "
                f"image, as many as 3 x {size} x {size} = {3 * size**2}; set model.z_dim="
                f"{3 * size**2} or remove it from generator_penalties"
            )

    def __call__(self, turn: TurnOfG) -> Tensor:
        numbers = turn.images[0].numel()  # a label in the latents comes last
        z = turn.z[:, :numbers].view(turn.images.shape)
        return value_at(self.weight, turn.context) * (turn.images - z).square().mean()
