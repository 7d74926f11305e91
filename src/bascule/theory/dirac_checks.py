"""Checks of the Dirac-GAN: measured rates against eigenvalues, and exact predictions."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch

from bascule.theory import dirac
from bascule.theory.check import Budget, Check, Section, Tell
from bascule.theory.dirac import Method

MESCHEDER = "Mescheder et al. 2018"
H = 0.05  # learning rate; eigenvalues are for continuous time, so it causes a small error
SHOWN = 400  # steps of a path in the figure
STILL, RATE = 0.004, 0.04  # tolerances: absolute if 0 is predicted, else relative
Drawn = dict[str, np.ndarray]


def dirac_section(budget: Budget, tell: Tell) -> Section:
    """All checks of the Dirac-GAN."""
    drawn: Drawn = {}
    checks = alone(budget.dirac_steps, drawn)
    tell(0.4)
    checks += families(budget.dirac_steps, drawn)
    tell(0.6)
    checks += simultaneous(budget.dirac_steps // 2)
    tell(0.7)
    checks += slow(budget.long_steps, drawn)
    return Section("The Dirac-GAN", checks, drawn)


def alone(steps: int, drawn: Drawn) -> list[Check]:
    """Single methods: whether they converge, and how fast."""
    methods: dict[str, tuple[Method, float | np.ndarray]] = {
        "GAN": (Method(dirac.gan()), 0.0),
        "WGAN": (Method(dirac.wasserstein()), 0.0),
        "WGAN-GP": (Method(dirac.wasserstein(), toward_one=1.0), 0.0),
        "WGAN, instance noise": (Method(dirac.wasserstein(), noise=1.0), 0.0),
        "non-saturating, R1 0.3": (
            Method(dirac.non_saturating(), penalty=0.3),
            dirac.predicted_rate(0.5, 0.3),
        ),
        "WGAN, R1 0.3": (
            Method(dirac.wasserstein(), penalty=0.3),
            dirac.predicted_rate(1.0, 0.3),
        ),
        "GAN, consensus 0.3": (
            Method(dirac.gan(), consensus=0.3),
            dirac.predicted_rate(0.5, 0.3 / 4, both=True),
        ),
    }
    checks = []
    for name, (method, predicted) in methods.items():
        path = dirac.play(method, H, steps)
        drawn[f"path/{name}"] = path[:SHOWN, 0]
        what, tolerance = ("rate", RATE) if predicted else ("does not converge, rate", STILL)
        measured = float(dirac.measured_rate(path, H)[0])
        checks.append(Check(f"{name}: {what}", float(predicted), measured, tolerance, MESCHEDER))
    return checks


def families(steps: int, drawn: Drawn) -> list[Check]:
    """R1 and instance noise at several strengths, from too weak to too strong."""
    damping = np.arange(1, 26) / 10
    predicted = dirac.predicted_rate(0.5, damping)
    strengths = torch.from_numpy(damping)
    methods = {
        "R1": (Method(dirac.gan(), penalty=strengths), "γ"),
        "instance noise": (Method(dirac.gan(), noise=(2 * strengths).sqrt()), "σ²/2"),
    }
    checks = []
    for name, (method, symbol) in methods.items():
        path = dirac.play(method, H, steps, games=len(damping))
        measured = dirac.measured_rate(path, H)
        drawn[f"path/GAN, {name} 0.3"] = path[:SHOWN, 2]
        drawn[f"rate/{name}"] = np.stack([damping, predicted, measured])
        for k in (2, 19):
            what = f"GAN, {name}, {symbol} = {damping[k]:g}: rate"
            much = " (too strong: slower)" if damping[k] > 1 else ""
            numbers = float(predicted[k]), float(measured[k])
            checks.append(Check(what + much, *numbers, RATE, MESCHEDER))
    return checks


def simultaneous(steps: int) -> list[Check]:
    """Exact predictions for simultaneous updates of both players."""
    path = dirac.play(Method(dirac.gan()), 0.1, steps, start=(1.0, 0.0), simultaneous=True)
    return [
        Check(
            f"GAN, simultaneous: |.|² after {steps} steps is a product",
            float(dirac.exact_growth(path, 0.1)[0]),
            float(dirac.distance(path)[-1, 0] ** 2),
            1e-10,
            f"{MESCHEDER}, exact",
        ),
        Check(
            "GAN, R1 0.3, simultaneous: stable up to a learning rate of 4γ",
            4 * 0.3,
            dirac.stable_up_to(0.3, steps),
            0.01,
            f"{MESCHEDER}, eigenvalues",
        ),
    ]


def slow(steps: int, drawn: Drawn) -> list[Check]:
    """The project's default losses, in float64 and with the project's step."""
    path = dirac.play(Method(dirac.non_saturating()), 0.1, steps)
    drawn["path/non-saturating"] = path[: SHOWN // 2, 0]
    far = dirac.distance(path)[:, 0]
    short = steps // 10
    checks = [
        Check(
            f"non-saturating: distance at time {step / 10:g} (sub-linear)",
            dirac.non_saturating_distance(sqrt(2), step / 10),
            float(far[step]),
            0.02,
            "averaging, derived here",
        )
        for step in (short, steps)
    ]
    played = dirac.played_by_the_step(0.1, short)
    what = f"non-saturating, played by gan_step: distance after {short} steps"
    return [*checks, Check(what, float(far[short]), played, 1e-4, "the same game in float64")]
