"""The recipe of CycleGAN: two image sets, nets, rates and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bascule.data.augment import Affine, Flip
from bascule.data.batches import as_uint8
from bascule.data.domains import DOMAIN, TwoSets
from bascule.data.faces import Faces
from bascule.data.images import ImageSet
from bascule.errors import Refusal
from bascule.game import autocast
from bascule.laws import Rate, draw
from bascule.models.cyclegan import CycleGAN
from bascule.now import Now, address, generator
from bascule.steps.cycle import CycleRules, Translation, cycle_step
from bascule.training.gan import prepare
from bascule.training.grid import grid
from bascule.training.recipe import AnyRecipe
from bascule.training.state import State

SHOWN = 8  # pictures of either set in a sample grid


@dataclass(frozen=True)
class CycleRecipe(AnyRecipe):
    """One run of CycleGAN, whole.

    A step takes ``batch`` pictures of either set, each set in an order of its own that begins anew
    when it is through; an epoch is as many steps as the sets have batches together. ``lr``: of all
    nets. ``cycle``, ``identity``, ``pool``, ``objective``: :class:`bascule.steps.cycle.CycleRules`.
    Every pixel gets uniform noise of one grey level, so that no picture is quite flat.
    """

    data: TwoSets = TwoSets(Faces(style="adventurer"), Faces())
    model: CycleGAN = CycleGAN(width=32, blocks=4, size=64, width_D=32, halvings=2)
    epochs: int = 100
    batch: int = 1
    seed: int = 0
    # optimisation (Adam)
    lr: Rate = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    # what is played for
    objective: Literal["least-squares", "non-saturating"] = "least-squares"
    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50
    # what the nets see
    augment: tuple[Flip | Affine, ...] = ()
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True
    threads: int | None = None
    device: str = "auto"
    # what is kept
    sample_every_epochs: int = 1
    keep_every_epochs: int = 10

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 1, "at least 1 picture of either set")
        self._check_rate("lr")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        for name in ("cycle", "identity", "pool"):
            self._expect(name, getattr(self, name) >= 0, "a number >= 0")
        self._check_size("turns")

    drawn = (
        "rows of eight: training pictures of the first set, what they become, and what leads back; "
        "then the same of the second set"
    )
    space = "rgb"

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_G_AB", "loss_G_BA", "cycle_A", "cycle_B", "loss_D_A", "loss_D_B"

    @property
    def rules(self) -> CycleRules:
        return CycleRules(self.objective, self.cycle, self.identity, self.pool)

    def labels_of(self, images: ImageSet) -> Tensor:
        """Of which set each training image is: 0 or 1, (N,)."""
        told = images.labels[DOMAIN][images.indices("train")] == "b"
        return torch.from_numpy(told.astype(np.int64))

    def begin(self) -> Translation:
        device = torch.device(self.device)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        nets = self.model.players(generator(self.seed, "players"))
        for net in nets:
            net.to(memory_format=layout).to(device).train()
        lr = draw(self.lr, Now(self.seed, 0, 0))
        opt_G, opt_D = (
            torch.optim.Adam(
                [weight for net in pair for weight in net.parameters()],
                lr,
                (self.beta1, self.beta2),
                fused=True,
            )
            for pair in (nets[:2], nets[2:])
        )
        return Translation(*nets, opt_G, opt_D, device, pools={})

    def play(
        self, state: State, images: Tensor, indices: Tensor, held_out: Tensor | None
    ) -> dict[str, Tensor]:
        game: Translation = state.game
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
            pixels = images[self._next(places, kind, state.step).to(images.device)]
            x = prepare(pixels.to(game.device), self.augment, "rgb", at)
            grain = torch.rand(x.shape, generator=at.device_rng("grain"), device=x.device)
            x = x + (grain - 0.5) * (2 / 255)
            batches.append(
                x.contiguous(memory_format=torch.channels_last) if self.channels_last else x
            )
        with autocast(game.device, self.precision):
            return cycle_step(game, batches[0], batches[1], now, self.rules)

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

    def draw(self, players: Translation) -> Image.Image:
        assert players.shown is not None, "a step was played"
        rows = []
        for pictures, there, back in (
            (players.shown[0], players.G_AB, players.G_BA),
            (players.shown[1], players.G_BA, players.G_AB),
        ):
            x = prepare(pictures.to(players.device), (), "rgb", Now(self.seed, 0, 0))
            with torch.no_grad(), autocast(players.device, self.precision):
                y = there(x).float()
                again = back(y).float()
            rows += [pictures, as_uint8(y).cpu(), as_uint8(again).cpu()]
        return grid(torch.cat(rows), SHOWN)

    def sample(self, players: Translation, z: Tensor) -> Tensor:
        raise Refusal("CycleGAN draws from pictures, not from latents")
