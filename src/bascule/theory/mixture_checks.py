"""Checks of the counting rule for modes, and G's modes next to published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

import numpy as np

from bascule.core.context import generator
from bascule.theory.check import Budget, Check, Section
from bascule.theory.mixtures import HIGH_QUALITY, Mixture, count

PACGAN = "Lin et al. 2018 (PacGAN), table 1"


PUBLISHED = {  # GAN in Lin et al. 2018, table 1: modes, share of high quality
    "ring-8": (6.3, 0.982),
    "grid-25": (17.3, 0.948),
}


def mixture_section(
    mixtures: Mapping[str, Mixture], points: Mapping[str, Mapping[int, np.ndarray]], budget: Budget
) -> Section:
    """``points``: mixture -> seed -> G's points (n, 2). The counting rule is checked exactly."""
    checks, drawn = [], {}
    steps = budget.mixtures.steps
    for name, mixture in mixtures.items():
        truth = mixture.draw(200_000, generator("theory/mixture/truth", name)).numpy()
        share = 1 - exp(-(HIGH_QUALITY**2) / 2)
        few = np.repeat(mixture.means[[0, 1, 2]], [500, 300, 200], axis=0)
        between = np.full((1000, 2), mixture.means[:2].mean(0))
        collapsed = count(np.concatenate([few, between]), mixture)
        checks += [
            Check(
                f"{name}: high quality of the truth, 1 - exp(-9/2)",
                share,
                count(truth, mixture).high_quality,
                1e-3,
                "Rayleigh distribution",
            ),
            Check(
                f"{name}: modes of the truth",
                float(len(mixture.means)),
                float(count(truth, mixture).modes),
                0.0,
                "counting rule",
            ),
            Check(
                f"{name}: modes of a made-up collapse",
                3.0,
                float(collapsed.modes),
                0.0,
                "counting rule",
            ),
            Check(f"{name}: its high quality", 0.5, collapsed.high_quality, 0.0, "counting rule"),
        ]
        counts = {seed: count(made, mixture) for seed, made in points[name].items()}
        for what, published, values in (
            ("modes", PUBLISHED[name][0], [float(c.modes) for c in counts.values()]),
            ("high quality", PUBLISHED[name][1], [c.high_quality for c in counts.values()]),
        ):
            told = ", ".join(f"{value:.3g}" for value in values)
            checks.append(
                Check(
                    f"{name}: {what} of G, {steps:,} steps (400,000 published)",
                    published,
                    float(np.mean(values)),
                    0.0,
                    PACGAN,
                    "reference",
                    f"each of {len(values)} seeds: {told}",
                )
            )
        drawn[f"means/{name}"] = mixture.means
        drawn[f"made/{name}"] = points[name][min(points[name])]
    return Section("Rings and grids of Gaussians", checks, drawn)
