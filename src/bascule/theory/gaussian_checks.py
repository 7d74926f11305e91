"""Checks of a trained D on N(0, 1) against N(2, 1), and on two equal distributions."""

from __future__ import annotations

from functools import partial
from math import log

import numpy as np

from bascule.gan.objectives import hinge_D, loss_D
from bascule.theory import gaussians
from bascule.theory.check import Budget, Check, Section, Tell

GOODFELLOW = "Goodfellow et al. 2014"
BAYES = "Bayes-optimal observer"
SALIMANS = "Salimans et al. 2016"
QUADRATURE = 1e-4  # error of measuring a distribution at finitely many quantiles


def gaussian_section(budget: Budget, tell: Tell) -> Section:
    """All checks of D on two Gaussians."""
    steps, shift = budget.gaussian_steps, 2.0
    truth = gaussians.divergences(shift)
    x = np.linspace(-3, 5, 161)
    drawn = {"logits/D*": np.stack([x, gaussians.best_logit(x, shift)])}
    linear = gaussians.learn(shift, 0, steps, "logistic")
    at_0, at_1 = gaussians.measure(linear, shift, at=np.array([0.0, 1.0])).logits
    checks = [
        Check("logit* at 0 (one linear layer)", 2.0, float(at_0), 0.05, GOODFELLOW),
        Check("slope of logit*", -2.0, float(at_1 - at_0), 0.05, GOODFELLOW),
    ]
    tell(0.2)
    deep = gaussians.learn(shift, 2, steps, "deep")
    for name, D in (("one linear layer", linear), ("two hidden layers", deep)):
        found = gaussians.measure(D, shift, at=x)
        drawn[f"logits/{name}"] = np.stack([x, found.logits])
        jsd, tv = log(2) - found.loss / 2, 2 * found.accuracy - 1
        checks += [
            Check(f"loss_D ({name})", truth.loss_D, found.loss, 2e-3, GOODFELLOW),
            Check(
                f"JSD is at least ln 2 - loss_D/2 ({name})",
                truth.jsd,
                jsd,
                QUADRATURE,
                GOODFELLOW,
                "at most",
            ),
            Check(
                f"TV is at least 2 accuracy - 1 ({name})",
                truth.tv,
                tv,
                QUADRATURE,
                BAYES,
                "at most",
            ),
        ]
    tell(0.5)
    hinge = gaussians.learn(shift, 2, steps, "hinge", hinge_D)
    found = gaussians.measure(hinge, shift, hinge_D)
    checks.append(
        Check(
            "hinge loss is at least 2 - 2 TV",
            truth.hinge,
            found.loss,
            QUADRATURE,
            "Lim and Ye 2017",
            "at least",
        )
    )
    tell(0.7)
    same = gaussians.measure(gaussians.learn(0.0, 2, steps, "same"), 0.0)
    labels = partial(loss_D, smooth=0.1)
    smoothed = gaussians.measure(gaussians.learn(0.0, 2, steps, "smoothed", labels), 0.0, labels)
    loss, d = gaussians.smoothed_equilibrium(0.9)
    checks += [
        Check("equal distributions: loss_D is 2 ln 2", 2 * log(2), same.loss, 1e-3, GOODFELLOW),
        Check("equal distributions: D(x) is 1/2", 0.5, same.D_x, 0.02, GOODFELLOW),
        Check("equal distributions, real labels 0.9: loss_D", loss, smoothed.loss, 1e-3, SALIMANS),
        Check("equal distributions, real labels 0.9: D(x)", d, smoothed.D_x, 0.02, SALIMANS),
    ]
    return Section("D on two Gaussians", checks, drawn)
