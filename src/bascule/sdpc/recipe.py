"""The recipe of a network of sparse deep predictive coding: images, layers and training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from bascule.core.context import StepContext, generator
from bascule.core.errors import UserError
from bascule.data.augment import Augmentation
from bascule.data.batches import as_float
from bascule.data.faces import Faces
from bascule.data.source import DataSource
from bascule.sdpc.dictionaries import dictionaries
from bascule.sdpc.model import SDPC, Inference, Network
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.chain import Kept, Transform, prepared, restored
from bascule.sdpc.preprocess.standard import Standardise
from bascule.sdpc.step import Learner, sdpc_step
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Trainer


@dataclass(frozen=True)
class SDPCRecipe(Recipe):
    """One complete run of dictionary learning.

    ``preprocess``: the transforms of the images (B, C, H, W) in [-1, 1], in order. C is 3, or 1 if
    ``space="grey"`` (the mean over channels). ``lr_D``: one learning rate per layer, or one for
    all. ``redraw_after``: in steps, see :func:`bascule.sdpc.step.sdpc_step`.
    """

    data: DataSource = Faces()
    model: SDPC = SDPC()
    epochs: int = 20
    batch: int = 16
    # input
    space: Literal["rgb", "grey"] = "rgb"
    augment: tuple[Augmentation, ...] = ()
    preprocess: tuple[Transform, ...] = (
        Bands(),
        Standardise(),
    )
    # inference and learning
    settle: Inference = Inference(tolerance=0.5)
    lr_D: tuple[float, ...] = (3e-3,)
    momentum: float = 0.9
    lr_v: float = 1e-3
    redraw_after: int | None = 100
    # arithmetic; the precision is in ``settle``

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 1, "at least 1 image")
        several = len(self.lr_D) in (1, len(self.model.layers))
        self._expect("lr_D", several, f"one rate, or {len(self.model.layers)}, one per layer")
        self._expect("lr_D", all(0 < lr < 10 for lr in self.lr_D), "numbers between 0 and 10")
        self._expect("lr_v", 0 <= self.lr_v < 1, "a number in [0, 1)")
        self._expect("momentum", 0 <= self.momentum < 1, "a number in [0, 1)")
        late = self.redraw_after is None or self.redraw_after >= 1
        self._expect("redraw_after", late, "at least 1 step, or None")
        channels = 1 if self.space == "grey" else 3
        if self.model.channels != channels:
            raise UserError(
                f"the images have {channels} channels in space={self.space!r} and the model "
                f"{self.model.channels}: set model.channels={channels}"
            )
        self._check_size("takes")

    sample_caption = (
        "the dictionaries, 16 atoms a row, each as the patch of the image that it draws and to its "
        "own contrast; grey is 0"
    )

    def untaught(self) -> SDPCRecipe:
        """The same recipe with fixed random dictionaries and gains: a control without learning."""
        return self.replace(lr_D=(1e-9,), lr_v=0.0, redraw_after=None)

    evaluates = "codes"

    @property
    def precision(self) -> str:
        return self.settle.precision

    @property
    def code_layers(self) -> int:
        return len(self.model.layers)

    @property
    def scalars(self) -> tuple[str, ...]:
        kinds = ("error", "active", "dead", "gain")
        layers = range(1, len(self.model.layers) + 1)
        return ("cost", "iterations", *(f"{kind}_{i}" for kind in kinds for i in layers))

    def build(self) -> SDPCTrainer:
        device = torch.device(self.device)
        network = self.model.network(generator(self.seed, "dictionaries")).to(device)
        rates = self.lr_D if len(self.lr_D) > 1 else self.lr_D * len(self.model.layers)
        groups = [
            {"params": [D], "lr": lr} for D, lr in zip(network.dictionaries, rates, strict=True)
        ]
        learner = Learner(
            network,
            torch.optim.SGD(groups, momentum=self.momentum),
            torch.optim.Adam(network.gains, lr=self.lr_v),
            [torch.zeros(layer.atoms, dtype=torch.long, device=device) for layer in network.layers],
            device,
        )
        return SDPCTrainer(self, learner)

    def floats(self, pixels: Tensor) -> Tensor:
        """uint8 RGB (B, 3, H, W) -> (B, C, H, W) in [-1, 1], in the space of the recipe."""
        x = as_float(pixels)
        return x.mean(1, keepdim=True) if self.space == "grey" else x

    def prepared(self, pixels: Tensor) -> tuple[Tensor, tuple[Kept, ...]]:
        """uint8 RGB (B, 3, H, W) -> the network's input, and what is kept to undo this."""
        return prepared(self.floats(pixels), self.preprocess)

    def restored(self, x: Tensor, kept: tuple[Kept, ...]) -> Tensor:
        """The network's input, or its reconstruction -> images (B, C, H, W) in about [-1, 1]."""
        return restored(x, kept, self.preprocess)


class SDPCTrainer(Trainer[SDPCRecipe]):
    """Trains the dictionaries of a network of sparse deep predictive coding."""

    def __init__(self, recipe: SDPCRecipe, learner: Learner) -> None:
        super().__init__(recipe, learner.device)
        self.learner = learner

    @property
    def network(self) -> Network:
        return self.learner.network

    def coding(self) -> SDPCTrainer:
        """The trainer that encodes and decodes images: itself."""
        return self

    def step(self, batch: Batch) -> dict[str, Tensor]:
        recipe = self.recipe
        context = StepContext(recipe.seed, batch.epoch, batch.step, device=self.device)
        x = recipe.floats(batch.pixels(self.device))
        for place, transform in enumerate(recipe.augment):
            x = transform(x, context.rng(f"augment.{place}"))
        x, _ = prepared(x, recipe.preprocess)
        return sdpc_step(self.learner, x, context, recipe.settle, recipe.redraw_after)

    def preview(self) -> Image.Image:
        """The atoms of every layer, as image patches."""
        return dictionaries(self.network)

    def state_dict(self) -> dict[str, Any]:
        return self.learner.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.learner.load_state_dict(saved)
