"""Experiments: a question, arms, predictions that a program can check, and the verdict."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bascule.experiments.bounds import NoiseBound
    from bascule.experiments.experiment import (
        Experiment,
        Measure,
        MeasureCoding,
        MeasureTranslation,
    )
    from bascule.experiments.predictions import (
        COVERAGE,
        KID,
        TAKEN_FOR_REAL,
        Alike,
        Closes,
        Exceeds,
        Falls,
        Higher,
        Lower,
        Preferred,
        Rises,
        Settles,
        ShareOfRuns,
        Spike,
        Within,
        mean_tv,
    )

__all__ = [
    "COVERAGE",
    "KID",
    "TAKEN_FOR_REAL",
    "Alike",
    "Closes",
    "Exceeds",
    "Experiment",
    "Falls",
    "Higher",
    "Lower",
    "Measure",
    "MeasureCoding",
    "MeasureTranslation",
    "NoiseBound",
    "Preferred",
    "Rises",
    "Settles",
    "ShareOfRuns",
    "Spike",
    "Within",
    "mean_tv",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for now: a worker that trains needs none of it, and starts sooner."""
    if name in __all__:
        for module in ("experiment", "predictions", "bounds"):
            if hasattr(found := import_module(f"{__name__}.{module}"), name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
