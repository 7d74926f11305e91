"""The network of a run of sparse deep predictive coding, or of a hybrid, to encode with."""

from __future__ import annotations

import torch

from bascule.coding.coder import Coder
from bascule.errors import Refusal
from bascule.runs.generate import brought_back, kept_epoch
from bascule.runs.store import Run
from bascule.training.hybrid import HybridRecipe
from bascule.training.sdpc import SDPCRecipe
from bascule.training.state import State, begin


def coder_of(run: Run, epoch: int | None = None) -> Coder:
    """The coder as it stands in a run after ``epoch`` epochs (None: in its newest checkpoint).

    Raises :class:`Refusal` for a run of another kind, or an epoch of which no checkpoint is kept.
    """
    recipe = run.recipe
    if isinstance(recipe, HybridRecipe):
        hybrid, state = brought_back(run, epoch)
        assert isinstance(hybrid, HybridRecipe)
        return Coder(hybrid.dictionaries, State(state.game.coding(), state.epoch, state.step))
    if not isinstance(recipe, SDPCRecipe):
        raise Refusal(
            f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`, sdpc-gan or "
            "sdpc-critic"
        )
    saved = run.load_checkpoint(kept_epoch(run, epoch))
    if recipe.device.startswith("cuda") and not torch.cuda.is_available():
        recipe = recipe.but(device="cpu")
    coder = Coder(recipe)
    coder.state = begin(coder.recipe)
    coder.state.load_state_dict(saved)
    return coder
