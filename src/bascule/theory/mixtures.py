"""Rings and grids of Gaussians: how many modes does G find?

The protocol of PacGAN (Lin et al. 2018, section 4.1, and its public code): 8 modes on a circle
of radius 1, sigma 0.01, or 25 modes on {-4, -2, 0, 2, 4}², sigma 0.05; 100,000 training points;
batch 100; G has four hidden layers of 400, without biases, with batch normalisation and ReLU; D has
three maxout layers of 200 units of 5 pieces; Adam 1e-4, beta1 0.8; weights N(0, 0.02²); z is N(0,
I) in 2 dimensions; 400 epochs. Then G draws 2,500 points with its running statistics. A point is of
*high quality* if it lies within 3 sigma of its nearest mode. A mode is found if it has one such
point.

Departures: D is updated first and G sees the updated D, as in the project's step; in the paper both
are updated from the same point. Three seeds instead of ten. The two-minute schedule departs
further, see :data:`TWO_MINUTES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bascule.core.context import StepContext, generator
from bascule.gan.game import Game
from bascule.gan.step import Rules, gan_step
from bascule.interventions import Intervention
from bascule.theory.nets import Maxout, filled

POINTS = 100_000  # training points
Z_DIM = 2
HIGH_QUALITY = 3.0  # sigmas


@dataclass(frozen=True)
class Mixture:
    """Equally likely round Gaussians around ``means`` (M, 2)."""

    name: str
    means: np.ndarray
    sigma: float

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """(n, 2) points."""
        means = torch.from_numpy(self.means).float()
        which = torch.randint(len(means), (n,), generator=rng)
        return means[which] + self.sigma * torch.randn(n, 2, generator=rng)


def ring() -> Mixture:
    """8 Gaussians of deviation 0.01 on the unit circle."""
    turns = 2 * np.pi * np.arange(8) / 8
    return Mixture("ring-8", np.stack([np.cos(turns), np.sin(turns)], 1), 0.01)


def grid() -> Mixture:
    """25 Gaussians of deviation 0.05 on a square grid, 2 apart."""
    axis = np.arange(-4.0, 5.0, 2.0)
    return Mixture("grid-25", np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), 0.05)


@dataclass(frozen=True)
class Count:
    """Modes found, and the share of points of high quality."""

    modes: int
    high_quality: float


def count(points: np.ndarray, mixture: Mixture) -> Count:
    """The counting rule for points (n, 2); a distance of exactly 3 sigma is too far."""
    far = np.linalg.norm(points[:, None, :] - mixture.means, axis=2)
    good = far.min(1) < HIGH_QUALITY * mixture.sigma
    return Count(len(np.unique(far.argmin(1)[good])), float(good.mean()))


@dataclass(frozen=True)
class Schedule:
    """The sizes of a run. ``falls``: the learning rate falls linearly to 0."""

    steps: int = 400_000
    width_G: int = 400
    width_D: int = 200
    std: float = 0.02  # standard deviation of initial weights
    lr: float = 1e-4
    falls: bool = False
    batch: int = 100
    generated: int = 2500


PUBLISHED = Schedule()
# 3 epochs instead of 400, with narrow networks, larger initial weights and learning rates.
TWO_MINUTES = Schedule(steps=3000, width_G=64, width_D=32, std=0.1, lr=4e-3, falls=True)


def players(schedule: Schedule, seed: int) -> tuple[nn.Module, nn.Module]:
    """G and D of this width, with weights drawn from ``seed``."""

    def G() -> nn.Sequential:
        parts: list[nn.Module] = []
        for k in range(4):
            inputs = schedule.width_G if k else Z_DIM
            parts += [
                nn.Linear(inputs, schedule.width_G, bias=False),
                nn.BatchNorm1d(schedule.width_G, eps=1e-4, momentum=0.05),
                nn.ReLU(),
            ]
        return nn.Sequential(*parts, nn.Linear(schedule.width_G, 2))

    def D() -> nn.Sequential:
        hidden = [Maxout(schedule.width_D if k else 2, schedule.width_D, 5) for k in range(3)]
        return nn.Sequential(*hidden, nn.Linear(schedule.width_D, 1), nn.Flatten(0))

    return (
        filled(G, generator("theory/mixture/G", seed), schedule.std),
        filled(D, generator("theory/mixture/D", seed), schedule.std),
    )


def play(
    mixture: Mixture, schedule: Schedule, seed: int, tell: Callable[[float], None]
) -> np.ndarray:
    """Train with the project's step and return G's points, (generated, 2).

    ``tell`` is called with the share that is done, now and then.
    """
    real = mixture.draw(POINTS, generator("theory/mixture/data", mixture.name, seed))
    G, D = players(schedule, seed)
    opt_G, opt_D = (
        torch.optim.Adam(player.parameters(), schedule.lr, betas=(0.8, 0.999), fused=True)
        for player in (G, D)
    )
    game = Game(G, D, opt_G, opt_D, Z_DIM, torch.device("cpu"))
    per_epoch = POINTS // schedule.batch
    for step in range(schedule.steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            order = torch.randperm(POINTS, generator=generator("theory/mixture/order", seed, epoch))
        if schedule.falls:
            for optimizer in (opt_G, opt_D):
                optimizer.param_groups[0]["lr"] = schedule.lr * (1 - step / schedule.steps)
        batch = real[order[place * schedule.batch : (place + 1) * schedule.batch]]
        context = StepContext(seed, epoch, step, scope=f"theory/{mixture.name}")
        gan_step(game, batch, context, Intervention(), Rules(concat=True))
        if step % 200 == 0:
            tell(step / schedule.steps)
    G.eval()
    with torch.no_grad():
        z = torch.randn(
            schedule.generated, Z_DIM, generator=generator("theory/mixture/z", mixture.name, seed)
        )
        points: Tensor = G(z)
        return points.numpy()
