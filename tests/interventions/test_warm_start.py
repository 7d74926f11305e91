"""A warm start: G learns to decode principal components before the game; D and the game wait.

That it stops and resumes exactly is tested in tests/runs/test_execute.py.
"""

import copy

import pytest
import torch
from sklearn.decomposition import PCA

from bascule.core.errors import UserError
from bascule.interventions import WarmStart
from bascule.interventions.warm_start import codes, whitener
from bascule.training.state import begin
from bascule.training.trainer import Batch


def vectors(n=40, d=60):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng) * torch.linspace(3, 0.1, d) + 5


def test_codes_are_whitened_principal_components_as_scikit_learn_has_them():
    x = vectors()
    theirs = torch.from_numpy(PCA(8, whiten=True, svd_solver="full").fit_transform(x.double()))
    ours = codes(x, whitener(x, 8)).double() * (39 / 40) ** 0.5  # they divide by N - 1
    signs = (ours * theirs).sum(0).sign()
    assert torch.allclose(ours, theirs * signs, atol=1e-4)
    assert torch.allclose(ours.T @ ours / 39, torch.eye(8).double(), atol=1e-4)


def test_there_are_no_more_components_than_images_allow():
    assert whitener(vectors(5), 8).shape == (1 + 4, 60)
    assert codes(torch.ones(3, 60), whitener(torch.ones(5, 60), 8)).shape == (3, 0)


def stepped(recipe, steps, epochs):
    """The game before and after ``steps`` steps of each of ``epochs``."""
    recipe = recipe.replace(epochs=max(epochs) + 1)
    state, images = begin(recipe), recipe.data.load()
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    before = copy.deepcopy(state.trainer.game)
    for k, epoch in enumerate(e for e in epochs for _ in range(steps)):
        order = torch.arange(recipe.batch) + k % 2
        told = state.trainer.step(Batch(pixels, order, epoch, k))
    return before, state.trainer.game, told


def test_before_the_game_G_learns_and_D_rests(tiny, same):
    warm = tiny.replace(interventions=[WarmStart(1, images=20, batch=16)], lr_G=2e-3)
    before, game, told = stepped(warm, 30, [0])
    assert same(before.D.state_dict(), game.D.state_dict())
    _, _, first = stepped(warm, 1, [0])
    assert told["WarmStart.0/error"] < 0.7 * first["WarmStart.0/error"]
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = game.G(torch.randn(32, game.z_dim, generator=rng))
        cold = before.G(torch.randn(32, game.z_dim, generator=rng))
    assert drawn.std(0).mean() > 2 * cold.std(0).mean()  # images differ with z


def test_then_both_play_and_nothing_of_it_stays_in_checkpoints(tiny, same):
    warm = tiny.replace(interventions=[WarmStart(1, images=20, batch=16)])
    before, game, _ = stepped(warm, 1, [0, 1])
    assert not same(before.D.state_dict(), game.D.state_dict())
    assert game.memory["WarmStart.0/whitener"].numel() == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"until_epoch": 0}, r"until_epoch=0\): expected a whole number >= 1"),
        ({"until_epoch": -1}, r"until_epoch=-1\): expected an epoch >= 0"),
        ({"images": 1}, r"images=1\): expected a whole number >= 2"),
        ({"batch": 1}, r"batch=1\): expected a whole number >= 2"),
    ],
)
def test_bad_words_are_refused(words, told):
    with pytest.raises(UserError, match=told):
        WarmStart(**words)
