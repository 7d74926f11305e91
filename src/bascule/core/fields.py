"""Frozen dataclasses whose fields are checked against their annotations.

A recipe is written by hand, read from a file, or given on the command line. In each case, a value
of a wrong type is refused with one line. Equal values get an equal form (1 becomes 1.0 where a
float is declared), so that equal recipes have equal digests.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeVar, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bascule.core.errors import UserError

D = TypeVar("D")


class Open(ABC):  # noqa: B024 (a kind without needs is recognised by inheritance alone)
    """Base of the field types that user code may extend: a field takes any subclass.

    needs  the names that a class must define. If it is not empty, a user's class that defines all
           of them counts as a subclass without inheriting.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:  # a bool or NotImplemented
        if "needs" not in vars(cls) or not cls.needs or _is_ours(other):
            return NotImplemented
        known = {name for base in other.__mro__[:-1] for name in _names_in(base)}
        return known.issuperset(cls.needs) or NotImplemented


def _is_ours(cls: type) -> bool:
    package = __name__.partition(".")[0]
    return any(base.__module__.partition(".")[0] == package for base in cls.__mro__)


def _names_in(cls: type) -> set[str]:
    return {*vars(cls), *getattr(cls, "__annotations__", ())}


class Placeholder:
    """Stands for a value whose class is not loaded; every field accepts it."""


def renamed_field(default: Any, key: str) -> Any:
    """A field that older files call ``key``: so do digests, and files with that name are read."""
    return dataclasses.field(default=default, metadata={"key": key})


def key_of(field: dataclasses.Field[Any]) -> str:
    """What digests call a field."""
    return str(field.metadata.get("key", field.name))


def renamed(cls: type) -> dict[str, str]:
    """The older names of fields of ``cls``, and the new ones."""
    return {key_of(f): f.name for f in dataclasses.fields(cls) if key_of(f) != f.name}


def added_field(default: Any, key: str | None = None, quiet: bool = False) -> Any:
    """A field that was added to recipes later: at ``default`` it is left out of the digest.

    So older runs keep their names. Never change such a default. ``key``: see :func:`renamed_field`.
    ``quiet``: it is left out of the text of a value, too (:func:`brief`).
    """
    metadata = {"added": True, "quiet": quiet} | ({"key": key} if key else {})
    return dataclasses.field(default=default, metadata=metadata)


def brief(value: Any) -> str:
    """The ``repr`` of a dataclass without its ``quiet`` fields, those that have their default."""
    shown = (
        f"{f.name}={getattr(value, f.name)!r}"
        for f in sorted(dataclasses.fields(value), key=lambda f: bool(f.metadata.get("quiet")))
        if f.repr and not (f.metadata.get("quiet") and getattr(value, f.name) == f.default)
    )
    return f"{type(value).__qualname__}({', '.join(shown)})"


def hints(cls: type) -> dict[str, Any]:
    """The annotated types of the fields in the constructor of ``cls``, by name."""
    return _hints(cls)


@cache
def _hints(cls: type) -> dict[str, Any]:
    found = get_type_hints(cls)
    return {f.name: found[f.name] for f in dataclasses.fields(cls) if f.init}


def check_fields(value: Any) -> None:
    """Check and convert every field of a frozen dataclass; call it first in ``__post_init__``."""
    cls = type(value)
    for name in hints(cls):
        object.__setattr__(value, name, checked(cls, name, getattr(value, name)))


def checked(cls: type, name: str, value: Any) -> Any:
    """``value`` in the form that the field ``name`` of ``cls`` declares.

    Where a tuple is declared, a single value or another iterable becomes a tuple. Raises
    :class:`UserError` for a wrong type, NaN or infinity, and integers of more than 64 bits.
    """
    kind = _kind(cls, name)
    if kind.is_tuple and value is not None and not isinstance(value, tuple):  # None may be allowed
        several = isinstance(value, Iterable) and not isinstance(value, str)
        value = tuple(value) if several else (value,)
    if any(isinstance(part, Placeholder) for part in (value if kind.is_tuple else (value,)) or ()):
        return value
    if kind.adapter is None:
        if not isinstance(value, kind.hint):
            needs = getattr(kind.hint, "needs", ())
            more = f", a value with {', '.join(needs)}" if needs else ""
            told = f"{_said(name, value)} in {cls.__name__}"
            raise UserError(f"{told}: expected a {kind.hint.__name__}{more}")
        _check_frozen(value)
        return value
    try:
        found = kind.adapter.validate_python(value)
        for part in found if isinstance(found, tuple) else (found,):
            if Open in type(part).__mro__:
                _check_frozen(part)
        numbers = found if isinstance(found, tuple) else (found,)
        if any(isinstance(n, int) and abs(n) >= 2**63 for n in numbers):
            raise UserError(f"{name} in {cls.__name__}: expected whole numbers of at most 64 bits")
        return found
    except ValidationError as error:
        expected = "; ".join(dict.fromkeys(e["msg"] for e in error.errors()))
        raise UserError(f"{_said(name, value)} in {cls.__name__}: {expected}") from None


def from_plain(cls: type[D], plain: Any) -> D:
    """The dataclass ``cls`` from the JSON values of its fields, dataclasses inside it too.

    Unknown names are ignored. Raises ValueError, in one line, for a field that is missing or of
    another type.
    """
    try:
        # As JSON, since only there a list may stand for a tuple while a word is no number.
        found: D = _reader(cast(Any, cls)).validate_json(json.dumps(plain), strict=True)
        return found
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@cache
def _reader(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _check_frozen(value: Any) -> None:
    kind = type(value)
    if not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise UserError(
            f"{kind.__name__} is not a frozen dataclass, so it cannot be saved in a file: put "
            "@dataclass(frozen=True) above the class"
        )


def _said(name: str, value: Any) -> str:
    told = " ".join(f"{name}={value!r}".split())  # arrays have pages of lines
    return told if len(told) <= 200 else f"{told[:200]}..."


class _Kind(NamedTuple):
    hint: Any
    is_tuple: bool
    adapter: TypeAdapter[Any] | None  # None: the value is an instance of a dataclass


@cache
def _kind(cls: type, name: str) -> _Kind:
    hint = hints(cls)[name]
    told = str(hint)
    plain = isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, Open))
    return _Kind(hint, told.startswith("tuple["), None if plain else _adapter(hint, told))


@cache
def _adapter(hint: Any, told: str) -> TypeAdapter[Any]:
    """``told``: the text of the hint. Unions in another order are equal but give other errors."""
    config = ConfigDict(arbitrary_types_allowed=True, strict=True, allow_inf_nan=False)
    return TypeAdapter(hint, config=config)
