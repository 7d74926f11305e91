"""Rules of an experiment's own file, told without executing that file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import make_dataclass
from functools import cache
from typing import Any

from bascule.errors import Refusal
from bascule.game import Game
from bascule.interventions.seams import Intervention
from bascule.now import Now


class Foreign(Intervention):
    """Stands for a rule whose class is not known: its name and its fields, and nothing it does.

    It compares and prints as the rule itself would; no game can be played with it.
    """

    def acts_from(self) -> int:
        """What its field ``at_epoch`` or ``from_epoch`` says, else 0; its file alone knows."""
        for name in ("at_epoch", "from_epoch"):
            told = getattr(self, name, None)
            if isinstance(told, int) and told >= 0:
                return told
        return 0

    def prepare(self, game: Game, now: Now) -> None:
        raise Refusal(
            f"this run uses {type(self).__name__} from its own experiment.py, which looking "
            "never executes"
        )


def foreign(name: str, fields: Mapping[str, Any]) -> Foreign:
    """The placeholder of ``name(**fields)``. Raises :class:`Refusal` for what is no class."""
    try:
        return _class(name, tuple(fields))(**fields)
    except (TypeError, ValueError) as error:
        raise Refusal(f"no class of a rule: {str(name)[:80]!r} ({error})") from None


@cache
def _class(name: str, fields: tuple[str, ...]) -> type[Foreign]:
    known = [field for field in fields if hasattr(Foreign, field)]
    if known:
        raise ValueError(f"it cannot have the field {known[0]!r}")
    if not name.isidentifier():
        raise ValueError("its name is no word")
    made = make_dataclass(name, [(field, Any) for field in fields], bases=(Foreign,), frozen=True)
    made.__module__ = __name__
    return made
