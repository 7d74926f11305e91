"""Checks of trained D's against the Bayes bound, on 16 x 16 images of noise."""

from __future__ import annotations

from functools import partial

import numpy as np

from bascule.core.schedules import Schedule, Uniform
from bascule.theory import noise, observers
from bascule.theory.check import Budget, Check, Section, Tell
from bascule.theory.nets import perceptron
from bascule.theory.observers import PIXELS

BAYES = "Bayes-optimal observer"
RATIOS = (1.02, 1.05, 1.1, 1.2, 1.4)  # of the two strengths
BATCH = 128
REACHES = 0.02  # tolerance for a D that should reach the bound
Drawn = dict[str, np.ndarray]


def noise_section(budget: Budget, tell: Tell) -> Section:
    """All checks of D's that distinguish noise."""
    drawn: Drawn = {}
    checks = pictures(2 * budget.noise_steps)
    tell(0.15)
    checks += strengths(budget.noise_steps, drawn, tell)
    checks += drawn_strengths(budget.noise_steps)
    tell(0.95)
    checks += memory()
    return Section("Telling noise: trained D's and the Bayes bound", checks, drawn)


def pictures(steps: int) -> list[Check]:
    """Two known images under the same noise: a linear D is enough."""
    checks = []
    for distance in (1.0, 2.0):
        bound, _ = noise.two_images(distance, 1.0)
        draw = observers.images(distance, 4 * BATCH, seed=0)
        linear = partial(perceptron, PIXELS, 0, layers=0)
        seen = observers.observe(linear, draw, steps, f"images {distance}")
        what = f"two images {distance:g} σ apart: accuracy of a linear D"
        checks.append(Check(what, bound, seen.accuracy, REACHES, BAYES))
    return checks


def strengths(steps: int, drawn: Drawn, tell: Tell) -> list[Check]:
    """Two known strengths, nearly equal to very different, and three D's."""
    fine = np.linspace(1.0, 1.4, 81)
    drawn["bound"] = np.stack([fine, [noise.two_levels(0.1, 0.1 * r, PIXELS)[0] for r in fine]])
    checks = []
    for k, (name, build) in enumerate(observers.OBSERVERS.items()):
        found = []
        for ratio in RATIOS:
            bound, _ = noise.two_levels(0.1, 0.1 * ratio, PIXELS)
            draw = observers.levels(0.1, 0.1 * ratio, BATCH)
            seen = observers.observe(build, draw, steps, f"{name} {ratio}")
            found.append((ratio, seen.accuracy, seen.error))
            what = f"noise 0.1 or {0.1 * ratio:.3g}: accuracy of D ({name})"
            if name == "energy":
                checks.append(Check(what, bound, seen.accuracy, REACHES, BAYES))
            else:
                checks.append(Check(what, bound, seen.accuracy, 3 * seen.error, BAYES, "at most"))
        drawn[f"seen/{name}"] = np.array(found).T
        tell(0.15 + 0.7 * (k + 1) / len(observers.OBSERVERS))
    return checks


def drawn_strengths(steps: int) -> list[Check]:
    """Random strengths, drawn for each image."""
    laws: tuple[tuple[Schedule, Schedule, str], ...] = (
        (0.1, Uniform(0.05, 0.15), "0.1 or U(0.05, 0.15)"),
        (Uniform(0.0, 0.1), Uniform(0.0, 0.2), "U(0, 0.1) or U(0, 0.2)"),
    )
    checks = []
    for real, fake, told in laws:
        bound = noise.known_image(real, fake, PIXELS).accuracy
        draw = observers.levels(real, fake, BATCH)
        seen = observers.observe(observers.energy, draw, steps, told)
        what = f"noise {told}: accuracy of D (energy)"
        checks.append(Check(what, bound, seen.accuracy, 3 * seen.error, BAYES, "at most"))
    return checks


def memory() -> list[Check]:
    """The exact D of a small training set: correct on its images, wrong on all others."""
    known, real, fake = 64, 0.1, 0.11
    seen, called_fake = observers.manifold_trial(real, fake, known, trials=4000, seed=0)
    bound, _ = noise.two_levels(real, fake, PIXELS)
    name = f"exact D of {known} known images, noise {real} or {fake}"
    return [
        Check(f"{name}: accuracy", bound, seen.accuracy, REACHES, BAYES),
        Check(f"{name}: new reals called fake", 1.0, called_fake, 0.0, BAYES),
    ]
