"""The network of a run of sparse deep predictive coding, or of a hybrid, to encode with."""

from __future__ import annotations

from typing import cast

from bascule.coding.coder import Coder
from bascule.errors import Refusal
from bascule.runs.generate import brought_back
from bascule.runs.store import Run
from bascule.training.hybrid import HybridTrainer
from bascule.training.sdpc import SDPCTrainer
from bascule.training.state import State


def coder_of(run: Run, epoch: int | None = None) -> Coder:
    """The coder as it stands in a run after ``epoch`` epochs (None: in its newest checkpoint).

    Raises :class:`Refusal` for a run of another kind, or an epoch of which no checkpoint is kept.
    """
    if not run.recipe.code_layers:
        raise Refusal(
            f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`, sdpc-gan or "
            "sdpc-critic"
        )
    _, state = brought_back(run, epoch)
    trainer = cast(SDPCTrainer | HybridTrainer, state.trainer).coding()
    return Coder(trainer.recipe, State(trainer, state.epoch, state.step))
