"""The interventions that there are: those of the package, and those of installed plug-ins."""

from __future__ import annotations

from bascule.core import class_names
from bascule.interventions import INTERVENTIONS
from bascule.interventions.hooks import Intervention


def known_interventions() -> list[type[Intervention]]:
    """The interventions of the package and of plug-ins."""
    more = [
        kind for kind in class_names.plugin_classes().values() if issubclass(kind, Intervention)
    ]
    return [*INTERVENTIONS, *more]
