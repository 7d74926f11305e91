"""What the scalars of a run mean: their possible range, and what a higher value says.

The facts come from :class:`~bascule.metrics.measurement.Measurement` and from the recipes of runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from bascule.metrics.measurement import Measurement, measurement
from bascule.metrics.metric import Metric
from bascule.metrics.quantity import POSITIVE, Limits
from bascule.training.recipe import Recipe

Scalar = Measurement | Metric | type[Metric] | str  # a measurement or its label
LOSSES_FROM_0 = {  # the objectives under which a loss is never below 0
    "loss_D": ("non-saturating", "minimax", "least-squares", "hinge", "relativistic"),
    "loss_G": ("non-saturating", "least-squares", "relativistic"),
}
OF_SCORES = ("D_Gz", "D_x", "lead")  # these have a meaning in words only if D's logit is a log odds


def stem(scalar: Scalar) -> str:
    """The scalar's label without its brackets."""
    return measurement(scalar).name


def explained(scalars: Iterable[Scalar]) -> list[tuple[str, str]]:
    """(scalar, explanation) for each scalar that has one, in the order given."""
    every = dict.fromkeys(map(measurement, scalars))
    found = {m.name: m.quantity.explained for m in every if m.plain and m.quantity.explained}
    return list(found.items())


def meaning(scalar: Scalar, more: bool) -> str:
    """What a higher value of a scalar means, or a lower one; "" if it has no such text."""
    found = measurement(scalar)
    if not found.plain:
        return ""
    return found.quantity.more if more else found.quantity.less


def limits(scalar: Scalar, recipes: Iterable[Recipe] = ()) -> Limits:
    """The possible range of a scalar; a side may be infinite.

    ``recipes``: the recipes of the runs that measured it, whose objectives limit the losses.
    """
    found = measurement(scalar)
    played = (recipe.gan_objective for recipe in recipes)
    kinds = [getattr(objective, "kind", "") for objective in played if objective]
    allowed = LOSSES_FROM_0.get(str(found), ())
    if kinds and all(kind in allowed for kind in kinds):
        return POSITIVE
    return found.quantity.limits


def of_difference(first: Limits, second: Limits) -> Limits:
    """The possible range of a difference, first minus second."""
    return first[0] - second[1], first[1] - second[0]
