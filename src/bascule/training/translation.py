"""What recipes that turn one kind of picture into another have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.images import DOMAIN, ImageSet
from bascule.errors import Refusal
from bascule.game import autocast
from bascule.laws import Rate, draw
from bascule.now import Now, address, generator
from bascule.training.gan import prepare
from bascule.training.grid import grid
from bascule.training.recipe import AnyRecipe
from bascule.training.state import State

SHOWN = 8  # pictures of either set in a sample grid


class TranslationRecipe(AnyRecipe):
    """Steps on as many pictures of one set as of another, and what leads from one to the other.

    A step takes ``batch`` pictures of either set, each set in an order of its own that begins anew
    when it is through; an epoch is as many steps as the sets have batches together. Every pixel
    gets uniform noise of one grey level, so that no picture is quite flat.
    """

    model: Any
    lr: Rate
    beta1: float
    beta2: float
    augment: tuple[Augmentation, ...]
    precision: Literal["auto", "fp32", "bf16"]
    channels_last: bool
    device: str

    telling_rows = 2  # pictures of the first set, and what they become
    in_step: ClassVar[bool] = False  # picture k of one set belongs to picture k of the other
    space = "rgb"

    def step(self, game: Any, a: Tensor, b: Tensor, now: Now) -> dict[str, Tensor]:
        """One step on pictures (batch, 3, H, W) in [-1, 1] of either kind; its scalars."""
        raise NotImplementedError

    def ways(self, players: Any) -> tuple[nn.Module, nn.Module | None]:
        """What leads from the first kind to the second, and back where something does."""
        raise NotImplementedError

    def _check_translation(self, *weights: str) -> None:
        """Check the fields that every kind of translation has; ``weights``: numbers >= 0."""
        self._check()
        self._expect("batch", self.batch >= 1, "at least 1 picture of either set")
        self._check_rate("lr")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        for name in weights:
            self._expect(name, getattr(self, name) >= 0, "a number >= 0")
        self._check_size("turns")

    def labels_of(self, images: ImageSet) -> Tensor:
        """Of which set each training image is: 0 or 1, (N,)."""
        told = images.labels[DOMAIN][images.indices("train")] == "b"
        return torch.from_numpy(told.astype(np.int64))

    def _drawn_players(self) -> tuple[Any, ...]:
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        nets = self.model.players(generator(self.seed, "players"))
        for net in nets:
            net.to(memory_format=layout).to(torch.device(self.device)).train()
        return tuple(nets)

    def _adam(self, nets: Sequence[nn.Module]) -> torch.optim.Adam:
        weights = [weight for net in nets for weight in net.parameters()]
        lr = draw(self.lr, Now(self.seed, 0, 0))
        return torch.optim.Adam(weights, lr, (self.beta1, self.beta2), fused=True)

    def play(
        self, state: State, images: Tensor, indices: Tensor, held_out: Tensor | None
    ) -> dict[str, Tensor]:
        game = state.game
        now = Now(self.seed, state.epoch, state.step, device=game.device)
        torch.manual_seed(address(self.seed, "global", now.step))
        assert state.labels is not None, "of which set each image is"
        sets = [(state.labels == kind).nonzero().flatten() for kind in (0, 1)]
        if game.shown is None:
            first = [images[places[torch.arange(SHOWN) % len(places)]] for places in sets]
            game.shown = torch.stack(first).cpu()
        for optimizer in (game.opt_G, game.opt_D):
            for group in optimizer.param_groups:
                group["lr"] = draw(self.lr, now)
        batches = []
        for kind, places in zip("AB", sets, strict=True):
            at = now.within(f"set {kind}")
            order = "A" if self.in_step else kind
            pixels = images[self._next(places, order, state.step).to(images.device)]
            moved = now.within("set A") if self.in_step else at  # counterparts move alike
            x = prepare(pixels.to(game.device), self.augment, "rgb", moved)
            grain = torch.rand(x.shape, generator=at.device_rng("grain"), device=x.device)
            x = x + (grain - 0.5) * (2 / 255)
            batches.append(
                x.contiguous(memory_format=torch.channels_last) if self.channels_last else x
            )
        with autocast(game.device, self.precision):
            return self.step(game, batches[0], batches[1], now)

    def _next(self, places: Tensor, kind: str, step: int) -> Tensor:
        """The pictures of one set in this step, (batch,): each pass through it in a new order."""
        found = []
        for k in range(step * self.batch, (step + 1) * self.batch):
            turn, at = divmod(k, len(places))
            order = torch.randperm(
                len(places), generator=generator(self.seed, f"order {kind}", turn)
            )
            found.append(places[order[at]])
        return torch.stack(found)

    def translate(self, players: Any, net: nn.Module, x: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1] by one of the :meth:`ways`, fp32, as in training."""
        with torch.no_grad(), autocast(players.device, self.precision):
            return net(x).float()

    def draw(self, players: Any) -> Image.Image:
        assert players.shown is not None, "a step was played"
        there, back = self.ways(players)
        rows = []
        for pictures, one, other in zip(players.shown, (there, back), (back, there), strict=True):
            rows.append(pictures)
            if one is None:
                continue
            x = prepare(pictures.to(players.device), (), "rgb", Now(self.seed, 0, 0))
            y = self.translate(players, one, x)
            rows.append(as_uint8(y).cpu())
            if other is not None:
                rows.append(as_uint8(self.translate(players, other, y)).cpu())
        return grid(torch.cat(rows), SHOWN)

    def sample(self, players: Any, z: Tensor) -> Tensor:
        raise Refusal(f"{type(self).__name__} draws from pictures, not from latents")
