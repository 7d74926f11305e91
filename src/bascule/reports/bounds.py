"""The best possible D of each arm, as a line in the curves and as a table."""

from __future__ import annotations

from collections.abc import Mapping

from bascule.experiments.schedule import Results
from bascule.reports import facts
from bascule.reports.page import Table
from bascule.theory.noise import BLIND, Bound, Noise

BOUNDS = (
    " Dash-dot: the best possible D, which knows the image under the noise; no D can have less "
    "loss_D on fresh images (its D_x and D_Gz are its own means, no limits)."
)


def best_of(results: Results) -> dict[str, tuple[int, Bound]]:
    """arm -> (first epoch, bound), for every arm with a bound and a finished run."""
    experiment = results.experiment
    return {
        arm: (bound.from_epoch, bound.best(experiment.arms[arm]))
        for arm, bound in experiment.bounds.items()
        if results.curves.get(arm)
    }


def bounds_table(results: Results, best: Mapping[str, tuple[int, Bound]]) -> Table:
    """The share of the possible reduction of loss_D that each D reaches."""
    rows = []
    for arm, (start, bound) in best.items():
        laws = results.experiment.bounds[arm]
        curves = [{"loss_D": c["loss_D"][start:]} for c in results.curves[arm].values()]
        losses = [loss for c in curves if (loss := facts.final(c, "loss_D")) is not None]
        gain = BLIND.loss_D - bound.loss_D
        shares = [(BLIND.loss_D - loss) / gain for loss in losses] if gain else []
        numbers = [facts.number(bound.accuracy), facts.number(bound.loss_D)]
        told = [_told(laws.real), _told(laws.fake)]
        rows.append((arm, *told, *numbers, facts.plus_minus(losses), facts.plus_minus(shares)))
    columns = ("arm", "noise of reals", "noise of fakes", "best accuracy", "least loss_D")
    caption = (
        f"Best and least: of the best possible D. Measured: of each seed, the {facts.LAST}; over "
        "seeds, mean ± half width of its 95 % interval. Share: (2 ln 2 − measured) / (2 ln 2 − "
        "least), 0 for a D that cannot tell and 1 for the best."
    )
    return Table((*columns, "measured loss_D", "share"), rows, f"{caption} {facts.NUMBERS}")


def _told(noise: Noise) -> str:
    laws = noise if isinstance(noise, tuple) else (noise,)
    return " + ".join(facts.told(law) for law in laws) or "none"
