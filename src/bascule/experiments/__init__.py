"""Experiments: a question, arms, predictions that a program can check, and the verdict."""

from bascule.experiments.experiment import Experiment
from bascule.experiments.predictions import Higher, Lower, Settles, Spike, Within

__all__ = ["Experiment", "Higher", "Lower", "Settles", "Spike", "Within"]
