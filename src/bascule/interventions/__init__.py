"""Interventions: one changed rule of the game each, through the seams of the step."""

from bascule.interventions.augmentation import AdaptiveAugment, DiffAugment
from bascule.interventions.lying import (
    FakeHistory,
    FakesAmongReals,
    NegativeAugmentation,
    PseudoAugmentation,
    RealsAmongFakes,
)
from bascule.interventions.noise import InstanceNoise, NoiseOnReals, PerfectG, add_noise
from bascule.interventions.resets import ResetD
from bascule.interventions.seams import Intervention, Player, Together

INTERVENTIONS: tuple[type[Intervention], ...] = (
    *(PerfectG, NoiseOnReals, InstanceNoise),
    *(RealsAmongFakes, FakesAmongReals, PseudoAugmentation, NegativeAugmentation, FakeHistory),
    *(DiffAugment, AdaptiveAugment),
    *(ResetD, Together),
)

__all__ = [
    "INTERVENTIONS",
    "AdaptiveAugment",
    "DiffAugment",
    "FakeHistory",
    "FakesAmongReals",
    "InstanceNoise",
    "Intervention",
    "NegativeAugmentation",
    "NoiseOnReals",
    "PerfectG",
    "Player",
    "PseudoAugmentation",
    "RealsAmongFakes",
    "ResetD",
    "Together",
    "add_noise",
]
