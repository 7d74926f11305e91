"""The fields of a class in words: type, default, range, and what its docstring says of them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from bascule.core.fields import hints

REFUSED = -2  # a number that a field with a range refuses


@dataclass(frozen=True)
class Described:
    """One field of a class.

    type      as Python would write it: ``float | Uniform``, ``'G' | 'D'``
    default   as it would be written; None if the field is needed
    allowed   what the class expects of it; "" if it takes any value of its type
    about     what the docstring of the class, or of a base class, says; "" if none lists the field
    choices   the texts among which to choose; empty for other fields
    """

    name: str
    type: str
    default: str | None
    allowed: str = ""
    about: str = ""
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``float = 0.5; a share in (0, 1]``: type, default and range."""
        told = self.type + (", required" if self.default is None else f" = {self.default}")
        return f"{told}; {self.allowed}" if self.allowed else told


def described(kind: type) -> list[Described]:
    """The fields in the constructor of a dataclass."""
    about: dict[str, str] = {}
    for each in reversed(kind.__mro__):  # a base class tells of the fields of all its kinds
        about |= _listed(each.__doc__ or "")
    found = []
    for f in _fields(kind):
        hint = hints(kind)[f.name]
        told = _type(hint), _default(f), _range(kind, f.name), about.get(f.name, "")
        found.append(Described(f.name, *told, _choices(hint)))
    return found


def _listed(doc: str) -> dict[str, str]:
    """The entries of a docstring's list of fields: ``name  description``, or ``a, b  both``."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc(doc).splitlines():
        if start := re.match(r"(\w+(?:, \w+)*) {2,}(\S.*)", line):
            names = start[1].split(", ")
            found |= dict.fromkeys(names, start[2])
        elif names and re.match(r" {2,}\S", line):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        elif line.strip():
            names = []
    return {name: " ".join(text.replace("``", "").split()) for name, text in found.items()}


def _choices(hint: Any) -> tuple[str, ...]:
    if hint is bool:
        return ("False", "True")
    return tuple(map(repr, get_args(hint))) if get_origin(hint) is Literal else ()


def _default(f: dataclasses.Field[Any]) -> str | None:
    if f.default is not dataclasses.MISSING:
        return repr(f.default)
    factory = f.default_factory
    return None if factory is dataclasses.MISSING else repr(factory())


def _range(kind: type, name: str) -> str:
    """What a class expects of a field, in the words with which it refuses a wrong number.

    Empty where the class takes that number, or where the field is no number.
    """
    needed = {f.name: 1 for f in _fields(kind) if _is_needed(f)}
    if _refusal(kind, needed):  # it needs more than numbers
        return ""
    refusal = _refusal(kind, {**needed, name: REFUSED})
    return " ".join(refusal.partition("expected ")[2].split())


def _refusal(kind: type, values: dict[str, int]) -> str:
    """Why a class does not take these values; empty where it does."""
    try:
        kind(**values)
    except Exception as refusal:  # a plug-in's class may raise anything
        return str(refusal) or type(refusal).__name__
    return ""


def _type(hint: Any) -> str:
    """``float | Uniform``, ``'G' | 'D'`` for a Literal, ``tuple[str, ...]``."""
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return " | ".join(map(repr, parts))
    if get_origin(hint) in (Union, UnionType):
        return " | ".join(map(_type, parts))
    if get_origin(hint) is tuple:
        return f"tuple[{', '.join('...' if part is ... else _type(part) for part in parts)}]"
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))


def _fields(kind: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(kind) if f.init]


def _is_needed(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
