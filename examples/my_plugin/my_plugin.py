"""A plug-in: an installed package whose classes and presets bascule knows by their bare names.

Its `pyproject.toml` names this module in the entry points of the group `bascule.plugins`.
Every frozen dataclass of the module is known then, and every recipe in `PRESETS`.

    pip install ./my_plugin && bascule train dcgan64-rested --set data.n=600 epochs=5
"""

from dataclasses import dataclass

from bascule.core.context import StepContext
from bascule.interventions import Intervention
from bascule.interventions.hooks import Player
from bascule.presets import dcgan64_tiny


@dataclass(frozen=True)
class Rest(Intervention):
    """D learns in every ``every``-th step alone."""

    every: int = 2

    def should_update(self, player: Player, context: StepContext) -> bool:
        return player == "G" or context.step % self.every == 0


PRESETS = {"dcgan64-rested": dcgan64_tiny.replace(interventions=Rest())}
