"""The source of a class that a user's file defines: part of what its numbers are."""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path
from typing import Any

from bascule.errors import Refusal


def file_of(cls: type) -> Path:
    """The file that defines a class. Raises :class:`Refusal` where there is none."""
    path = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if path is None:
        raise Refusal(f"{cls.__name__} is not defined in a file: put it into one, such as mine.py")
    return Path(path).resolve()


def code_of(value: Any) -> str:
    """A digest of the file that defines the class of ``value``, and of its parameters.

    Comments and blank lines do not count.
    """
    path = file_of(type(value))
    tree = ast.dump(ast.parse(path.read_text("utf-8")))
    parameters = repr(sorted(vars(value).items())) if hasattr(value, "__dict__") else ""
    name = type(value).__qualname__
    return hashlib.sha256(f"{tree}\n{name}\n{parameters}".encode()).hexdigest()[:16]
