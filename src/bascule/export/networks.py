"""A run's generator or translators as networks that need no preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.data.color import from_space
from bascule.gan.game import Game
from bascule.runs.generate import load_trainer
from bascule.runs.store import Run
from bascule.runs.weights import plain_state
from bascule.translation.translate import ways_of


@dataclass(frozen=True)
class Portable:
    """A network in eval mode on the CPU, and what it takes and gives.

    name   "generator", "translator" or "translator-back"
    net    maps a batch of inputs to images (N, C, H, W) in [0, 1]
    takes  the name of its input: latents "z" ~ N(0, I), or a "picture" in [0, 1]
    gives  the name of its output
    shape  of one input, without the batch
    epoch  how many epochs it was trained
    """

    name: str
    net: nn.Module
    takes: str
    gives: str
    shape: tuple[int, ...]
    epoch: int

    def inputs(self, n: int) -> Tensor:
        """``n`` inputs, always the same."""
        rng = generator("portable", n)
        draw = torch.randn if self.takes == "z" else torch.rand
        return draw(n, *self.shape, generator=rng)

    def outputs(self, x: Tensor) -> Tensor:
        """The images of a batch."""
        with torch.no_grad():
            made: Tensor = self.net(x)
        return made


class _Draws(nn.Module):
    """Latents -> images in [0, 1] of a G whose images are in [-1, 1] in ``space``."""

    def __init__(self, net: nn.Module, space: str) -> None:
        super().__init__()
        self.net, self.space = net, space

    def forward(self, z: Tensor) -> Tensor:
        return (from_space(self.net(z), self.space).clamp(-1, 1) + 1) / 2


class _Translates(nn.Module):
    """Images in [0, 1] to images in [0, 1], by a network of images in [-1, 1]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        made: Tensor = self.net(picture * 2 - 1)
        return (made + 1) / 2


def portables(run: Run, epoch: int | None = None) -> list[Portable]:
    """The generator of a run, or its translators: there, and back if it has one.

    ``epoch``: a kept checkpoint; None: the newest. Raises :class:`UserError` for a run that has
    neither.
    """
    recipe = run.recipe
    if recipe.evaluates == "translations":
        ways = ways_of(run, epoch)
        shape = (3, recipe.data.size, recipe.data.size)
        nets = {"translator": ways.there, "translator-back": ways.back}
        return [
            _portable(name, _Translates(way.net), "picture", "translation", shape, ways.epoch)
            for name, way in nets.items()
            if way is not None
        ]
    if recipe.z_dim is None:
        kind = type(recipe).__name__
        raise UserError(f"{run.id} has no G and no translator: it is a {kind}")
    _, state = load_trainer(run, epoch)
    net = _Draws(cast(nn.Module, state.trainer.generator), recipe.space)
    return [_portable("generator", net, "z", "image", (recipe.z_dim,), state.epoch)]


def _portable(
    name: str, net: nn.Module, takes: str, gives: str, shape: tuple[int, ...], epoch: int
) -> Portable:
    return Portable(name, net.cpu().float().eval(), takes, gives, shape, epoch)


def largest_difference(portable: Portable, theirs: Callable[[Tensor], Tensor]) -> float:
    """Between the images of a network and those of ``theirs``, at two batch sizes."""
    worst = 0.0
    for n in (1, 3):
        x = portable.inputs(n)
        worst = max(worst, float((portable.outputs(x) - theirs(x)).abs().max()))
    return worst


def weights_of(run: Run, epoch: int | None = None) -> dict[str, dict[str, Tensor]]:
    """The state dicts of a run's networks by name, contiguous and on the CPU.

    "generator" (the averaged one, if there is one) and "discriminator", or "translator" and
    "translator-back". Raises as :func:`portables`.
    """
    if run.recipe.evaluates == "translations":
        ways = ways_of(run, epoch)
        both = {"translator": ways.there, "translator-back": ways.back}
        return {name: plain_state(way.net) for name, way in both.items() if way is not None}
    _, state = load_trainer(run, epoch)
    game = getattr(state.trainer, "game", None)
    found = {"generator": plain_state(cast(nn.Module, state.trainer.generator))}
    return found | ({"discriminator": plain_state(game.D)} if isinstance(game, Game) else {})
