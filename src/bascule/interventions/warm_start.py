"""An intervention before the game: G first learns to decode principal components."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.gan.game import Game
from bascule.interventions.hooks import Intervention, Player, check_epoch

_SIDE = 32  # px of the images whose components are taken
_LEAST = 1e-3  # of the largest deviation: a component with less is no component


@dataclass(frozen=True)
class WarmStart(Intervention):
    """G first learns to draw training images from their principal components, without D.

    The code of an image is its first z_dim principal components (of the image at 32 px), each
    divided by its standard deviation. So codes are uncorrelated with variance 1, as latents are,
    and the game begins from blurred images that differ with z. G learns by mean squared error
    with its own optimiser and rate. D and G play from ``until_epoch`` on, and D begins untrained.

    until_epoch  the first epoch, from 0, of the game, >= 1
    images       training images from which the components are computed
    batch        images of one step of G before the game

    Where there are fewer components than z has numbers, the others are drawn from N(0, 1). The mean
    squared error of the last step is a scalar of the run, ``error``.
    """

    until_epoch: int = 2
    images: int = 1000
    batch: int = 32

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("WarmStart", "until_epoch", self.until_epoch)
        for name, least in (("until_epoch", 1), ("images", 2), ("batch", 2)):
            if getattr(self, name) < least:
                raise UserError(
                    f"WarmStart({name}={getattr(self, name)}): expected a whole number >= {least}"
                )

    def on_step_start(self, game: Game, context: StepContext) -> None:
        found = context.recall("whitener")
        if context.epoch >= self.until_epoch:
            if found.ndim == 2:
                context.remember("whitener", torch.empty(0))  # checkpoints need it no longer
            return
        if found.ndim != 2:
            sample = context.within("components").sample_reals("other", self.images)
            found = whitener(_small(sample), game.z_dim)
            context.remember("whitener", found)
        real = context.sample_reals("other", self.batch)
        rest = torch.randn(len(real), game.z_dim, generator=context.rng("rest")).to(real.device)
        code = codes(_small(real), found.to(real.device))
        z = torch.cat([code, rest[:, code.shape[1] :]], 1)
        with game.autocast():
            error = (game.generate(z) - real).square().mean()
        game.optimizer_step(game.G, game.opt_G, error)
        context.remember("error", error)

    def should_update(self, player: Player, context: StepContext) -> bool:
        return context.epoch >= self.until_epoch


def _small(x: Tensor) -> Tensor:
    """Images (N, 3, H, W) as vectors (N, d), at 32 px at most."""
    if x.shape[-1] > _SIDE:
        x = F.adaptive_avg_pool2d(x.contiguous(), _SIDE)
    return x.float().flatten(1)


def whitener(vectors: Tensor, most: int) -> Tensor:
    """(k + 1, d): the mean of ``vectors`` (N, d), then k <= ``most`` whitened components.

    The product of a centred vector with such a component has variance 1 over ``vectors``.
    """
    mean = vectors.mean(0)
    # The N x N products are far smaller than d x d; in fp64, as eigenvalues are squares.
    centred = (vectors - mean).double()
    squares, sides = torch.linalg.eigh(centred @ centred.T / len(vectors))
    deviations = squares.clamp(min=0).sqrt().flip(0)[:most]
    sides = sides.flip(1)[:, :most]
    kept = deviations > _LEAST * deviations[0]
    found = (sides[:, kept].T @ centred) / (len(vectors) ** 0.5 * deviations[kept, None] ** 2)
    # The sign of an eigenvector is the solver's choice: make its largest entry positive.
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return torch.cat([mean[None], (found * largest.sign()).float()])


def codes(vectors: Tensor, components: Tensor) -> Tensor:
    """The codes (N, k) of ``vectors`` (N, d); ``components`` are what :func:`whitener` returns."""
    return (vectors - components[0]) @ components[1:].T
