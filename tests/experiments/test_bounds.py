"""The best D of an arm: what it is bounded by, and what is refused."""

import pytest

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Uniform
from bascule.data.faces import Faces
from bascule.experiments import NoiseBound
from bascule.experiments.bounds import numbers
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.theory.noise import BLIND, CERTAIN, known_image, two_levels

SPECTRAL = DCGAN(width=4, z_dim=8, size=32, norm_D="spectral")


def test_a_D_that_normalises_batches_sees_more_numbers_under_one_draw(tiny):
    assert numbers(tiny.replace(model=SPECTRAL)) == 32 * 32 * 3
    assert numbers(tiny.replace(model=DCGAN(width=4, z_dim=8, size=32), batch=8)) == 8 * 32 * 32 * 3
    big = tiny.replace(data=Faces(n=8, size=64), model=DCGANW9(width=4, z_dim=8), batch=8)
    assert numbers(big) == 8 * 64 * 64 * 3


def test_the_bound_is_that_of_the_recipe_that_plays(tiny):
    one = tiny.replace(model=SPECTRAL)
    accuracy, _ = two_levels(0.1, 0.102, 32 * 32 * 3)
    assert NoiseBound(0.1, 0.102).best(one).accuracy == pytest.approx(accuracy, abs=1e-6)
    u = Uniform(0.0, 0.1)
    assert NoiseBound(u, (u, u)).best(one) == known_image(u, (u, u), 32 * 32 * 3)
    assert NoiseBound((), u).best(one) == CERTAIN
    assert NoiseBound(u, u).best(one) == BLIND


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"real": -0.1}, r"NoiseBound\(real=-0.1\)"),
        ({"fake": Anneal(0.1, 0.0, 5)}, "it changes over time"),
        ({"fake": "much"}, "fake='much' in NoiseBound"),
        ({"from_epoch": -1}, "from_epoch"),
    ],
)
def test_bad_bounds_are_refused(values, told):
    with pytest.raises(UserError, match=told):
        NoiseBound(**{"real": 0.0, "fake": 0.1, **values})
