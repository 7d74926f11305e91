"""bascule: change one rule of adversarial training and get a statistically sound verdict.

In Python::

    import bascule as bl

    run = bl.train("dcgan64-tiny", epochs=5)
    run.generate(16, seed=1)

Public names are loaded when they are first used, so ``import bascule`` is fast. The file
``__init__.pyi`` beside this one lists them all, with the modules that define them.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"


@cache
def _public() -> dict[str, str]:
    """The public names, and the module that defines each of them."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {one.asname or one.name: str(node.module) for node in found for one in node.names}


def __getattr__(name: str) -> object:
    if not name.startswith("_") and name in _public():
        value: object = getattr(import_module(_public()[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bascule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_public()})
