"""Measurements: which quantity, of what, in which space. Their labels stand in files and notes.

Only this module parses labels (:func:`parse`) and builds them (``str``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import nan
from typing import Any, get_args

from bascule.core.errors import UserError
from bascule.metrics.measured import METRICS
from bascule.metrics.metric import Metric
from bascule.metrics.numbers import NUMBERS
from bascule.metrics.quantity import Better, Quantity

HELD_OUT = "held-out"


@dataclass(frozen=True)
class Measurement:
    """One number that a run may have.

    quantity   the kind of number
    space      where it is measured, in the label's brackets: the name of an extractor,
               "micah,64px", "decoded", "codes". Empty for numbers of training and diagnostics.
    attribute  the attribute, such as "hairVariant"
    layer      the layer of dictionaries, from 1, from which images were decoded
    k_fb       the feedback in their inference
    sigma      the standard deviation of noise on them
    of         what was measured instead of fakes, such as the baseline "copy"
    after      the damage to images before they were translated back, such as "JPEG"
    split      "held-out" if fakes are compared with held-out instead of training images
    """

    quantity: Quantity
    space: str = ""
    attribute: str = ""
    layer: int | None = None
    k_fb: float | None = None
    sigma: float | None = None
    of: str = ""
    after: str = ""
    split: str = ""

    def at(self, **parameters: Any) -> Measurement:
        """The same quantity with other parameters: ``KID.at(layer=1, k_fb=4)``.

        ``extractor``: a name for ``space``, or an extractor. Raises :class:`UserError` for
        parameters that the quantity does not have.
        """
        if (extractor := parameters.pop("extractor", None)) is not None:
            parameters["space"] = getattr(extractor, "name", extractor)
        takes = ("space", *self.quantity.takes)
        for name in parameters:
            if name not in takes:
                known = ", ".join(("extractor", *self.quantity.takes))
                raise UserError(f"{self.quantity.name}.at({name}=...): expected one of {known}")
        found = replace(self, **parameters)
        if found.of and found.of not in self.quantity.of:
            known = ", ".join(self.quantity.of)
            raise UserError(f"{self.quantity.name}.at(of={found.of!r}): expected one of {known}")
        if parse(str(found)) != found:
            told = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
            raise UserError(f"{self.quantity.name}.at({told}): nothing is called {str(found)!r}")
        return found

    @property
    def name(self) -> str:
        """The label without its brackets: "KID of layer 1 at k_fb=4"."""
        told = self.quantity.name
        told += f"{self.quantity.joiner}{self.attribute}" if self.attribute else ""
        told += f" of layer {self.layer}" if self.layer is not None else ""
        told += f" of {self.of}" if self.of else ""
        told += f" at k_fb={self.k_fb:g}" if self.space and self.k_fb is not None else ""
        told += f" after {self.after}" if self.after else ""
        # "coverage of held-out": held-out images are covered. Others are measured "on" them.
        joiner = "of" if self.quantity.name == "coverage" else "on"
        return f"{told} {joiner} {self.split}" if self.split else told

    def __str__(self) -> str:
        if self.space:
            return f"{self.name}[{self.space}]"
        if self.k_fb is None:
            return self.name
        noise = "" if self.sigma is None else f",sigma={self.sigma:g}"
        return f"{self.name}[k_fb={self.k_fb:g}{noise}]"

    @property
    def evaluated(self) -> bool:
        """Whether an evaluation measures it; otherwise training or diagnostics do."""
        return bool(self.space) or self.k_fb is not None

    @property
    def plain(self) -> bool:
        """Whether it compares the fakes themselves with training images."""
        return self == Measurement(self.quantity, self.space)

    @property
    def known(self) -> bool:
        """Whether the package measures it."""
        return self.quantity.name in known_quantities()


# What may follow the name of a quantity and its attribute.
_TAIL = re.compile(
    r"( of (layer (?P<layer>[1-9]\d*)|(?P<of>(?!held-out)[a-z -]+?)))?"
    r"( at k_fb=(?P<k_fb>\d+(\.\d+)?))?"
    r"( after (?P<after>8 bits|JPEG|noise))?( (of|on) (?P<split>held-out))?"
)
_FEEDBACK = re.compile(r"k_fb=(?P<k_fb>[^,]+)(,sigma=(?P<sigma>[^,]+))?")


@cache
def known_quantities() -> Mapping[str, Quantity]:
    """The quantities that the package measures, by name, the longest name first."""
    metrics = {name: metric.quantity() for name, metric in METRICS.items()}
    every = {**metrics, **NUMBERS}
    return {name: every[name] for name in sorted(every, key=len, reverse=True)}


@cache
def parse(label: str) -> Measurement:
    """The measurement with this label. An unknown label is a new quantity of that name."""
    name, bracket, rest = label.partition("[")
    if not bracket or not rest.endswith("]"):
        name, rest = label, "]"
    space = rest[:-1]
    for quantity in known_quantities().values():
        if name.startswith(quantity.name):
            told = _parameters(quantity, name[len(quantity.name) :], space)
            found = Measurement(quantity, **told) if told is not None else None
            if found is not None and str(found) == label:
                return found
    return Measurement(Quantity(name, evaluated=bool(space)), space)


def _parameters(quantity: Quantity, tail: str, space: str) -> dict[str, Any] | None:
    """The fields of a measurement of ``quantity``; None if ``tail`` and ``space`` do not fit it."""
    told: dict[str, Any] = {"space": space}
    if quantity.joiner:
        match = re.match(rf"{quantity.joiner}(?P<attribute>\w+)", tail)
        if match is None:
            return None
        told |= match.groupdict()
        tail = tail[match.end() :]
    match = _TAIL.fullmatch(tail)
    if match is None:
        return None
    told |= {name: value for name, value in match.groupdict().items() if value}
    if feedback := _FEEDBACK.fullmatch(space):
        told |= {name: value for name, value in feedback.groupdict().items() if value}
        told["space"] = ""
    if any(name not in quantity.takes for name in told if name != "space"):
        return None
    if told.get("of") and told["of"] not in quantity.of:
        return None
    kinds = {"layer": int, "k_fb": float, "sigma": float}
    try:
        return {name: kinds.get(name, str)(value) for name, value in told.items()}
    except ValueError:  # "k_fb=much"
        return None


def measurement(of: Measurement | Metric | type[Metric] | str) -> Measurement:
    """The measurement ``of`` itself, or that of a metric, or that with a label."""
    if isinstance(of, Measurement):
        return of
    if isinstance(of, str):
        return parse(of)
    metric = of() if isinstance(of, type) and issubclass(of, Metric) else of
    if not isinstance(metric, Metric):
        raise UserError(f"{of!r} is no measurement: expected a label, a Measurement or a Metric")
    return Measurement(metric.quantity())


def check_own(metric: Metric) -> None:
    """Raise :class:`UserError` for a user's metric with a used name or with wrong fields."""
    kind = type(metric).__name__
    name = getattr(metric, "name", None)
    if not isinstance(name, str) or not name.strip() or set(name) & set("[]\n"):
        raise UserError(f"{kind}.name is {name!r}: expected a short text without brackets")
    if parse(name).known:
        raise UserError(f"{kind}.name is {name!r}, the name of a number of the package: rename it")
    for field, known in (("better", get_args(Better)), ("on", ("features", "pixels"))):
        if getattr(metric, field) not in known:
            told = ", ".join(known)
            raise UserError(f"{kind}.{field} is {getattr(metric, field)!r}: expected one of {told}")
    if not isinstance(metric.at_least, int) or metric.at_least < 1:
        raise UserError(f"{kind}.at_least is {metric.at_least!r}: expected a number of images")
    try:
        low, high = map(float, metric.limits)
    except (TypeError, ValueError):
        low, high = nan, nan
    if not low < high:
        raise UserError(f"{kind}.limits is {metric.limits!r}: expected two numbers, such as (0, 1)")
