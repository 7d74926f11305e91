"""`bascule generate`: PNG files of a run's G, with the credit that they owe."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.runs.store import Store


@pytest.fixture
def mine(tiny, make_run, store):
    run = make_run(tiny.replace(epochs=2, keep_every_epochs=1), "mine")
    assert execute(run, store) == "finished"
    return run


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
        (("mine", "--epoch", "7"), "keeps no checkpoint of epoch 7"),
        (("codes",), "has no G that draws fakes: it is a SDPCRecipe"),
    ):
        code, _, err = bascule("generate", *words, "-o", "a")
        assert code == 2 and told in err and err.count("\n") == 1, err
    code, _, err = bascule("generate", "mine", "-o", "file")
    assert code == 2 and err.count("\n") == 1
    assert not Path("a").exists() and Store(Path("runs")).find("mine")
