"""Interventions that an experiment's own file brings along."""

from __future__ import annotations

import inspect
import linecache
import sys
from pathlib import Path
from types import ModuleType

from bascule.errors import Refusal
from bascule.interventions import Intervention
from bascule.now import address
from bascule.reading import read_bytes

MOST_BYTES = 2**20  # of a file that someone wrote by hand


def load_file(path: Path) -> ModuleType:
    """Run a Python file of the user's and return it as a module."""
    if path.suffix != ".py":
        raise Refusal(f"{path} is not a Python file")
    name = f"bascule_file_{path.stem}_{address(path.resolve()):x}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their annotations up there
    try:
        # Not importlib: it would trust, and leave behind, a cache of bytecode.
        exec(compile(read_bytes(path, MOST_BYTES), str(path), "exec"), module.__dict__)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"{path} does not load: {type(error).__name__}: {error}") from error
    return module


def brought_classes(path: Path) -> tuple[type[Intervention], ...]:
    """The interventions that the file at ``path`` defines; none when there is no such file."""
    return classes_of(load_file(path)) if path.exists() else ()


def classes_of(module: ModuleType) -> tuple[type[Intervention], ...]:
    return tuple(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Intervention)
        and value.__module__ == module.__name__
    )


def source_of(cls: type) -> str:
    """The text of a brought class: what it does is part of what a run is."""
    linecache.checkcache()
    return inspect.getsource(cls)
