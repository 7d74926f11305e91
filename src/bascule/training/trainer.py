"""Trainers: networks and optimisers, their training step, and their samples.

A recipe is a plain value; ``recipe.build()`` makes its trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from bascule.core.context import StepContext, generator
from bascule.core.distributed import ProcessGroup
from bascule.core.errors import UserError
from bascule.core.optimizers import load_optimizer
from bascule.data.augment import Augmentation
from bascule.data.batches import as_float
from bascule.data.color import to_space
from bascule.data.grid import grid
from bascule.data.images import ImageSubset

R = TypeVar("R")
Working = Callable[[str, int, int], None]


def _unwatched(what: str, done: int, of: int) -> None:
    pass


@dataclass(frozen=True)
class Batch:
    """The input of one training step.

    reals     all training images; ``reals[places]`` is a tensor uint8 (n, 3, H, W). On the CPU they
              stay in the image set, such as on disk, and a step reads what it needs
    indices   (B,), the images of this step
    epoch     from 0
    step      from 0, over the whole run
    held_out  held-out images like ``reals``, for interventions that show some to D
    labels    (N,), the class of each training image, if the networks see labels
    working   ``(what, done, of)``, called during long preparations, before anything has changed;
              it may raise :class:`bascule.training.loop.Stopped`
    """

    reals: Tensor | ImageSubset
    indices: Tensor
    epoch: int
    step: int
    held_out: Tensor | ImageSubset | None = None
    labels: Tensor | None = None
    working: Working = _unwatched

    def pixels(self, device: torch.device) -> Tensor:
        """The images of this step, uint8 (B, 3, H, W), on ``device``."""
        return self.reals[self.indices.to(self.reals.device)].to(device)

    @property
    def images(self) -> Tensor:
        """All training images as one tensor, uint8 (N, 3, H, W), in memory."""
        return self.reals.whole if isinstance(self.reals, ImageSubset) else self.reals


class Trainer(Generic[R]):
    """Networks, optimisers and everything that changes while they train.

    Each kind of recipe has its own subclass, which defines the step. :meth:`state_dict` is what
    checkpoints hold: by default, every attribute that is a network or an optimiser.
    """

    def __init__(self, recipe: R, device: torch.device) -> None:
        self.recipe, self.device = recipe, device

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step; returns its detached scalars by name.

        The loop seeds PyTorch's global generator before it, for layers that draw from it, such as
        dropout.
        """
        raise NotImplementedError

    def preview(self) -> Image.Image:
        """A picture of the progress: by default, samples for the same 64 latents."""
        return grid(self.sample(fixed_z(self.recipe, 64)), 8)

    def preview_judged(self) -> Image.Image | None:
        """The last reals (left) and fakes (right) that D judged; None if there is no D."""
        return None

    def sample(self, z: Tensor) -> Tensor:
        """Images uint8 RGB (N, 3, H, W) on the CPU for latents (N, z_dim)."""
        raise UserError(
            f"a {type(self.recipe).__name__} has no latents to draw from; use another kind of run"
        )

    @property
    def generator(self) -> nn.Module | None:
        """The network from latents (N, z_dim) to images in [-1, 1]; None if there is none."""
        return None

    def join(self, group: ProcessGroup) -> None:
        """Train as one of several processes from now on. Raises :class:`UserError` if it cannot."""
        raise UserError(f"a {type(self.recipe).__name__} trains on one process only")

    def _parts(self) -> dict[str, Any]:
        kinds = nn.Module | torch.optim.Optimizer
        return {name: part for name, part in vars(self).items() if isinstance(part, kinds)}

    def state_dict(self) -> dict[str, Any]:
        """The state for checkpoints: tensors and plain values only."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load weights and moments; learning rates stay those of the recipe."""
        for name, part in self._parts().items():
            if isinstance(part, torch.optim.Optimizer):
                load_optimizer(part, saved[name])
            else:
                part.load_state_dict(saved[name])


def prepare(
    batch: Tensor, augment: Sequence[Augmentation], space: str, context: StepContext
) -> Tensor:
    """uint8 RGB (B, 3, H, W) to network input: augmented, in the colour space, in [-1, 1]."""
    x = as_float(batch)
    for place, transform in enumerate(augment):
        x = transform(x, context.rng(f"augment.{place}"))
    return to_space(x, space)


def fixed_z(recipe: Any, n: int) -> Tensor:
    """The latents (n, z_dim) of every sample grid of a run; they depend on the seed alone."""
    return torch.randn(n, recipe.z_dim or 0, generator=generator(recipe.seed, "fixed z"))


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Compute with running BatchNorm statistics and without gradients; then back to training."""
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        net.train()
