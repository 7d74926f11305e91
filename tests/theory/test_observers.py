"""Trained observers: at the bound with the right feature, below it without, never above."""

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.core.schedules import Uniform
from bascule.theory.nets import filled, perceptron
from bascule.theory.noise import known_image, two_images, two_levels
from bascule.theory.observers import (
    PIXELS,
    Energy,
    conv,
    energy,
    images,
    levels,
    manifold_trial,
    mlp,
    observe,
    strengths,
)
from bascule.theory.teaching import accuracy


def test_draws_have_the_strengths_of_their_laws():
    real, fake = levels(0.1, Uniform(0.0, 0.2), 2000)(generator("a"))
    assert real.shape == fake.shape == (2000, PIXELS)
    assert float(real.std()) == pytest.approx(0.1, rel=0.01)
    sigma = fake.square().mean(1).sqrt()
    assert float(sigma.mean()) == pytest.approx(0.1, rel=0.05) and float(sigma.max()) > 0.19
    drawn = strengths(Uniform(0.3, 0.4), 1000, generator("b"))
    assert 0.3 <= float(drawn.min()) < 0.305 and 0.395 < float(drawn.max()) < 0.4
    real, fake = images(2.0, 4000, seed=0)(generator("c"))
    assert float((fake.mean(0) - real.mean(0)).norm()) == pytest.approx(2.0, rel=0.15)


def test_energy_is_the_log_of_the_root_mean_square():
    x = 0.3 * torch.ones(2, PIXELS)
    assert Energy()(x).flatten().tolist() == pytest.approx([np.log(3)] * 2)


def test_the_right_feature_reaches_the_bound_and_pixels_do_not():
    draw = levels(0.1, 0.11, 128)
    bound, _ = two_levels(0.1, 0.11, PIXELS)
    right = observe(energy, draw, 200, "test")
    assert right.accuracy == pytest.approx(bound, abs=0.02)
    for build, least in ((mlp, 0.5), (conv, 0.55)):
        seen = observe(build, draw, 60, "test", fresh=20)
        assert least < seen.accuracy < bound - 0.02


def test_a_linear_D_tells_two_images_as_well_as_can_be():
    bound, _ = two_images(2.0, 1.0)
    seen = observe(lambda: perceptron(PIXELS, 0, 0), images(2.0, 512, 0), 300, "test", fresh=20)
    assert seen.accuracy == pytest.approx(bound, abs=0.02)
    assert 0 < seen.error < 0.01


def test_drawn_strengths_are_told_no_better_than_the_bound():
    real, fake = Uniform(0.0, 0.1), Uniform(0.0, 0.2)
    seen = observe(energy, levels(real, fake, 128), 200, "test")
    bound = known_image(real, fake, PIXELS).accuracy
    assert bound - 0.03 < seen.accuracy < bound + 3 * seen.error


def test_the_exact_D_of_a_training_set_knows_it_and_nothing_else():
    seen, called_fake = manifold_trial(0.1, 0.11, known=16, trials=1500, seed=0)
    bound, _ = two_levels(0.1, 0.11, PIXELS)
    assert seen.accuracy == pytest.approx(bound, abs=4 * seen.error)
    assert called_fake == 1.0
    even, _ = manifold_trial(0.1, 0.1, known=4, trials=50, seed=0)
    assert even.accuracy == 0.0  # logits of 0 are neither


def test_accuracy_counts_both_sides_alike():
    assert accuracy(torch.tensor([1.0, 2.0, -1.0, 1.0]), torch.tensor([-1.0])) == 0.875
    assert accuracy(torch.tensor([0.0]), torch.tensor([0.0])) == 0.5


def test_nets_are_filled_from_their_generator_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    a, b = (filled(conv, generator("net")) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(x, y)
    weight = filled(mlp, generator("net"), std=0.5)[0].weight.detach()
    assert float(weight.std()) == pytest.approx(0.5, rel=0.02)
