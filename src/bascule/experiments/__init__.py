"""Experiments: a question, arms, predictions that a program can check, and the verdict."""

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
    Alike,
    Closes,
    Exceeds,
    Falls,
    Higher,
    Lower,
    Rises,
    Settles,
    Spike,
    Within,
    mean_tv,
)

__all__ = [
    "COVERAGE",
    "KID",
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
    "Rises",
    "Settles",
    "Spike",
    "Within",
    "mean_tv",
]
