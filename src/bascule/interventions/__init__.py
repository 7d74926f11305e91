"""Interventions: each changes one rule of the training, through hooks of the step."""

from bascule.interventions.augmentation import AdaptiveAugment, DiffAugment
from bascule.interventions.freeze import Freeze
from bascule.interventions.gradients import NormaliseGradients
from bascule.interventions.hooks import Compose, Intervention, Player
from bascule.interventions.label_corruption import (
    FakeHistory,
    FakesAmongReals,
    NegativeAugmentation,
    PseudoAugmentation,
    RealsAmongFakes,
)
from bascule.interventions.noise import InstanceNoise, NoiseOnReals, PerfectG, add_noise
from bascule.interventions.resets import ResetD
from bascule.interventions.warm_start import WarmStart

INTERVENTIONS: tuple[type[Intervention], ...] = (
    *(PerfectG, NoiseOnReals, InstanceNoise),
    *(RealsAmongFakes, FakesAmongReals, PseudoAugmentation, NegativeAugmentation, FakeHistory),
    *(DiffAugment, AdaptiveAugment),
    *(Freeze, ResetD, NormaliseGradients, WarmStart, Compose),
)

__all__ = [
    "INTERVENTIONS",
    "AdaptiveAugment",
    "Compose",
    "DiffAugment",
    "FakeHistory",
    "FakesAmongReals",
    "Freeze",
    "InstanceNoise",
    "Intervention",
    "NegativeAugmentation",
    "NoiseOnReals",
    "NormaliseGradients",
    "PerfectG",
    "Player",
    "PseudoAugmentation",
    "RealsAmongFakes",
    "ResetD",
    "WarmStart",
    "add_noise",
]
