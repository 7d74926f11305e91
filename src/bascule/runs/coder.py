"""The network of a run of sparse deep predictive coding, or of a hybrid, to encode with."""

from __future__ import annotations

from bascule.coding.coder import Coder
from bascule.errors import Refusal
from bascule.runs.generate import brought_back
from bascule.runs.store import Run
from bascule.training.hybrid import HybridRecipe
from bascule.training.sdpc import SDPCRecipe
from bascule.training.state import State


def coder_of(run: Run, epoch: int | None = None) -> Coder:
    """The coder as it stands in a run after ``epoch`` epochs (None: in its newest checkpoint).

    Raises :class:`Refusal` for a run of another kind, or an epoch of which no checkpoint is kept.
    """
    if not isinstance(run.recipe, SDPCRecipe | HybridRecipe):
        raise Refusal(
            f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`, sdpc-gan or "
            "sdpc-critic"
        )
    recipe, state = brought_back(run, epoch)
    if isinstance(recipe, HybridRecipe):
        return Coder(recipe.dictionaries, State(state.game.coding(), state.epoch, state.step))
    assert isinstance(recipe, SDPCRecipe)
    return Coder(recipe, state)
