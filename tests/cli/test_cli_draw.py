"""bascule draw film, walk, truncated and invert on a tiny run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.cli import main
from bascule.core.context import generator
from bascule.latents.paths import walk

TINY = (
    "--set", "model=R3GAN([8,8,8,8],z_dim=8,group=8)", "data=Faces(n=40,size=32)", "epochs=2",
    "batch=8", "threads=1", "device=cpu", "sample_every_epochs=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained_mine(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("mine") / "runs"
    assert main(["--runs", str(runs), "train", "dcgan64", "--name", "mine", *TINY]) == 0
    return runs


@pytest.fixture
def mine(bascule, trained_mine) -> Path:
    """The folder of a trained run called "mine"."""
    shutil.copytree(trained_mine, "runs")
    return next(Path("runs").glob("*-mine-*"))


def frames(path: Path) -> list[np.ndarray]:
    film = Image.open(path)
    shown = []
    for k in range(film.n_frames):
        film.seek(k)
        shown.append(np.asarray(film.convert("RGB")))
    return shown


def test_every_verb_draws_what_it_says(bascule, mine):
    code, out, _ = bascule("draw", "film", "mine", "--fps", "2", "-o", "film.gif")
    assert code == 0 and "film.gif (2 epochs)" in out
    film = Image.open("film.gif")
    assert film.size == (8 * 34 - 2, 8 * 34 - 2 + 16)
    assert film.n_frames in (2, 3)  # Pillow may join the frames that rest on the end

    code, out, _ = bascule("draw", "walk", "mine", "--stops", "3", "--frames", "4", "--rows", "2")
    assert code == 0 and (mine / "walk.webp").exists()
    assert len(frames(mine / "walk.webp")) == 12
    assert Image.open(mine / "walk.png").size == (12 * 34 - 2, 2 * 34 - 2)

    code, out, _ = bascule("draw", "truncated", "mine", "--threshold", "0.1", "2", "--epoch", "2")
    assert code == 0
    rows = np.asarray(Image.open(mine / "truncated.png")).astype(int)
    near, far = (rows[top : top + 32].std(1).mean() for top in (0, 34))
    assert rows.shape == (66, 12 * 34 - 2, 3) and near < far  # one picture, many pictures

    Path("faces").mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save("faces/a.png")
    code, out, _ = bascule("draw", "invert", "mine", "faces", "--steps", "5", "-o", "found.png")
    assert code == 0 and "a.png: distance 0." in out
    kept = np.load("found.npz")
    assert kept["names"].tolist() == ["a.png"] and kept["z"].shape == (1, 8)
    assert Image.open("found.png").size == (8 * 34 - 2, 32)


def test_the_walk_shows_g_along_the_arcs_of_its_seed(bascule, mine):
    """The strip is drawn here again from the library's own parts."""
    import torch

    from bascule.runs.generate import restored
    from bascule.runs.store import Store

    words = ("--stops", "2", "--frames", "1", "--rows", "1", "--seed", "3", "-o", "w.gif")
    assert bascule("draw", "walk", "mine", *words)[0] == 0
    stops = torch.randn(1, 2, 8, generator=generator("walk", 3))[0]
    assert torch.equal(walk(stops, 1), stops)
    _, state = restored(Store(Path("runs")).find("mine"))
    expected = state.trainer.sample(stops).permute(0, 2, 3, 1).numpy()
    strip = np.asarray(Image.open("w.png"))
    assert np.array_equal(strip[:, :32], expected[0]) and np.array_equal(strip[:, 34:], expected[1])


STYLES = (*TINY[:1], "model=StyleGAN2(base=64,most=4,z_dim=6,w_dim=5,size=32)", *TINY[2:])


def test_a_g_with_styles_is_drawn_from_w(bascule):
    import torch

    from bascule.runs.generate import restored
    from bascule.runs.store import Store

    assert bascule("train", "dcgan64", "--name", "styles", *STYLES)[0] == 0
    psi = ("draw", "truncated", "styles", "--psi", "0", "0.5", "1", "-o", "psi.png")
    code, out, _ = bascule(*psi)
    assert code == 0 and "psi = 0, 0.5, 1" in out
    rows = np.asarray(Image.open("psi.png")).astype(int)
    shown = [rows[34 * k : 34 * k + 32].reshape(32, -1, 3) for k in range(3)]
    _, state = restored(Store(Path("runs")).find("styles"))
    z = torch.randn(12, 6, generator=generator("truncated", 0))
    expected = state.trainer.sample(z).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(shown[2][:, :32], expected[0])
    first, second = shown[0][:, :32], shown[0][:, 34:66]
    assert np.array_equal(first, second)  # the image of the mean, twelve times
    assert not np.array_equal(shown[1][:, :32], shown[1][:, 34:66])

    words = ("--space", "w", "--stops", "2", "--frames", "2", "--rows", "1", "-o", "w.gif")
    assert bascule("draw", "walk", "styles", *words)[0] == 0
    stops = torch.randn(1, 2, 6, generator=generator("walk", 0))[0]
    G = state.trainer.generator.eval()
    w = G.w_of(stops).detach()
    middle = state.trainer.sample_by(lambda G, w: G.from_w(w), w.mean(0, keepdim=True))
    strip = np.asarray(Image.open("w.png"))
    assert np.abs(strip[:, 34:66].astype(int) - middle[0].permute(1, 2, 0).numpy()).max() <= 1

    Path("faces").mkdir()
    Image.fromarray(expected[0]).save("faces/a.png")
    words = ("invert", "styles", "faces", "--space", "w", "--steps", "5", "-o", "found.png")
    assert bascule("draw", *words)[0] == 0
    kept = np.load("found.npz")
    assert kept["w"].shape == (1, 5) and "z" not in kept


BAD = [
    (["film", "mine", "-o", "film.mp4"], "expected a name that ends in .webp or .gif"),
    (["film", "mine", "--fps", "0"], "--fps 0: expected a number > 0"),
    (["walk", "mine", "--stops", "1"], "--stops 1: expected a whole number >= 2"),
    (["walk", "mine", "--rows", "99"], "--rows 99: expected 1 to 16"),
    (["walk", "mine", "--epoch", "7"], "keeps no checkpoint of epoch 7"),
    (["walk", "gone"], "unknown run 'gone'"),
    (["truncated", "mine", "--threshold", "-1"], "threshold=-1: expected a number > 0"),
    (["truncated", "mine", "-o", "no/where.png"], "there is no folder no"),
    (["truncated", "mine", "--psi", "0.5"], "has no W: leave out --psi and --space w"),
    (["walk", "mine", "--space", "w"], "has no W"),
    (["invert", "mine", "nowhere"], "nowhere"),
    (["invert", "mine", ".", "--steps", "0"], "--steps 0: expected a whole number >= 1"),
]


@pytest.mark.usefixtures("mine")
def test_what_cannot_be_drawn_is_refused_in_one_line(bascule):
    for words, said in BAD:
        code, _, err = bascule("draw", *words)
        assert code == 2 and said in err and err.count("\n") == 1, words
