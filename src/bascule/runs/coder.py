"""The network of a run of sparse deep predictive coding, to encode and decode with."""

from __future__ import annotations

import torch

from bascule.coding.coder import Coder
from bascule.errors import Refusal
from bascule.runs.generate import kept_epoch
from bascule.runs.store import Run
from bascule.training.sdpc import SDPCRecipe
from bascule.training.state import begin


def coder_of(run: Run, epoch: int | None = None) -> Coder:
    """The coder as it stands in a run after ``epoch`` epochs (None: in its newest checkpoint).

    Raises :class:`Refusal` for a run of another kind, or an epoch of which no checkpoint is kept.
    """
    recipe = run.recipe
    if not isinstance(recipe, SDPCRecipe):
        raise Refusal(f"{run.id} has no dictionaries: it is no run of `bascule sdpc fit`")
    saved = run.load_checkpoint(kept_epoch(run, epoch))
    if recipe.device.startswith("cuda") and not torch.cuda.is_available():
        recipe = recipe.but(device="cpu")
    coder = Coder(recipe)
    coder.state = begin(coder.recipe)
    coder.state.load_state_dict(saved)
    return coder
