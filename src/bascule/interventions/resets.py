"""Interventions that react to D's scores: D is reset when it is too strong."""

from __future__ import annotations

from dataclasses import dataclass

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.gan.game import Game
from bascule.interventions.hooks import Intervention, Player, check_epoch


@dataclass(frozen=True)
class ResetD(Intervention):
    """Resets D's weights and its optimiser when D is too strong; G may wait for the new D.

    D is too strong when D_x > ``D_x`` and D_Gz < ``D_Gz``. Both are exponential averages over about
    ``over_steps`` steps; for a new D they start at 1/2.

    wait        G does not learn until the new D has D_x > wait[0] and D_Gz < wait[1]; None: G
                continues at once. (This is the "threshold" of a 2019 notebook, which reset at .7
                and .2 and waited until .6 and .3.)
    from_epoch  the first epoch, from 0, in which it acts

    The scalars of the run get the averages, the number of ``resets``, and ``waiting`` (0 or 1).
    """

    D_x: float = 0.7
    D_Gz: float = 0.2
    over_steps: int = 20
    wait: tuple[float, float] | None = None
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("ResetD", "from_epoch", self.from_epoch)
        if self.over_steps < 1:
            raise UserError(f"ResetD(over_steps={self.over_steps}): expected a whole number >= 1")
        both = {"D_x, D_Gz": (self.D_x, self.D_Gz), "wait": self.wait or (1.0, 0.0)}
        for name, (x, gz) in both.items():
            if not (0.5 <= x <= 1 and 0 <= gz <= 0.5):
                raise UserError(
                    f"ResetD({name} = {x}, {gz}): expected D_x in [0.5, 1] and D_Gz in [0, 0.5]"
                )
        if self.wait and not (self.wait[0] <= self.D_x and self.wait[1] >= self.D_Gz):
            raise UserError(
                f"ResetD(wait={self.wait}): expected wait[0] <= D_x={self.D_x} and wait[1] >= "
                f"D_Gz={self.D_Gz}; otherwise G might never learn again"
            )

    def first_epoch(self) -> int:
        return self.from_epoch

    def on_step_start(self, game: Game, context: StepContext) -> None:
        if context.epoch < self.from_epoch:
            return
        x, gz = context.recall("D_x", 0.5).item(), context.recall("D_Gz", 0.5).item()
        seen_x, seen_gz = context.last_metric("D_x"), context.last_metric("D_Gz")
        if seen_x is not None and seen_gz is not None:
            x += (seen_x - x) / self.over_steps
            gz += (seen_gz - gz) / self.over_steps
        resets, waiting = context.recall("resets").item(), context.recall("waiting").item()
        if self.wait and x > self.wait[0] and gz < self.wait[1]:
            waiting = 0.0
        if x > self.D_x and gz < self.D_Gz:
            _begin_again(game, context)
            x = gz = 0.5
            resets += 1
            waiting = float(self.wait is not None)
        for name, value in (("D_x", x), ("D_Gz", gz), ("resets", resets), ("waiting", waiting)):
            context.remember(name, value)

    def should_update(self, player: Player, context: StepContext) -> bool:
        return player == "D" or not context.recall("waiting").item()


def _begin_again(game: Game, context: StepContext) -> None:
    """New random weights for D, and an optimiser without moments."""
    assert game.fresh is not None, "a game that can make a new D"
    _, D = game.fresh(context.rng("D"))
    game.D.load_state_dict(D.state_dict())
    game.opt_D.state.clear()
