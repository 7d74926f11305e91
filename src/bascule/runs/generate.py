"""Images drawn by a run's G, to view or to measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from bascule.core.context import StepContext, generator
from bascule.core.errors import UserError, unknown
from bascule.core.optimizers import autocast
from bascule.data.images import ImageSet, Progress
from bascule.gan.objectives import per_image
from bascule.gan.recipe import GANTrainer
from bascule.gan.step import norms
from bascule.latents.standing_statistics import use_standing_statistics
from bascule.latents.styles import has_styles
from bascule.latents.truncation import check_threshold, nearer
from bascule.models.layers import Labelled
from bascule.runs.store import Run
from bascule.training.hardware import check_device, resolve_auto
from bascule.training.recipe import Recipe
from bascule.training.state import State, begin
from bascule.training.trainer import Trainer, prepare

AT_ONCE = 250
Draw = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Fakes:
    """Fakes of a run's G.

    pictures  uint8 (n, 3, H, W)
    epoch     the number of epochs that G was trained
    ms        the time to draw one picture, in milliseconds, in the mean
    """

    pictures: np.ndarray
    epoch: int
    ms: float


def generate(
    run: Run,
    n: int,
    epoch: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    standing: int = 0,
    label: int | None = None,
    truncation: float | None = None,
) -> Fakes:
    """``n`` fakes of a run's G.

    ``epoch``: a kept checkpoint; None: the newest. Latents are drawn in blocks of 250, each from
    ``seed`` and the number of the block. So a larger sample starts with the smaller one, and all
    runs with the same z_dim use the same latents. ``standing``: the number of batches of latents
    over which G's BatchNorm recomputes its statistics first; 0: it uses the running statistics of
    training. ``label`` and ``truncation``: see :func:`drawer`. Raises :class:`UserError` if there
    is no such checkpoint.
    """
    recipe, state = restored(run, epoch)
    if standing:
        if recipe.gan_objective is None:
            raise UserError(f"{run.id} is a run of {type(recipe).__name__}: expected one of a GAN")
        G, trainer = cast(nn.Module, state.trainer.generator), state.trainer
        rngs = (generator("standing z", seed, k) for k in range(standing))
        z = (torch.randn(AT_ONCE, recipe.z_dim or 0, generator=rng) for rng in rngs)
        with autocast(trainer.device, recipe.precision):
            use_standing_statistics(G, (part.to(trainer.device) for part in z))
    began = time.perf_counter()
    draw = drawer(state.trainer, label, truncation)
    pictures = drawn_fakes(state.trainer, n, seed, progress, draw)
    return Fakes(pictures, state.epoch, 1000 * (time.perf_counter() - began) / n)


def drawn_fakes(
    trainer: Trainer[Any],
    n: int,
    seed: int = 0,
    progress: Progress | None = None,
    draw: Draw | None = None,
) -> np.ndarray:
    """Like :func:`generate`, for a trainer that is already loaded."""
    pictures = []
    for start in range(0, n, AT_ONCE):
        z = latents(trainer, n, seed, start)
        pictures.append((draw or trainer.sample)(z).numpy())
        if progress:
            progress(start + len(z), n)
    return np.concatenate(pictures)


def drawer(
    trainer: Trainer[Any], label: int | None = None, truncation: float | None = None
) -> Draw:
    """A function from latents (N, z_dim) to pictures, uint8 (N, C, H, W), on the CPU.

    label       draw pictures of this class alone; their order is that of sorted labels
    truncation  draw from the middle of the latents: of a G with styles, w is moved to its mean,
                mean + truncation (w - mean); of another one, every number of z has |z| < truncation

    For a label, G must be conditional. Raises :class:`UserError` for |z| < 0 or less.
    """
    G: Any = trainer.generator
    told = isinstance(G, Labelled)
    if label is None and truncation is None:
        return trainer.sample
    gan = cast(GANTrainer[Any], trainer)  # only such a G has labels or styles
    if truncation is not None and has_styles(G):
        return lambda z: gan.sample_by(lambda G, z: G.from_w(G.truncated(z, truncation)), z)
    if truncation is not None:
        check_threshold(truncation)

    def draw(z: Tensor) -> Tensor:
        z, asks = (z[:, :-1], z[:, -1:]) if told else (z, z[:, :0])
        if truncation is not None:
            z = nearer(z, truncation)
        if label is None:
            return trainer.sample(torch.cat([z, asks], 1))
        y = torch.full((len(z),), label, device=trainer.device)
        return gan.sample_by(lambda G, z: G.G(z, y), z)

    return draw


def label_values(recipe: Recipe, images: ImageSet | None) -> list[str]:
    """The values of the label that G is told, by class; empty if it is told none.

    Without ``images``, those that it was trained on, classes have numbers for names.
    """
    label = getattr(recipe, "labels", None)
    if label is None or images is None:
        return [str(k) for k in range(getattr(recipe, "classes", 0))]
    return sorted(set(images.labels[label].tolist()))


def class_of(value: str, run: Run, values: list[str]) -> int:
    """The class with this value, one of ``values``. Raises :class:`UserError` if there is none."""
    if not values:
        raise UserError(f"label {value}: the G of {run.id} is told no labels; leave it out")
    if value not in values:
        raise unknown(f"value of {getattr(run.recipe, 'labels', 'the label')}", value, values)
    return values.index(value)


def drawn_labels(trainer: Trainer[Any], n: int, seed: int = 0) -> np.ndarray:
    """The classes, int64 (n,) from 0, of the same images; their order is that of sorted labels.

    The G of the trainer must be conditional (:class:`bascule.models.layers.Labelled`).
    """
    G = cast(Labelled, trainer.generator)
    every = (latents(trainer, n, seed, start) for start in range(0, n, AT_ONCE))
    return np.concatenate([G.labels(z.to(trainer.device)).cpu().numpy() for z in every])


def latents(trainer: Trainer[Any], n: int, seed: int, start: int) -> Tensor:
    """The latents (B, z_dim) of the fakes from ``start``, a multiple of 250; at most 250."""
    rng = generator("evaluation z", seed, start)
    return torch.randn(AT_ONCE, trainer.recipe.z_dim or 0, generator=rng)[: n - start]


def restored(run: Run, epoch: int | None = None) -> tuple[Recipe, State]:
    """A run's recipe, on a device of this machine, and its networks from a checkpoint.

    Raises :class:`UserError` if the run has no G that draws from latents.
    """
    if run.recipe.z_dim is None:
        raise UserError(f"{run.id} has no G that draws fakes: it is a {type(run.recipe).__name__}")
    return load_trainer(run, epoch)


def load_trainer(run: Run, epoch: int | None = None) -> tuple[Recipe, State]:
    """Like :func:`restored`, for any kind of run."""
    recipe = run.playable
    saved = run.load_checkpoint(kept_epoch(run, epoch))
    try:
        check_device(recipe.device)
    except UserError:  # it was trained elsewhere
        recipe = recipe.replace(device="cpu")
    recipe = resolve_auto(recipe.for_drawing())
    state = begin(recipe)
    run.restore(saved, state)
    return recipe, state


def judged_by(run: Run, epoch: int | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images, uint8 (N, 3, H, W), to D's negated logits, (N,)."""
    recipe, state = load_trainer(run, epoch)
    game = cast(GANTrainer[Any], state.trainer).game
    D, device = game.D, game.device

    def score(pictures: np.ndarray) -> np.ndarray:
        found = []
        with torch.no_grad(), norms(D, learn=False), game.autocast():
            for start in range(0, len(pictures), AT_ONCE):
                pixels = torch.from_numpy(np.array(pictures[start : start + AT_ONCE])).to(device)
                x = prepare(pixels, (), recipe.space, StepContext(recipe.seed, 0, 0))
                found.append(-per_image(D(x)).double().cpu().numpy())
        return np.concatenate(found)

    return score


def kept_epoch(run: Run, epoch: int | None) -> int | None:
    """``epoch``, if its checkpoint is kept. For None: None, or the newest epoch that is kept."""
    kept = run.kept_epochs()
    if epoch is None:
        if run.checkpoint().exists():
            return None
        if kept:
            return kept[-1]
        raise UserError(f"{run.id} has no checkpoint yet: train it first")
    if epoch not in kept:
        known = ", ".join(map(str, kept)) or "none"
        raise UserError(f"{run.id} keeps no checkpoint of epoch {epoch}; kept: {known}")
    return epoch
