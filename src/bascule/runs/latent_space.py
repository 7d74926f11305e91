"""The space that a run's G draws from, to walk in: random points, directions, truncation, walks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.latents.directions import Directions, of_pictures, of_points
from bascule.latents.paths import walk
from bascule.latents.styles import has_styles
from bascule.models.layers import Labelled
from bascule.runs.generate import AT_ONCE, restored
from bascule.runs.store import Run
from bascule.training.trainer import Trainer, evaluating

MOST_DIRECTIONS = 10
POINTS = 10_000  # of W, for its principal components


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """A trained G and the space of its latents: W where it has one, else z.

    Points are (N, dim) on the CPU. In W a walk is straight, elsewhere it follows great arcs.
    """

    trainer: Trainer[Any]
    epoch: int
    space: Literal["w", "z"]
    z_dim: int

    @classmethod
    def of(cls, run: Run, epoch: int | None = None) -> LatentSpace:
        """The space of a run's G after ``epoch`` epochs; None: the newest checkpoint.

        Executes the run's own code if it needs any. Raises :class:`UserError` if the run has no G
        that draws from latents, no such checkpoint, or code that the user does not trust.
        """
        recipe, state = restored(run, epoch)
        space: Literal["w", "z"] = "w" if has_styles(state.trainer.generator) else "z"
        return cls(state.trainer, state.epoch, space, recipe.z_dim or 0)

    def random(self, seed: int) -> Tensor:
        """One random point, (1, dim); a seed gives the same z to every G with its z_dim."""
        return self._of(torch.randn(1, self.z_dim, generator=generator("latents", seed)))

    def _of(self, z: Tensor) -> Tensor:
        if self.space == "z":
            return z
        with evaluating(self._G):
            w: Tensor = self._G.w_of(z.to(self.trainer.device)).float().cpu()
        return w

    @property
    def _G(self) -> Any:
        return self.trainer.generator

    @property
    def _fixed(self) -> int:
        """How many last numbers of z stand for a label, which no direction moves."""
        return 1 if isinstance(self._G, Labelled) else 0

    @cached_property
    def directions(self) -> Directions:
        """Its principal directions, at most ten; takes seconds where there is no W."""
        if self.space == "w":
            z = torch.randn(POINTS, self.z_dim, generator=generator("points of w"))
            return of_points(self._of(z), MOST_DIRECTIONS)
        k = min(MOST_DIRECTIONS, self.z_dim - self._fixed)
        rng = generator("directions")
        return of_pictures(self._floats, self.z_dim, k, rng, fixed=self._fixed)

    def _floats(self, z: Tensor) -> Tensor:
        G: nn.Module = self._G
        with evaluating(G):
            parts = [G(part.to(self.trainer.device)).float() for part in z.split(AT_ONCE)]
        return torch.cat(parts).cpu()

    def truncated(self, points: Tensor, psi: float) -> Tensor:
        """``points`` moved towards the middle of the space: 1 leaves them, 0 gives the middle.

        In W, mean + psi (w - mean) (Karras et al. 2019). In z, psi z, without a label's number.
        """
        if self.space == "w":
            mean = self._G.statistics.running_mean.float().cpu()
            moved: Tensor = mean + psi * (points - mean)
            return moved
        scale = torch.full((self.z_dim,), psi)
        scale[self.z_dim - self._fixed :] = 1
        return points * scale

    def draw(self, points: Tensor) -> np.ndarray:
        """Pictures uint8 (N, 3, H, W) of points (N, dim)."""
        trainer: Any = self.trainer
        if self.space == "w":
            parts = [trainer.sample_by(lambda G, w: G.from_w(w), p) for p in points.split(AT_ONCE)]
        else:
            parts = [trainer.sample(part) for part in points.split(AT_ONCE)]
        drawn: np.ndarray = torch.cat(parts).numpy()
        return drawn

    def walk(self, stops: Tensor, frames: int) -> Tensor:
        """A closed walk through ``stops`` (K, dim): (K * frames, dim)."""
        return walk(stops, frames, "linear" if self.space == "w" else "slerp")
