"""The diagnostics callback: a row of measurements every few epochs, for :mod:`rules` to judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from bascule.core.context import Services, StepContext, generator
from bascule.core.errors import UserError
from bascule.data.images import ImageSubset
from bascule.diagnostics import quality
from bascule.diagnostics.probing import as_drawn, gradient_norms, logits
from bascule.diagnostics.quality import Likeness, Quality
from bascule.diagnostics.replay import Replay
from bascule.gan.game import Game
from bascule.gan.recipe import GANRecipe, GANTrainer
from bascule.metrics import logits as of
from bascule.training.loop import Callback, Record, Row

PACE_IMAGES = 8000  # training images between two rows: less than 3 % of a small run's time
PACE_OF_FEW = 4000  # with few held-out images: a row costs less, and such runs are short
ASKED = 192  # images of each kind: the standard error of an AUC near 1/2 is 0.03
SEARCHED = 10_000  # training images that are searched for copies
REPLAYED = 32  # old fakes saved at each checkpoint


class Diagnostics(Callback):
    """Measures D and G every few epochs, and gives each row of measurements to ``sink``.

    train, held_out   uint8 RGB (N, 3, H, W), the two splits of the image set, at least 2 each
    sink              called with each row
    folder            for old fakes. When a run is resumed or forked, the caller drops the rows
                      after the checkpoint and copies this folder.
    pace_images       training images between two rows; default: depends on the held-out images

    Each time it uses the same subsets of both splits and the same latents, for all seeds, under the
    conditions of training (:mod:`bascule.diagnostics.probing`).

    A row has the ``epoch`` and ``step`` of the run's scalars, ``every_epochs``, ``asked`` (the
    number of images of each kind), and

    - ``auc_held_out``, ``accuracy_held_out``: held-out reals against fakes; ``auc_train``: training
      reals against fakes; ``auc_train_vs_held_out``, ``r_t``, ``r_v``: has D memorised training
      images; ``ece``, ``brier``, ``jsd_bound``, ``tv_bound`` of held-out reals and fakes
      (:mod:`bascule.metrics.logits`);
    - ``logit_train``, ``logit_held_out``, ``logit_fake``: mean logits, the first two of fixed
      images; ``logit_std``: over held-out reals and fakes together;
    - ``D_train``, ``D_held_out``, ``D_fake`` with ``_std, _cv, _min, _max``: sigmoid(logit);
    - ``grad_norm_D``, ``grad_norm_G``: gradient norms of the losses of one fixed batch;
    - ``fake_mean``: brightness of the fakes, in [0, 1];
    - ``old_fakes_epoch_<e>``: share of the fakes of epoch e that D now calls fake; a logit of
      exactly 0 counts half;
    - with at least ``quality.FEWEST`` held-out images: the values of
      :meth:`bascule.diagnostics.quality.Quality.row`;
    - with fewer: values of training images, of which there are more. ``auc_game`` is like
      ``auc_train``, for ``asked_game`` images of each kind, in batches as in training. The others
      are those of :meth:`bascule.diagnostics.quality.Likeness.row`.

    A number that is not finite is left out. If D's logits are not finite there is no row; the
    training loop reports that. Raises :class:`UserError` for fewer than two images of a split.
    """

    def __init__(
        self,
        recipe: GANRecipe,
        train: Tensor | ImageSubset,
        held_out: Tensor | ImageSubset,
        sink: Callable[[Row], None],
        folder: Path,
        pace_images: int | None = None,
    ) -> None:
        fewest = min(len(train), len(held_out))
        if fewest < 2:
            raise UserError(
                f"diagnostics of {len(train)} training and {len(held_out)} held-out images: "
                "expected at least 2 of each; use a larger set, or no diagnostics"
            )
        self.recipe, self.sink, self.replay = recipe, sink, Replay(folder)
        # All batches have one size; with fewer images it is smaller, but no batch is incomplete.
        self.batch = min(recipe.batch, fewest)
        n = asked_of(recipe, len(train), len(held_out))
        self.few = n < quality.FEWEST
        self.searched = _some(train, SEARCHED, "train")
        self.train, self.held_out = self.searched[:n], _some(held_out, n, "held out")
        self.z = torch.randn(n, recipe.model.z_dim, generator=generator("diagnostics", "z"))
        if self.few:
            m = asked_of(recipe, len(train), len(train))
            self.game_train, self.game_batch = self.searched[:m], min(recipe.batch, len(train))
            rng = generator("diagnostics", "z of the game")
            self.game_z = torch.randn(m, recipe.model.z_dim, generator=rng)
        pace = pace_images or (PACE_OF_FEW if self.few else PACE_IMAGES)
        images_an_epoch = max(1, len(train) // recipe.batch) * recipe.batch
        self.every = -(-pace // images_an_epoch)

    def on_epoch_end(self, record: Record) -> None:
        done, recipe = record.epochs_done, self.recipe
        last = done == recipe.epochs
        due = last or done % self.every == 0
        kept = last or done % recipe.keep_every_epochs == 0
        if not (due or kept):
            return
        fakes = as_drawn(_game(record), self.z, recipe, self.batch)
        if due and (row := self._row(record, fakes)):
            self.sink(row)
        if kept:
            self.replay.keep(int(record.row["epoch"]), fakes[:REPLAYED])

    @cached_property
    def quality(self) -> Quality:
        """Made at the first row, because it computes features of all training images."""
        return Quality(self.searched, self.held_out)

    @cached_property
    def likeness(self) -> Likeness:
        return Likeness(self.game_train)

    def _row(self, record: Record, fakes: Tensor) -> Row | None:
        train = self._logits(record, self.train, fakes)
        held_out = self._logits(record, self.held_out, fakes)
        fake = self._logits(record, fakes, self.train)
        both = torch.cat([held_out, fake])
        if not (train.isfinite().all() and both.isfinite().all()):
            return None
        row: Row = {
            "epoch": record.row["epoch"],
            "step": record.row["step"],
            "every_epochs": self.every,
            "asked": len(train),
            "auc_held_out": of.auc(held_out, fake),
            "auc_train": of.auc(train, fake),
            "auc_train_vs_held_out": of.auc(train, held_out),
            "accuracy_held_out": of.accuracy(held_out, fake),
            "r_t": of.ada_rt(train),
            "r_v": of.ada_rv(train, held_out, fake),
            "ece": of.calibration_error(held_out, fake),
            "brier": of.brier(held_out, fake),
            "jsd_bound": of.jsd_bound(held_out, fake),
            "tv_bound": of.tv_bound(held_out, fake),
            "logit_train": train.mean().item(),
            "logit_held_out": held_out.mean().item(),
            "logit_fake": fake.mean().item(),
            "logit_std": both.std(correction=0).item(),
            "fake_mean": fakes.double().mean().item() / 255,
        }
        for name, values in (("D_train", train), ("D_held_out", held_out), ("D_fake", fake)):
            told = asdict(of.spread(values))
            row[name] = told.pop("mean")
            row |= {f"{name}_{key}": value for key, value in told.items()}
        b = self.batch
        row["grad_norm_D"], row["grad_norm_G"] = gradient_norms(
            _game(record), self.train[:b], self.z[:b], self.recipe, self._now(record)
        )
        for epoch in self.replay.before(int(row["epoch"])):
            told_fake = -self._logits(record, self.replay.fakes(epoch), self.train).sign()
            row[f"old_fakes_epoch_{epoch}"] = (told_fake.mean().item() + 1) / 2
        row |= self._of_the_game(record) if self.few else self.quality.row(fakes)
        return {name: value for name, value in row.items() if isfinite(value)}

    def _of_the_game(self, record: Record) -> Row:
        """The values of training images, for runs with few held-out ones."""
        batch, train = self.game_batch, self.game_train
        fakes = as_drawn(_game(record), self.game_z, self.recipe, batch)
        real = self._logits(record, train, fakes, batch)
        fake = self._logits(record, fakes, train, batch)
        if not (real.isfinite().all() and fake.isfinite().all()):
            return {}
        told: Row = {"asked_game": len(train), "auc_game": of.auc(real, fake)}
        return told | self.likeness.row(fakes)

    def _logits(
        self, record: Record, pictures: Tensor, beside: Tensor, batch: int | None = None
    ) -> Tensor:
        context, batch = self._now(record), batch or self.batch
        return logits(_game(record), pictures, beside, self.recipe, context, batch)

    def _now(self, record: Record) -> StepContext:
        at, game = record.row, _game(record)
        services = Services(dict(game.memory))  # a copy, so that probing does not change it
        seed, epoch, step = self.recipe.seed, int(at["epoch"]), int(at["step"])
        return StepContext(seed, epoch, step, device=game.device, services=services)


def asked_of(recipe: GANRecipe, train: int, held_out: int) -> int:
    """The number of images of each split to use: about ``ASKED``, in whole batches.

    If there are fewer images than a batch, all of them.
    """
    fewest = max(1, min(train, held_out))
    batch = min(recipe.batch, fewest)
    return batch * max(1, min(ASKED, fewest) // batch)


def _some(images: Tensor | ImageSubset, n: int, name: str) -> Tensor:
    """At most ``n`` images of a split, drawn in an order that is the same for every seed."""
    return images[torch.randperm(len(images), generator=generator("diagnostics", name))[:n]]


def _game(record: Record) -> Game:
    """G and D of a run; only diagnosable recipes have this callback."""
    return cast(GANTrainer[GANRecipe], record.trainer).game
