"""Experiments: a question, arms, predictions that a program can check, and the verdict."""

from bascule.experiments.bounds import NoiseBound
from bascule.experiments.experiment import Experiment, Measure, MeasureCoding
from bascule.experiments.predictions import (
    COVERAGE,
    KID,
    Alike,
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
    "Exceeds",
    "Experiment",
    "Falls",
    "Higher",
    "Lower",
    "Measure",
    "MeasureCoding",
    "NoiseBound",
    "Rises",
    "Settles",
    "Spike",
    "Within",
    "mean_tv",
]
