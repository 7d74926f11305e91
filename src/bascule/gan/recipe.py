"""The GAN recipe, and the trainer that it builds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import floor, lcm
from typing import Any, Literal, Self, TypeVar, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bascule.core.context import Services, StepContext, generator
from bascule.core.distributed import ProcessGroup
from bascule.core.errors import UserError, unknown
from bascule.core.fields import Placeholder, added_field, renamed_field
from bascule.core.optimizers import decay_of
from bascule.core.schedules import Rate, value_at
from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.color import from_space
from bascule.data.faces import Faces
from bascule.data.grid import beside, grid
from bascule.data.images import ImageSet
from bascule.data.source import DataSource
from bascule.gan.game import Game
from bascule.gan.objectives import GANLoss, Objective, SANLoss, TopK
from bascule.gan.penalties import GeneratorPenalty, Penalty
from bascule.gan.step import Rules, gan_step
from bascule.interventions import Compose, Intervention
from bascule.models import shipped
from bascule.models.dcgan import DCGAN
from bascule.models.layers import Labelled
from bascule.models.model import Model
from bascule.models.san import SAN
from bascule.models.shipped import check_start, load_into
from bascule.training.recipe import Recipe, ends
from bascule.training.trainer import Batch, Trainer, evaluating, prepare

SHOWN, SHOWN_COLUMNS = 16, 4  # judged reals, and judged fakes, in a preview


@dataclass(frozen=True)
class GANRecipe(Recipe):
    """Everything that decides a GAN run.

    To vary a recipe, name only the difference: ``recipe.replace(epochs=60)``.

    lr_D, lr_G     learning rates of Adam, in (0, 1); they may change over epochs
    beta1, beta2   of Adam, in [0, 1)
    augment        transforms of the real images, in this order
    space          the colour space in which G and D work
    concat         D sees reals and fakes in one forward pass
    interventions  changed rules of training, in this order
    top_k          G learns only from its best fakes; None: from all
    objective      the losses of D and G
    penalties      added to D's loss, each kind at most once
    critic_steps   steps of D for one step of G, >= 1
    ema_half_life  half-life, in images, of the moving average of G's weights; this average then
                   draws all samples; None: no average
    lr_decay       the last share of the epochs, 0 to 1, in which both learning rates fall
                   linearly to 0
    labels         a categorical label of the image set, which both networks see; None: none
    sparsity       weight, >= 0, of G's mean absolute activation, summed over layers
    start          weights to start from (:mod:`bascule.models.shipped`), shipped or kept by
                   `train --from RUN`; None: random weights from the seed
    generator_penalties   added to G's loss, each kind at most once
    precision      of the networks' arithmetic
    channels_last  the memory layout of images, faster on most processors
    fused_adam     all weights in one kernel of Adam
    compile        by torch.compile

    The fields from ``precision`` on change the result in the last bits or more, so they belong to
    the recipe. Two runs of equal recipes are bit-identical if ``threads`` is not None. A run
    records the values that replaced None and "auto" on its machine.
    """

    data: DataSource = Faces()
    model: Model = DCGAN()
    # optimisation (Adam)
    lr_D: Rate = 2e-4
    lr_G: Rate = 2e-4
    beta1: float = 0.5
    beta2: Rate = 0.999
    # what the networks see
    augment: tuple[Augmentation, ...] = ()
    space: Literal["rgb", "hsv"] = "rgb"
    concat: bool = False
    interventions: tuple[Intervention, ...] = renamed_field((), "change")
    top_k: TopK | None = None
    objective: Objective = added_field(GANLoss())
    penalties: tuple[Penalty, ...] = added_field(())
    critic_steps: int = added_field(1)
    ema_half_life: Rate | None = added_field(None)
    lr_decay: float = added_field(0.0, key="cool_down")
    labels: str | None = added_field(None)
    sparsity: float = added_field(0.0)
    start: str | None = added_field(None)
    generator_penalties: tuple[GeneratorPenalty, ...] = added_field(())
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True
    fused_adam: bool = True
    compile: bool = False

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 2, "at least 2 images (BatchNorm needs them)")
        for name in ("lr_D", "lr_G"):
            self._check_rate(name)
        for name in ("beta1", "beta2"):
            self._expect(name, max(ends(getattr(self, name))) < 1, "a number in [0, 1)")
            self._expect(name, min(ends(getattr(self, name))) >= 0, "a number in [0, 1)")
        self._expect("critic_steps", self.critic_steps >= 1, "a whole number >= 1")
        if self.ema_half_life is not None:
            self._expect("ema_half_life", min(ends(self.ema_half_life)) >= 0, "images, >= 0")
        self._expect("lr_decay", 0 <= self.lr_decay <= 1, "a share of the epochs, 0 to 1")
        self._expect("sparsity", 0 <= self.sparsity < float("inf"), "a number >= 0")
        for penalty in self.penalties:
            asks = not isinstance(penalty, Placeholder) and penalty.rebuilds
            if asks and not getattr(self.model, "rebuilds", False):
                raise UserError(
                    f"{penalty} needs a D with decoders, and {self.model} has none: use a FastGAN, "
                    "or remove the penalty"
                )
        for name in ("penalties", "generator_penalties"):
            kinds = [type(penalty).__name__ for penalty in getattr(self, name)]
            self._expect(name, len(set(kinds)) == len(kinds), "each kind once")
        for of_G in self.generator_penalties:
            if not isinstance(of_G, Placeholder):  # of the user's, not loaded
                of_G.check(self.model.z_dim, self.model.size)
        if isinstance(self.model, SAN) != isinstance(self.objective, SANLoss):
            raise UserError(
                f"objective={self.objective} with model={self.model}: SANLoss(...) needs a model "
                "SAN(...), and the other way round; set both or neither"
            )
        if self.top_k and self.objective.paired:
            raise UserError(
                "top_k selects fakes, but the relativistic loss needs the real of each fake: "
                "use only one of them"
            )
        self._check_size("draws")
        if self.start is not None:
            check_start(self.start, self.model)
        if bool(self.classes) != (self.labels is not None):
            raise UserError(
                f"labels={self.labels} and model.classes={self.classes}: expected both or neither, "
                "e.g. labels=hairVariant model.classes=8 (SNGAN, SAGAN and BigGAN take labels)"
            )
        for change in self.interventions:
            if (
                self.labels
                and type(change).discriminator_batch is not Intervention.discriminator_batch
            ):
                raise UserError(
                    f"{change} changes the batch of D, which is not supported with labels; remove "
                    "it, or set labels=None"
                )
            if change.first_epoch() >= self.epochs:
                raise UserError(
                    f"{change} never acts: the run has {self.epochs} epochs; let it act "
                    "earlier, or set more epochs"
                )

    sample_caption = "G on the same 64 latents, so a place in one grid is the same z in every other"
    length_fields = ("lr_decay",)

    def build(self) -> GANTrainer[Self]:
        return GANTrainer(self, networks(self))

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_D", "loss_G", "D_x", "D_Gz"

    @property
    def rules(self) -> Rules:
        """The rules of the training step."""
        return Rules(
            self.objective,
            self.penalties,
            self.top_k,
            self.concat,
            self.critic_steps,
            self.generator_penalties,
        )

    @property
    def gan_objective(self) -> Objective:
        return self.objective

    @property
    def is_diagnosable(self) -> bool:
        return self.labels is None and not self.uses_held_out()

    @property
    def saw(self) -> tuple[str, ...]:
        return tuple(sorted({*super().saw, *(shipped.saw(self.start) if self.start else ())}))

    @property
    def round_steps(self) -> int:
        return lcm(self.critic_steps, *(penalty.every for penalty in self.penalties))

    def uses_held_out(self) -> bool:
        return any(change.uses_held_out() for change in self.interventions)

    @property
    def depends_on_length_from(self) -> int | None:
        return self.decays_from if self.lr_decay else None

    @property
    def decays_from(self) -> int:
        """The first epoch, from 0, with learning rates lowered by ``lr_decay``."""
        return floor(self.epochs * (1 - self.lr_decay)) + 1

    def lr_scale(self, epoch: int) -> float:
        """The factor of both learning rates in ``epoch``, in [0, 1]; ``lr_decay`` lowers it."""
        cooling = self.lr_decay * self.epochs
        return min(1.0, (self.epochs - epoch) / cooling) if cooling else 1.0

    @property
    def classes(self) -> int:
        """The number of classes that the networks distinguish; 0 if they see no labels."""
        return getattr(self.model, "classes", 0)

    @property
    def z_dim(self) -> int:
        """The dimension of the latents: that of the model, plus one for the label, if any."""
        return self.model.z_dim + (self.labels is not None)

    def labels_of(self, images: ImageSet) -> Tensor | None:
        return label_codes(self, images)

    def for_trial(self) -> Recipe:
        return self.replace(
            compile=False, interventions=(), critic_steps=1, lr_decay=0.0, start=None
        )

    def for_drawing(self) -> Self:
        return self.replace(compile=False)

    def check_processes(self, n: int) -> None:
        if n == 1:
            return
        if self.batch % n:
            raise UserError(f"batch={self.batch} on {n} processes: expected a multiple of {n}")
        for penalty in self.penalties:
            if (part := penalty.images_of(self.batch)) % n:
                raise UserError(
                    f"{penalty} takes {part} images of a batch, which {n} processes cannot share "
                    f"equally: set its share so that it takes a multiple of {n}"
                )
        if self.sparsity:
            raise UserError(
                f"sparsity={self.sparsity} on several processes is not supported: each process has "
                "the activations of its own part only; set sparsity=0"
            )
        if getattr(self.model, "needs_whole_batch", False):
            raise UserError(
                f"{self.model} on several processes is not supported: its noise and statistics are "
                "of the whole batch; use one process"
            )
        if self.compile:
            raise UserError("compile=True on several processes is not supported: set compile=False")


G_ = TypeVar("G_", bound=GANRecipe)


class GANTrainer(Trainer[G_]):
    """Trains G and D with the recipe's rules and interventions."""

    def __init__(self, recipe: G_, game: Game) -> None:
        super().__init__(recipe, game.device)
        self.game = game

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of D, and one of G if it is due, on the training images of ``batch``."""
        recipe, game = self.recipe, self.game
        change = Compose(recipe.interventions)

        def shown(pixels: Tensor, at: StepContext) -> Tensor:
            x = prepare(pixels.to(game.device), recipe.augment, recipe.space, at)
            return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x

        def more(split: str, n: int, at: StepContext) -> Tensor:
            pool = batch.reals if split == "other" else batch.held_out
            others = _others(split, 0 if pool is None else len(pool), batch.indices, n, at)
            assert pool is not None  # _others has raised
            return shown(pool[others.to(pool.device)], at)

        services = Services(game.memory, game.last_metrics, sample_reals=more)
        context = StepContext(
            recipe.seed, batch.epoch, batch.step, device=game.device, services=services
        )
        real = shown(batch.pixels(batch.reals.device), context)
        self.set_rates(game, context)
        told = None
        if recipe.labels is not None:
            assert batch.labels is not None, "labels of the training images"
            told = batch.labels[batch.indices].to(game.device)
            for G in {game.G, game.drawing()}:
                cast(Labelled, G).see(told)
        scalars = gan_step(game, real, context, change, recipe.rules, told)
        game.last_metrics = dict(scalars)
        self.average(len(real), context)
        # Single numbers in the memory of interventions and penalties are scalars of the run too.
        return scalars | {name: v for name, v in game.memory.items() if v.ndim == 0}

    def set_rates(self, game: Game, context: StepContext) -> None:
        """Set the learning rates and beta2 of ``game`` for this step."""
        recipe = self.recipe
        lr_scale = recipe.lr_scale(context.epoch)
        for optimizer, lr in ((game.opt_G, recipe.lr_G), (game.opt_D, recipe.lr_D)):
            for group in optimizer.param_groups:
                group["lr"] = value_at(lr, context) * lr_scale * group.get("share", 1.0)
                group["betas"] = (recipe.beta1, value_at(recipe.beta2, context))

    def average(self, images: int, context: StepContext) -> None:
        """Update the averaged G, if there is one, after a step on ``images`` images."""
        if self.recipe.ema_half_life is not None:
            half_life = value_at(self.recipe.ema_half_life, context)
            self.game.update_ema(decay_of(half_life, images))

    @property
    def generator(self) -> nn.Module:
        return self.game.drawing()

    def sample(self, z: Tensor) -> Tensor:
        """Images of G with running BatchNorm statistics; of the averaged G if there is one.

        Latents (N, z_dim) -> uint8 RGB (N, 3, H, W) on the CPU.
        """
        return self.sample_by(lambda G, z: G(z), z)

    def sample_by(self, draw: Callable[[Any, Tensor], Tensor], latents: Tensor) -> Tensor:
        """As :meth:`sample`, for the images (N, 3, H, W) of ``draw(G, latents)``."""
        G = self.game.drawing()
        with evaluating(G), self.game.autocast():
            x = draw(G, latents.to(self.device)).float()
        return as_uint8(from_space(x, self.recipe.space)).cpu()

    def preview_judged(self) -> Image.Image | None:
        if self.game.last_judged is None:
            return None
        sides = (
            as_uint8(from_space(x[:SHOWN].float(), self.recipe.space)).cpu()
            for x in self.game.last_judged
        )
        return beside(*(grid(pictures, SHOWN_COLUMNS) for pictures in sides))

    def join(self, group: ProcessGroup) -> None:
        self.game.join(group)

    def state_dict(self) -> dict[str, Any]:
        return self.game.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.game.load_state_dict(saved)


def networks(
    recipe: GANRecipe, make: Callable[[torch.Generator], tuple[nn.Module, nn.Module]] | None = None
) -> Game:
    """G and D before the first step, with random weights from the seed or those of ``start``.

    "auto" in the recipe must be resolved. ``make(rng)`` returns new (G, D); default: the model's.
    """
    make = make or recipe.model.players
    device = torch.device(recipe.device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    G, D = make(generator(recipe.seed, "players"))
    if recipe.start is not None:
        load_into(recipe.start, G, D)
    if recipe.labels is not None:
        G = Labelled(G, recipe.classes)
    for player in (G, D):
        player.to(memory_format=layout).to(device).train()

    opt_G, opt_D = (
        adam(recipe, G.parameters(), recipe.lr_G),
        adam(recipe, D.parameters(), recipe.lr_D),
    )
    averaged = None if recipe.ema_half_life is None else copy.deepcopy(G).requires_grad_(False)
    if recipe.compile:
        G.compile()
        D.compile()
    return Game(
        *(G, D, opt_G, opt_D),
        z_dim=recipe.z_dim,
        device=device,
        precision=recipe.precision,
        average=averaged,
        extra_generator_loss=_activity(G, recipe.sparsity) if recipe.sparsity else None,
        fresh=make,
    )


def adam(recipe: GANRecipe, params: Iterable[Any], lr: Rate) -> torch.optim.Adam:
    """Adam for parameters, or for groups with a "share": a factor of their learning rate."""
    first = StepContext(recipe.seed, epoch=0, step=0)
    betas = (recipe.beta1, value_at(recipe.beta2, first))
    adam = torch.optim.Adam(params, value_at(lr, first), betas, fused=recipe.fused_adam)
    for group in adam.param_groups:
        group["lr"] *= group.get("share", 1.0)
    return adam


def _activity(G: nn.Module, weight: float) -> Callable[[], Tensor]:
    """The sparsity loss: ``weight`` times G's mean absolute activation, summed over its layers.

    It is that of the last forward pass (Ganz and Elad 2021, section 4).
    """
    last: dict[int, Tensor] = {}
    layers = [m for m in G.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)]
    if not layers:
        raise UserError(
            f"sparsity={weight}: this G has no ReLU or LeakyReLU layer to measure; set sparsity=0, "
            "or use another model, such as DCGAN"
        )
    for place, layer in enumerate(layers):

        def keep(module: nn.Module, given: Any, made: Tensor, place: int = place) -> None:
            last[place] = made.float().abs().mean()

        layer.register_forward_hook(keep)
    return lambda: weight * torch.stack(list(last.values())).sum()


def _others(split: str, size: int, indices: Tensor, n: int, context: StepContext) -> Tensor:
    """``n`` random indices into ``size`` images; for "other" training images none of ``indices``.

    Without repetition if there are enough images; otherwise all are used equally often.
    """
    places = torch.arange(size)
    if split == "other":
        places = places[~torch.isin(places, indices)]
    if not len(places):
        kind = split.replace("_", "-")
        raise UserError(
            f"an intervention needs {kind} images, but the set has none; use a larger set, or "
            "remove the intervention"
        )
    rounds = -(-n // len(places))
    draws = [
        places[torch.randperm(len(places), generator=context.rng(f"pictures.{k}"))]
        for k in range(rounds)
    ]
    return torch.cat(draws)[:n]


def label_codes(recipe: GANRecipe, images: ImageSet) -> Tensor | None:
    """The class of each training image, (N,) from 0; None if the recipe has no ``labels``.

    Classes follow the sorted values of the label in the whole set. Raises :class:`UserError` if the
    set has no such label, if it is a number, or if the model has another number of classes.
    """
    if recipe.labels is None:
        return None
    if recipe.labels not in images.labels:
        raise unknown(f"label of {images.name}", recipe.labels, images.labels)
    told = images.labels[recipe.labels]
    if told.dtype.kind == "f":
        raise UserError(
            f"labels={recipe.labels}: in {images.name} this is a number; expected a category"
        )
    values, codes = np.unique(told, return_inverse=True)
    if len(values) != recipe.classes:
        raise UserError(
            f"labels={recipe.labels} has {len(values)} values in {images.name}, but the model has "
            f"{recipe.classes} classes: set model.classes={len(values)}"
        )
    return torch.from_numpy(codes[images.indices("train")])
