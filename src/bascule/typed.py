"""Frozen dataclasses whose fields are what their annotations say.

A recipe is written by hand, read from a file, or said on the command line; whichever it was, a
wrong kind of value is refused with one line, and equal values have equal form (1 becomes 1.0
where a float is declared), so that equal recipes have equal digests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bascule.errors import Refusal


def later(default: Any) -> Any:
    """A field that recipes did not have from the first: at ``default`` it is no part of a digest.

    So runs from before it keep their names. Such a default never changes.
    """
    return dataclasses.field(default=default, metadata={"later": True})


def hints(cls: type) -> dict[str, Any]:
    """The annotated types of the fields that ``cls`` takes."""
    found = get_type_hints(cls)
    return {f.name: found[f.name] for f in dataclasses.fields(cls) if f.init}


def check_fields(value: Any) -> None:
    """Check every field of a frozen dataclass; call it first in ``__post_init__``."""
    cls = type(value)
    for name, hint in hints(cls).items():
        object.__setattr__(value, name, checked(cls, name, hint, getattr(value, name)))


def checked(cls: type, name: str, hint: Any, value: Any) -> Any:
    """``value`` as the type ``hint``; raises :class:`Refusal` where it is of another kind.

    Several values, or a single one, are a tuple where one is declared. Numbers must be finite.
    """
    tuple_declared = str(hint).startswith("tuple[") and value is not None  # it may be None too
    if tuple_declared and not isinstance(value, tuple):
        several = isinstance(value, Iterable) and not isinstance(value, str)
        value = tuple(value) if several else (value,)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        raise Refusal(f"{name}={value!r} in {cls.__name__}: expected a {hint.__name__}")
    config = ConfigDict(arbitrary_types_allowed=True, strict=True, allow_inf_nan=False)
    try:
        return TypeAdapter(hint, config=config).validate_python(value)
    except ValidationError as error:
        expected = "; ".join(dict.fromkeys(e["msg"] for e in error.errors()))
        raise Refusal(f"{name}={value!r} in {cls.__name__}: {expected}") from None
