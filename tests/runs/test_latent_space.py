"""The space of a run's G: the same pictures as its trainer draws, moves, truncation, walks."""

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.models.dcgan import DCGAN
from bascule.models.stylegan2 import StyleGAN2
from bascule.runs.generate import restored
from bascule.runs.latent_space import LatentSpace

NETS = {
    "z": DCGAN(width=4, z_dim=8, size=32),
    "w": StyleGAN2(base=64, most=4, z_dim=6, w_dim=5, size=32),
}


@pytest.fixture(params=NETS)
def run(request, tiny, finished_run):
    return finished_run(tiny.replace(model=NETS[request.param], epochs=2), "one")


def test_points_draw_what_the_trainer_draws(run):
    space, (recipe, state) = LatentSpace.of(run, 2), restored(run, 2)
    assert space.space == ("w" if isinstance(recipe.model, StyleGAN2) else "z")
    assert space.epoch == 2
    point = space.random(3)
    z = torch.randn(1, recipe.z_dim, generator=generator("latents", 3))
    one = space.draw(point)
    assert one.shape == (1, 3, 32, 32) and one.dtype == np.uint8
    assert np.abs(one.astype(int) - state.trainer.sample(z).numpy().astype(int)).max() <= 1
    assert torch.equal(point, space.random(3)) and not torch.equal(point, space.random(4))


def test_directions_move_pictures_the_more_the_stronger(run):
    space = LatentSpace.of(run)
    k, dim = space.directions.steps.shape
    assert dim == space.random(0).shape[1] and k == min(10, dim)
    assert (space.directions.share.diff() <= 1e-6).all()
    points = torch.cat([space.random(seed) for seed in range(20)])

    def change(direction):
        by = torch.zeros(k)
        by[direction] = 1.0
        moved = space.draw(space.directions.moved(points, by)).astype(float)
        return np.square(moved - space.draw(points)).mean()

    assert change(0) > change(k - 1)


def test_truncation_leaves_at_1_and_gives_the_middle_at_0(run):
    space = LatentSpace.of(run)
    points = torch.cat([space.random(seed) for seed in range(3)])
    assert torch.allclose(space.truncated(points, 1.0), points, atol=1e-6)
    middle = space.truncated(points, 0.0)
    assert torch.allclose(middle[0], middle[2])
    if space.space == "z":
        assert not middle.any()
    half = space.truncated(points, 0.5)
    assert torch.allclose(half, (points + middle) / 2, atol=1e-6)


def test_a_walk_begins_at_its_stops_and_closes(run):
    space = LatentSpace.of(run)
    stops = torch.cat([space.random(seed) for seed in (0, 1, 2)])
    frames = space.walk(stops, 4)
    assert len(frames) == 12 and torch.allclose(frames[::4], stops, atol=1e-5)


def test_a_run_without_latents_is_refused(tiny_sdpc, make_run):
    with pytest.raises(UserError, match="has no G that draws fakes"):
        LatentSpace.of(make_run(tiny_sdpc, "codes"))
