"""The network of a run of sparse deep predictive coding, or of a hybrid, to encode with."""

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
    """The coder as it stands in a run after ``epoch`` epochs (None: in its newest checkpoint).

    Raises :class:`UserError` for a run of another kind, or an epoch of which no checkpoint is kept.
    """
    if not run.recipe.code_layers:
        raise UserError(
            f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`, sdpc-gan or "
            "sdpc-critic"
        )
    _, state = load_trainer(run, epoch)
    trainer = cast(SDPCTrainer | HybridTrainer, state.trainer).coding()
    return Coder(trainer.recipe, State(trainer, state.epoch, state.step))
