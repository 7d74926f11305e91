"""Sparse deep predictive coding: layers of dictionaries, and the inference of codes."""

from bascule.sdpc.model.inference import (
    Codes,
    Inference,
    energies,
    infer,
    joint_energy,
    step_sizes,
    unrolled,
)
from bascule.sdpc.model.network import SDPC, Layer, Network

__all__ = [
    "SDPC",
    "Codes",
    "Inference",
    "Layer",
    "Network",
    "energies",
    "infer",
    "joint_energy",
    "step_sizes",
    "unrolled",
]
