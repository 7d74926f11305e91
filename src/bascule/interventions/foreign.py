"""Placeholders for values of user classes, made without executing the user's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import make_dataclass
from functools import cache
from typing import Any, ClassVar

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import Placeholder
from bascule.gan.game import Game
from bascule.interventions.hooks import Intervention


class Foreign(Placeholder):
    """Stands for a value whose class is not loaded: its name, its fields and some facts.

    It compares and prints as the value itself would. Nothing can be trained with it.

    written  the name of its class in files
    facts    properties that the value had when it was saved, e.g. ``size``; also attributes
    """

    written: ClassVar[str]
    facts: ClassVar[Mapping[str, Any]] = {}
    _members: ClassVar[tuple[str, ...]] = ()  # facts that take the place of members of a base class

    def __getattr__(self, name: str) -> Any:
        if name in type(self).facts:
            return type(self).facts[name]
        raise AttributeError(f"{type(self).__name__} is not loaded: {name} is not known")


class ForeignValue(Foreign, Intervention):
    """Stands for any part of a recipe; it may be an intervention, too."""

    def first_epoch(self) -> int:
        """The fact ``first_epoch``; else the field ``at_epoch`` or ``from_epoch``; else 0."""
        told = (self.facts.get("first_epoch"), getattr(self, "at_epoch", None))
        for epoch in (*told, getattr(self, "from_epoch", None)):
            if isinstance(epoch, int) and epoch >= 0:
                return epoch
        return 0

    def uses_held_out(self) -> bool:
        return bool(self.facts.get("uses_held_out", False))

    def on_step_start(self, game: Game, context: StepContext) -> None:
        raise UserError(
            f"this run uses {type(self).__name__} from its own code, which is not loaded here"
        )


def foreign(
    written: str,
    fields: Mapping[str, Any],
    facts: Mapping[str, Any] = {},
    base: type[Foreign] = ForeignValue,
) -> Foreign:
    """The placeholder of a value. ``written``: its class, ``"my_nets.py:G"`` or ``"G"``.

    Raises :class:`UserError` if ``written`` is not the name of a class.
    """
    try:
        told = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in facts.items())
        kind: Any = base  # to mypy, a class of dataclasses is not hashable
        return _class(written, tuple(fields), told, kind)(**fields)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{str(written)[:80]!r} is not the class of a value: {error}; expected a name such as "
            "'my_nets.py:G'"
        ) from None


@cache
def _class(
    written: str, fields: tuple[str, ...], facts: tuple[tuple[str, Any], ...], base: type[Foreign]
) -> type[Foreign]:
    for field in fields:
        if hasattr(Foreign, field) or callable(getattr(base, field, None)) or field == "names":
            raise ValueError(f"it cannot have the field {field!r}")
    name = written.rpartition(":")[2].rpartition(".")[2]
    if not name.isidentifier():
        raise ValueError("its name is not an identifier")
    # A default hides a property of that name; every field is given.
    given = [(field, Any, None) for field in fields]
    members = {n: fact for n, fact in facts if n in base._members and n not in fields}
    made: Any = make_dataclass(name, given, bases=(base,), namespace=members, frozen=True)
    made.__module__ = __name__
    made.written, made.facts = written, dict(facts)
    kind: type[Foreign] = made
    return kind
