"""Interventions that an experiment's own file brings along."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from bascule.errors import Refusal
from bascule.interventions import Intervention


def load_file(path: Path) -> ModuleType:
    """Run a Python file of the user's and return it as a module."""
    spec = importlib.util.spec_from_file_location(f"bascule_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Refusal(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their annotations up there
    try:
        spec.loader.exec_module(module)
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
