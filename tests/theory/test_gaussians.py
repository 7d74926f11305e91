"""Divergences against published numbers and simulation; a taught D near the best one."""

import numpy as np
import pytest
import torch
from scipy import stats

from bascule.gan.objectives import loss_D
from bascule.theory.gaussians import (
    best_logit,
    divergences,
    learn,
    measure,
    smoothed_equilibrium,
)


def test_divergences_of_two_gaussians():
    found = divergences(2.0)
    assert found.jsd == pytest.approx(0.336831, abs=1e-6)
    assert found.tv == pytest.approx(0.682689, abs=1e-6)
    assert found.tv == pytest.approx(2 * stats.norm.cdf(1) - 1, abs=1e-9)
    assert found.loss_D == pytest.approx(0.712633, abs=1e-6)
    assert found.hinge == pytest.approx(0.634621, abs=1e-6)
    assert divergences(0.0).loss_D == pytest.approx(2 * np.log(2))


def test_the_best_logit_is_the_ratio_of_densities_and_reaches_the_least_loss():
    x = np.linspace(-3, 5, 9)
    ratio = stats.norm.logpdf(x, 0) - stats.norm.logpdf(x, 2)
    assert best_logit(x, 2.0) == pytest.approx(ratio)
    real, fake = np.random.default_rng(0).normal([[0], [2]], 1, (2, 400_000))
    logits = (torch.from_numpy(best_logit(a, 2.0)) for a in (real, fake))
    assert float(loss_D(*logits)) == pytest.approx(0.712633, abs=4e-3)


def test_smoothed_equilibrium_is_the_minimum_of_the_smoothed_loss():
    loss, d = smoothed_equilibrium(0.9)
    assert loss == pytest.approx(1.376278, abs=1e-6) and d == 0.45

    def at(p):
        logit = torch.tensor([np.log(p / (1 - p))], dtype=torch.float64)
        return float(loss_D(logit, logit, smooth=0.1))

    assert at(0.45) == pytest.approx(loss)
    assert min(at(0.44), at(0.46)) > loss
    assert smoothed_equilibrium(1.0) == pytest.approx((2 * np.log(2), 0.5))


def test_one_linear_layer_reaches_the_best_D():
    D = learn(2.0, layers=0, steps=400, address="test")
    found = measure(D, 2.0, at=np.array([0.0, 2.0]))
    assert found.loss == pytest.approx(0.712633, abs=2e-3)
    assert 2 * found.accuracy - 1 == pytest.approx(0.682689, abs=5e-3)
    assert found.logits == pytest.approx([2.0, -2.0], abs=0.2)


def test_an_untaught_D_does_not_and_the_draws_are_addressed():
    untaught = measure(learn(2.0, layers=2, steps=0, address="test"), 2.0)
    assert untaught.loss > 0.75
    again, same, other = (
        measure(learn(2.0, layers=2, steps=5, address=a), 2.0).loss for a in ("a", "a", "b")
    )
    assert again == same != other
