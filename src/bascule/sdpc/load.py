"""Load the network of an SDPC run or of a hybrid, to encode images with it."""

from __future__ import annotations

from typing import cast

from bascule.core.errors import UserError
from bascule.runs.generate import load_trainer
from bascule.runs.store import Run
from bascule.sdpc.coder import Coder
from bascule.sdpc.hybrid.recipe import HybridTrainer
from bascule.sdpc.recipe import SDPCTrainer
from bascule.training.state import State


def coder_of(run: Run, epoch: int | None = None) -> Coder:
    """The coder of a run after ``epoch`` epochs (None: from its newest checkpoint).

    Raises :class:`UserError` for another kind of run, or an epoch without a kept checkpoint.
    """
    if not run.recipe.code_layers:
        raise UserError(
            f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`, sdpc-gan or "
            "sdpc-critic"
        )
    _, state = load_trainer(run, epoch)
    trainer = cast(SDPCTrainer | HybridTrainer, state.trainer).coding()
    return Coder(trainer.recipe, State(trainer, state.epoch, state.step))
