"""`bascule generate`: PNG files of a run's G, with the credit that they owe."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from bascule.data.batches import as_uint8
from bascule.data.faces import Faces
from bascule.models.sngan import SNGAN
from bascule.runs.execute import execute
from bascule.runs.generate import generate, latents, restored
from bascule.runs.store import Store


@pytest.fixture
def mine(tiny, finished_run):
    return finished_run(tiny.replace(epochs=2, keep_every_epochs=1), "mine")


def pictures(folder: str) -> np.ndarray:
    paths = sorted(Path(folder).glob("*.png"))
    return np.stack([np.asarray(Image.open(path)) for path in paths]).transpose(0, 3, 1, 2)


def test_the_pictures_are_the_fakes_that_evaluate_measures(bascule, mine):
    code, out, err = bascule("generate", "mine", "-n", "5", "--seed", "3", "-o", "a/deep")
    assert code == 0 and "5 pictures: a/deep" in out, err
    names = sorted(path.name for path in Path("a/deep").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png", "00003.png", "00004.png", "CREDIT.txt"]
    assert np.array_equal(pictures("a/deep"), generate(mine, 5, seed=3).pictures)
    credit = Path("a/deep/CREDIT.txt").read_text("utf-8")
    assert "Micah Lanier" in credit and mine.id in credit and "after 2 epochs, seed 3" in credit

    assert bascule("generate", "mine", "-n", "3", "-o", "b", "--epoch", "1")[0] == 0
    assert np.array_equal(pictures("b"), generate(mine, 3, epoch=1).pictures)


def test_a_folder_with_files_is_left_alone_unless_forced(bascule, mine):
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    code, _, err = bascule("generate", "mine", "-n", "2", "-o", "full")
    assert code == 2 and "holds files already" in err and err.count("\n") == 1
    assert [path.name for path in Path("full").iterdir()] == ["mine.txt"]
    assert bascule("generate", "mine", "-n", "2", "-o", "full", "--force")[0] == 0
    assert len(pictures("full")) == 2 and Path("full/mine.txt").read_text() == "mine"


def test_a_stopped_drawing_goes_on_and_a_longer_one_begins_with_it(bascule, mine, monkeypatch):
    from bascule.runs import generate as module

    monkeypatch.setattr(module, "AT_ONCE", 2)
    assert bascule("generate", "mine", "-n", "7", "-o", "a")[0] == 0
    whole = pictures("a")
    before = Path("a/00000.png").stat().st_mtime_ns
    for name in ("00003.png", "00006.png"):
        Path("a", name).unlink()
    Path("a/.00003.png.1.partial").write_text("half")
    assert bascule("generate", "mine", "-n", "9", "-o", "a")[0] == 0
    assert np.array_equal(pictures("a")[:7], whole) and len(pictures("a")) == 9
    assert Path("a/00000.png").stat().st_mtime_ns == before
    code, _, err = bascule("generate", "mine", "-n", "9", "--seed", "1", "-o", "a")
    assert code == 2 and "not of this drawing" in err
    assert bascule("generate", "mine", "-n", "4", "-o", "a")[0] == 2  # it holds more


def test_archives_hold_the_same_pictures_and_stay_whole(bascule, mine, monkeypatch):
    from bascule.core import atomic

    assert bascule("generate", "mine", "-n", "5", "-o", "a")[0] == 0
    write = atomic.write_png

    def interrupted(path, image, sync):
        if path.name == "00003.png":
            raise KeyboardInterrupt
        write(path, image, sync)

    for name in ("a.zip", "a.npz"):
        monkeypatch.setattr(atomic, "write_png", interrupted)
        assert bascule("generate", "mine", "-n", "5", "-o", name)[0] == 130
        assert not Path(name).exists()
        monkeypatch.setattr(atomic, "write_png", write)
        assert bascule("generate", "mine", "-n", "5", "-o", name)[0] == 0
        code, _, err = bascule("generate", "mine", "-n", "5", "-o", name)
        assert code == 2 and "is there already" in err
    assert not list(Path().glob(".*"))
    with zipfile.ZipFile("a.zip") as archive:
        assert archive.namelist() == ["CREDIT.txt", *(f"0000{k}.png" for k in range(5))]
        archive.extractall("b")
    arrays = np.load("a.npz")
    for found in (pictures("b"), arrays["images"].transpose(0, 3, 1, 2)):
        assert np.array_equal(found, pictures("a"))
    assert "Micah Lanier" in str(arrays["credit"])


def test_truncation_draws_the_same_pictures_nearer_to_the_middle(bascule, mine):
    """By quantiles, as in scipy's truncated normal distribution."""
    assert bascule("generate", "mine", "-n", "3", "--truncation", "0.5", "-o", "a")[0] == 0
    _, state = restored(mine)
    z = latents(state.trainer, 3, 0, 0).double().numpy()
    near = stats.truncnorm(-0.5, 0.5).ppf(stats.norm.cdf(z))
    expected = state.trainer.sample(torch.from_numpy(near).float())
    assert np.abs(pictures("a").astype(int) - expected.numpy().astype(int)).max() <= 1
    assert "truncation 0.5" in Path("a/CREDIT.txt").read_text("utf-8")


def test_a_label_draws_its_pictures_alone(bascule, tiny, make_run, store):
    model = SNGAN(width=2, z_dim=8, size=32, classes=2)
    data = Faces(n=40, size=32)
    values = sorted(set(data.load().labels["mouthVariant"].tolist()))
    recipe = tiny.replace(
        model=replace(model, classes=len(values)), labels="mouthVariant", data=data, epochs=1
    )
    run = make_run(recipe, "told")
    assert execute(run, store) == "finished"
    words = ("generate", "told", "-n", "4", "--label", values[1], "-o")
    assert bascule(*words, "a")[0] == 0 and bascule(*words, "a.npz")[0] == 0
    _, state = restored(run)
    z = latents(state.trainer, 4, 0, 0)
    with torch.no_grad():
        drawn = as_uint8(state.trainer.generator.eval().G(z[:, :-1], torch.ones(4).long()))
    assert np.array_equal(pictures("a"), drawn.numpy())
    rows = Path("a/metadata.csv").read_text("utf-8").splitlines()
    assert rows == ["file_name,mouthVariant", *(f"0000{k}.png,{values[1]}" for k in range(4))]
    assert np.load("a.npz")["mouthVariant"].tolist() == [values[1]] * 4
    code, _, err = bascule("generate", "told", "--label", "none", "-o", "b")
    assert code == 2 and "unknown value of mouthVariant 'none'" in err


def test_an_image_set_that_is_not_here_costs_the_credit_alone(bascule, mine, monkeypatch):
    from bascule.cli import train
    from bascule.core.errors import UserError

    def gone(data):
        raise UserError("no image set")

    monkeypatch.setattr(train, "load_images", gone)
    assert bascule("generate", "mine", "-n", "1", "-o", "a")[0] == 0
    assert "not on this machine" in Path("a/CREDIT.txt").read_text()


def test_an_interrupt_leaves_whole_files(bascule, mine, monkeypatch):
    from bascule.core import atomic

    write = atomic.write_png

    def interrupted(path, image, sync):
        if path.name == "00002.png":
            raise KeyboardInterrupt
        write(path, image, sync)

    monkeypatch.setattr(atomic, "write_png", interrupted)
    assert bascule("generate", "mine", "-n", "9", "-o", "a")[0] == 130
    assert len(pictures("a")) == 2 and len(list(Path("a").iterdir())) == 3


def test_what_cannot_be_drawn_is_refused(bascule, mine, tiny_sdpc, make_run):
    make_run(tiny_sdpc, "codes")
    Path("file").write_text("")
    for words, told in (
        (("gone",), "unknown run 'gone'"),
        (("mine", "-n", "0"), "at least 1"),
        (("mine", "--label", "smile"), "is told no labels"),
        (("mine", "--truncation", "0"), "expected a number > 0"),
        (("mine", "--epoch", "7"), "keeps no checkpoint of epoch 7"),
        (("codes",), "has no G that draws fakes: it is a SDPCRecipe"),
    ):
        code, _, err = bascule("generate", *words, "-o", "a")
        assert code == 2 and told in err and err.count("\n") == 1, err
    code, _, err = bascule("generate", "mine", "-o", "file")
    assert code == 2 and err.count("\n") == 1
    assert not Path("a").exists() and Store(Path("runs")).find("mine")
