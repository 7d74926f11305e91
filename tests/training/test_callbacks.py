"""Callbacks: fixed latents and sample grids; none of them touches the game."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color

from bascule.data.grid import GAP, grid
from bascule.gan.recipe import GANRecipe, GANTrainer
from bascule.interventions import PerfectG
from bascule.training.callbacks import SampleGrids
from bascule.training.loop import Record, train
from bascule.training.state import begin
from bascule.training.trainer import fixed_z


def lived_in(recipe):
    """A game whose BatchNorm statistics are no longer those of the start."""
    game = begin(recipe).trainer.game
    with torch.no_grad():
        for k in range(3):
            game.G(torch.randn(8, 8, generator=torch.Generator().manual_seed(k)))
    return game


def sample(game, z, space):
    return GANTrainer(GANRecipe(space=space), game).sample(z)


# the latents


def test_the_fixed_latents_depend_on_the_seed_alone(tiny):
    z = fixed_z(tiny, 64)
    assert z.shape == (64, 8)
    assert torch.equal(fixed_z(tiny.replace(epochs=1, lr_D=0.1), 64), z)
    assert not torch.equal(fixed_z(tiny.replace(seed=1), 64), z)
    assert abs(z.mean()) < 5 / 512**0.5 and abs(z.std() - 1) < 0.2


def test_drawing_latents_and_samples_leaves_the_global_generator_alone(tiny):
    game = begin(tiny).trainer.game
    before = torch.get_rng_state()
    sample(game, fixed_z(tiny, 4), "rgb")
    assert torch.equal(torch.get_rng_state(), before)


# samples


def test_a_sample_is_what_G_draws_with_its_running_statistics(tiny):
    game, z = lived_in(tiny), fixed_z(tiny, 5)
    shown = sample(game, z, "rgb")
    assert shown.dtype == torch.uint8 and shown.shape == (5, 3, 32, 32)
    G = copy.deepcopy(game.G).eval()
    with torch.no_grad():
        expected = ((G(z).numpy() + 1) * 127.5).round().clip(0, 255)
    assert np.abs(shown.numpy() - expected).max() <= 1
    with torch.no_grad():
        assert not torch.allclose(G(z), G.train()(z), atol=0.01)  # the batch's own would differ


def test_one_sample_does_not_depend_on_its_neighbours(tiny):
    game, z = lived_in(tiny), fixed_z(tiny, 8)
    together, alone = sample(game, z, "rgb"), sample(game, z[3:4], "rgb")
    assert (together[3].int() - alone[0].int()).abs().max() <= 1


def test_sampling_changes_nothing_in_the_game(tiny, same):
    game = lived_in(tiny)
    before = copy.deepcopy(game.state_dict())
    sample(game, fixed_z(tiny, 4), "rgb")
    assert same(game.state_dict(), before)
    assert game.G.training and all(p.grad is None for p in game.G.parameters())


def test_G_goes_back_to_training_even_after_an_error(tiny):
    game = begin(tiny).trainer.game
    with pytest.raises(RuntimeError):
        sample(game, torch.zeros(2, 3), "rgb")
    assert game.G.training


def test_samples_of_an_hsv_game_are_shown_in_rgb(tiny):
    game, z = lived_in(tiny), fixed_z(tiny, 3)
    with torch.no_grad():
        hsv = (copy.deepcopy(game.G).eval()(z).permute(0, 2, 3, 1).double().numpy() + 1) / 2
    expected = np.rint(color.hsv2rgb(hsv) * 255).transpose(0, 3, 1, 2)
    shown = sample(game, z, "hsv").numpy()
    assert np.abs(shown - expected).max() <= 1
    assert np.abs(sample(game, z, "rgb").numpy() - expected).max() > 20


# grids


def test_a_grid_puts_pictures_in_rows_two_white_pixels_apart():
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).mul(40).expand(5, 3, 4, 6)
    sheet = np.asarray(grid(images, columns=3))
    assert sheet.shape == (2 * 4 + 2, 3 * 6 + 2 * 2, 3)
    for k in range(5):
        top, left = (k // 3) * 6, (k % 3) * 8
        assert (sheet[top : top + 4, left : left + 6] == 40 * k).all()
    assert (sheet[4:6] == 255).all() and (sheet[:, 6:8] == 255).all()
    assert (sheet[6:, 16:] == 255).all()  # the place of a sixth picture


def test_a_grid_keeps_colours_and_orientation():
    picture = torch.zeros(1, 3, 2, 3, dtype=torch.uint8)
    picture[0, :, 0, 2] = torch.tensor([10, 20, 30], dtype=torch.uint8)
    sheet = np.asarray(grid(picture, columns=1))
    assert sheet[0, 2].tolist() == [10, 20, 30]
    assert sheet.sum() == 60


@pytest.mark.parametrize(
    ("epochs", "every", "expected"),
    [(6, 2, [1, 2, 4, 6]), (5, 2, [1, 2, 4, 5]), (3, 10, [1, 3]), (1, 5, [1]), (3, 1, [1, 2, 3])],
)
def test_sample_grids_come_at_the_first_every_nth_and_the_last_epoch(
    tiny, tmp_path, epochs, every, expected
):
    recipe = tiny.replace(epochs=epochs, sample_every_epochs=every)
    trainer = begin(recipe).trainer
    callback = SampleGrids(
        recipe, lambda done: tmp_path / f"{done}.png", lambda done: tmp_path / f"{done}.shown.png"
    )
    for done in range(1, epochs + 1):
        callback.on_epoch_end(Record(done, {}, trainer))
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == expected
    with Image.open(tmp_path / "1.png") as picture:
        shown = np.asarray(picture.convert("RGB"))
    assert np.array_equal(shown, np.asarray(grid(trainer.sample(fixed_z(recipe, 64)), 8)))


def test_beside_the_samples_stands_what_D_judged_reals_to_the_left(tiny, tmp_path):
    """Under PerfectG without noise the fakes are the reals themselves; with it, they are near."""
    images = tiny.data.load()
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    for name, sigma in (("equal", 0.0), ("near", 0.05)):
        recipe = tiny.replace(interventions=PerfectG(1, sigma), epochs=2, sample_every_epochs=1)
        callback = SampleGrids(
            recipe,
            lambda done: tmp_path / f"{done}.png",
            lambda done, name=name: tmp_path / f"{name}-{done}.png",
        )
        train(begin(recipe), pixels, [callback])
    side = 2 * 32 + GAP, 4 * 32 + 3 * GAP  # 8 pictures of either kind, 4 a row

    def halves(name):
        with Image.open(tmp_path / name) as picture:
            shown = np.asarray(picture.convert("RGB")).astype(int)
        assert shown.shape == (side[0], 2 * side[1] + 8 * GAP, 3)
        return shown[:, : side[1]], shown[:, -side[1] :]

    real, fake = halves("equal-2.png")
    assert (real == fake).all() and len(np.unique(real)) > 20
    real, fake = halves("near-2.png")
    assert 0.5 < np.abs(real - fake).mean() < 20
    real, fake = halves("near-1.png")  # what a young G draws
    assert np.abs(real - fake).mean() > 30
