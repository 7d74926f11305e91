"""The base classes of recipes and trainers for image translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bascule.core.context import StepContext, generator
from bascule.core.optimizers import autocast
from bascule.core.schedules import Rate, value_at
from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.grid import grid
from bascule.data.images import DOMAIN, ImageSet
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Trainer, prepare
from bascule.translation.step import Translators

SHOWN = 8  # images of each set in a sample grid


@dataclass(frozen=True)
class TranslationRecipe(Recipe):
    """A recipe for translation between two image sets.

    A step takes ``batch`` images of each set. Each set has its own random order, which is drawn
    again after each pass. The number of steps per epoch is the number of batches in both sets
    together. Every pixel gets uniform noise of one grey level, so that no image is completely flat.
    """

    epochs: int = 100
    batch: int = 1
    sample_every_epochs: int = 1
    keep_every_epochs: int = 10
    # optimisation (Adam)
    lr: Rate = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    # input of the networks
    augment: tuple[Augmentation, ...] = ()
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True

    evaluates = "translations"
    image_sets = 2
    preview_rows = 2  # images of the first set, and their translations

    def _check_translation(self, *weights: str) -> None:
        """Check the common fields; ``weights``: names of fields that must be >= 0."""
        self._check()
        self._expect("batch", self.batch >= 1, "at least 1 image of each set")
        self._check_rate("lr")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        for name in weights:
            self._expect(name, getattr(self, name) >= 0, "a number >= 0")
        self._check_size("turns")

    def labels_of(self, images: ImageSet) -> Tensor:
        """The set of each training image: 0 or 1, (N,)."""
        told = images.labels[DOMAIN][images.indices("train")] == "b"
        return torch.from_numpy(told.astype(np.int64))

    def networks(self) -> tuple[Any, ...]:
        """The networks of the model, drawn from the seed, on the device."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        nets = self.model.players(generator(self.seed, "players"))
        for net in nets:
            net.to(memory_format=layout).to(torch.device(self.device)).train()
        return tuple(nets)

    def adam(self, nets: Sequence[nn.Module]) -> torch.optim.Adam:
        """One optimiser for all these networks."""
        weights = [weight for net in nets for weight in net.parameters()]
        lr = value_at(self.lr, StepContext(self.seed, 0, 0))
        return torch.optim.Adam(weights, lr, (self.beta1, self.beta2), fused=True)


R = TypeVar("R", bound=TranslationRecipe)
T = TypeVar("T", bound=Translators)


class TranslationTrainer(Trainer[R], Generic[R, T]):
    """Trains networks that translate images of one set into images of another."""

    in_step: ClassVar[bool] = False  # image k of one set is the counterpart of image k of the other

    def __init__(self, recipe: R, players: T) -> None:
        super().__init__(recipe, players.device)
        self.players = players

    def turn(self, a: Tensor, b: Tensor, context: StepContext) -> dict[str, Tensor]:
        """One step on images a and b, (batch, 3, H, W) each, in [-1, 1]; returns its scalars."""
        raise NotImplementedError

    def translators(self) -> tuple[nn.Module, nn.Module | None]:
        """The generator from the first set to the second, and the inverse one or None."""
        raise NotImplementedError

    def step(self, batch: Batch) -> dict[str, Tensor]:
        recipe, players = self.recipe, self.players
        context = StepContext(recipe.seed, batch.epoch, batch.step, device=self.device)
        assert batch.labels is not None, "labels name the set of each image"
        sets = [(batch.labels == kind).nonzero().flatten() for kind in (0, 1)]
        if players.shown is None:
            first = [batch.reals[places[torch.arange(SHOWN) % len(places)]] for places in sets]
            players.shown = torch.stack(first).cpu()
        for optimizer in (players.opt_G, players.opt_D):
            for group in optimizer.param_groups:
                group["lr"] = value_at(recipe.lr, context)
        drawn = []
        for kind, places in zip("AB", sets, strict=True):
            at = context.within(f"set {kind}")
            order = "A" if self.in_step else kind
            pixels = batch.reals[self._next(places, order, batch.step).to(batch.reals.device)]
            # Counterparts get the same augmentation
            moved = context.within("set A") if self.in_step else at
            x = prepare(pixels.to(self.device), recipe.augment, "rgb", moved)
            grain = torch.rand(x.shape, generator=at.device_rng("grain"), device=x.device)
            x = x + (grain - 0.5) * (2 / 255)
            drawn.append(
                x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x
            )
        with autocast(self.device, recipe.precision):
            return self.turn(drawn[0], drawn[1], context)

    def _next(self, places: Tensor, kind: str, step: int) -> Tensor:
        """The indices of one set's images in this step, (batch,); each pass has a new order."""
        found = []
        recipe = self.recipe
        for k in range(step * recipe.batch, (step + 1) * recipe.batch):
            turn, at = divmod(k, len(places))
            order = torch.randperm(
                len(places), generator=generator(recipe.seed, f"order {kind}", turn)
            )
            found.append(places[order[at]])
        return torch.stack(found)

    def translate(self, net: nn.Module, x: Tensor) -> Tensor:
        """Translate images (N, 3, H, W) in [-1, 1] with ``net``; returns fp32 of the same shape."""
        with torch.no_grad(), autocast(self.device, self.recipe.precision):
            made: Tensor = net(x)
            return made.float()

    def preview(self) -> Image.Image:
        assert self.players.shown is not None, "a step was played"
        there, back = self.translators()
        rows = []
        for pictures, one, other in zip(
            self.players.shown, (there, back), (back, there), strict=True
        ):
            rows.append(pictures)
            if one is None:
                continue
            x = prepare(pictures.to(self.device), (), "rgb", StepContext(self.recipe.seed, 0, 0))
            y = self.translate(one, x)
            rows.append(as_uint8(y).cpu())
            if other is not None:
                rows.append(as_uint8(self.translate(other, y)).cpu())
        return grid(torch.cat(rows), SHOWN)

    def state_dict(self) -> dict[str, Any]:
        return self.players.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.players.load_state_dict(saved)
