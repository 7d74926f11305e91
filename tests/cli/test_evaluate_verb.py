"""`bascule evaluate`: a run, a folder, and everything that is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bascule.data.faces import Faces
from bascule.runs.store import Store

DATA = "Faces(n=600, size=32)"
SMALL = [
    *("--set", f"data={DATA}", "model=DCGAN(width=4, z_dim=8, size=32)"),
    *("batch=32", "epochs=2", "threads=1", "device=cpu", "keep_every_epochs=1"),
]
QUICK = ("--extractor", "random-conv", "--no-attributes")


def test_a_run_is_not_judged_by_the_network_it_was_trained_through(bascule):
    model = "model=Projected(g=DCGAN(width=4, z_dim=8, size=32), input_px=64, width=2)"
    few = ["data=Faces(n=60, size=32, held_out=0.5)", model, "epochs=1", "batch=15"]
    code, _, err = bascule("train", "dcgan64-tiny", "--name", "p", *SMALL, *few)
    assert code == 0, err
    words = ("evaluate", "p", "-n", "30", "--no-attributes")
    code, out, err = bascule(*words, "--extractor", "efficientnet-lite0")
    assert code == 2 and "is judged by efficientnet-lite0" in err and "use random-conv" in err
    run = Store(Path("runs")).find("p")
    assert not (run.folder / "metrics.json").exists()
    code, out, err = bascule(*words)
    assert code == 0, err
    assert "through which a game here was trained; random-conv judges it" in out
    assert "KID[random-conv-s0,64px]" in out and "KID[efficientnet" not in out
    code, _, err = bascule("export", "p", "-o", "p.pt")
    assert code == 0, err
    saved = torch.load("p.pt", weights_only=True)
    assert saved["saw"] == "efficientnet-lite0"
    assert not any(name.startswith("taps") for name in saved["D"])


@pytest.fixture
def folder(tmp_path):
    """600 other faces of the same law, and so a perfect G."""
    from bascule.data.artist import Artist

    (tmp_path / "fakes").mkdir()
    artist = Artist("micah")
    for seed in range(9000, 9150):
        pixels, _ = artist.draw(seed, 32)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "fakes" / f"{seed}.png")
    return tmp_path / "fakes"


def test_a_run_is_measured_at_its_epochs_and_compared(bascule):
    for seed, rate in ((0, 2e-4), (0, 1e-3)):
        settings = [*SMALL, f"seed={seed}", f"lr_G={rate}"]
        code, _, err = bascule("train", "dcgan64-tiny", "--name", f"r{rate}", *settings)
        assert code == 0, err
    code, out, err = bascule("evaluate", "r0.001", "-n", "150", "--all-epochs", *QUICK)
    assert code == 0, err
    assert "KID[random-conv-s0,64px]" in out and "SWD[laplacian,32px]" in out
    run = Store(Path("runs")).find("r0.001")
    kept = json.loads((run.folder / "metrics.json").read_text())["evaluations"]
    assert [e["epoch"] for e in kept] == [1, 2] and kept[0]["fakes"] == 150
    assert (run.folder / "neighbours-0002.png").exists()
    assert "KID[random-conv-s0,64px]" in (run.folder / "note.md").read_text("utf-8")

    code, out, _ = bascule("compare", "r0.0002", "r0.001")
    assert code == 0 and "not every run is evaluated" in out
    assert bascule("evaluate", "r0.0002", "-n", "150", *QUICK)[0] == 0
    code, out, _ = bascule("compare", "r0.0002", "r0.001")
    assert code == 0 and "KID[random-conv-s0,64px]" in out
    assert "(control)" in out and "r0.001" in out


def test_other_faces_of_the_same_law_are_at_the_floor(bascule, folder):
    code, _, err = bascule("evaluate", str(folder), "--data", DATA, *QUICK, "-o", "out")
    assert code == 0, err
    kept = json.loads(Path("out/metrics.json").read_text())["evaluations"][0]
    found = {v["scale"]["label"].partition("[")[0]: v["measured"] for v in kept["values"]}
    assert abs(found["KID"]["value"]) < 4 * found["KID"]["se"]
    assert abs(found["coverage"]["value"] - found["coverage"]["floor"]) < 0.1
    assert abs(found["1-NN accuracy"]["value"] - 0.5) < 0.12
    assert Path("out/neighbours.png").exists() and kept["epoch"] is None


def test_copies_of_training_images_are_caught(bascule, tmp_path):
    images = Faces(n=600, size=32).load()
    (tmp_path / "copies").mkdir()
    for k in images.indices("train")[:150]:
        picture = Image.fromarray(np.array(images.pixels[k]).transpose(1, 2, 0))
        picture.save(tmp_path / "copies" / f"{k}.png")
    before = {path.name: path.stat().st_mtime_ns for path in Path("copies").iterdir()}
    told = []
    for _ in range(2):  # nothing is written there, so the second time says the same
        code, out, err = bascule("evaluate", "copies", "--data", DATA, *QUICK)
        assert code == 0, err
        told.append(out)
    assert told[0] == told[1]
    assert {path.name: path.stat().st_mtime_ns for path in Path("copies").iterdir()} == before
    (metrics,) = Path("runs/evaluations").glob("copies-*/metrics.json")
    assert str(metrics) in told[0] and (metrics.parent / "neighbours.png").exists()
    kept = json.loads(metrics.read_text())["evaluations"][0]
    found = {v["scale"]["label"].partition("[")[0]: v["measured"] for v in kept["values"]}
    assert found["C_T"]["value"] < -3 and found["authenticity"]["value"] == 0


def test_a_set_of_50_is_told_before_training_and_measured_as_far_as_it_goes(bascule):
    small = ["--set", *SMALL[1:]]
    small[1] = "data=Faces(n=50, size=32)"
    code, _, err = bascule("train", "dcgan64-tiny", "--name", "few", *small)
    assert code == 0, err
    (said,) = (line for line in err.splitlines() if "small set" in line)
    assert "recall (needs 20 held-out images, this set holds out 5)" in said
    assert err.index("small set") < err.index("run: ")
    code, out, err = bascule("evaluate", "few", "-n", "40", *QUICK)
    assert code == 0, err
    assert "KID[random-conv-s0,64px]" in out and "FD[random-conv-s0,64px]" in out
    assert "C_T left out: needs 40 held-out images, this set holds out 5\n" in out
    run = Store(Path("runs")).find("few")
    (kept,) = json.loads((run.folder / "metrics.json").read_text())["evaluations"]
    assert {one["label"] for one in kept["left_out"]} > {"C_T[random-conv-s0,64px]"}
    note = (run.folder / "note.md").read_text("utf-8")
    assert "C_T left out: needs 40 held-out images, this set holds out 5" in note
    assert "Too few held-out images to tell memorisation" in note


def noise(folder, n, shape, seed):
    """``n`` different pictures of noise."""
    Path(folder).mkdir()
    rng = np.random.default_rng(seed)
    for k in range(n):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(Path(folder) / f"{k:03d}.png")


def number(file, name):
    """The value and the scale of a number in a file ``metrics.json``."""
    kept = json.loads(Path(file).read_text())["evaluations"][0]
    found = {v["scale"]["label"].partition("[")[0]: v for v in kept["values"]}
    return found[name]["measured"]["value"], found[name]["scale"]


def test_a_folder_is_compared_with_a_folder(bascule):
    noise("fakes", 60, (32, 32, 3), 1)
    noise("reals", 600, (32, 32, 3), 2)
    code, out, err = bascule("evaluate", "fakes", "--data", "reals", *QUICK, "-o", "out")
    assert code == 0, err
    assert "60 fakes" in out and "reals" in out and "prepared" not in out
    kept = json.loads(Path("out/metrics.json").read_text())["evaluations"][0]
    assert kept["data"] == "reals"
    kid, scale = number("out/metrics.json", "KID")
    assert scale["m"] < 600  # a tenth is held out
    # Against pictures of another law the same noise is far away.
    Path("dark").mkdir()
    for file in Path("reals").iterdir():
        dark = Image.open(file).point(lambda x: x // 4)
        dark.save(Path("dark") / file.name)
    code, _, err = bascule("evaluate", "fakes", "--data", "dark", *QUICK, "-o", "other")
    assert code == 0, err
    assert number("other/metrics.json", "KID")[0] > 10 * abs(kid)


def test_pictures_of_another_size_are_prepared_like_the_set(bascule):
    noise("mine", 60, (24, 40, 3), 1)
    noise("fakes", 30, (48, 48, 3), 2)
    imported = ("data", "import", "mine", "--name", "padded", "--size", "32", "--fit", "pad")
    code, _, err = bascule(*imported)
    assert code == 0, err
    code, _, err = bascule("evaluate", "fakes", "--data", "padded", *QUICK)
    assert code == 2 and "--prepare 32 prepares them alike" in err
    # The same files, prepared like the set, are the set.
    words = ("evaluate", "mine", "--data", "padded", "--prepare", "32", *QUICK, "-o", "out")
    code, out, err = bascule(*words)
    assert code == 0, err
    assert "prepared like the images: all of it, on a ground" in out
    assert number("out/metrics.json", "authenticity")[0] < 0.2
    code, _, err = bascule("evaluate", "fakes", "--data", "mine", "--prepare", "16", *QUICK)
    assert code == 0, err  # two folders of different sizes


def picture(folder, name, shape=(32, 32, 3)):
    Path(folder).mkdir(exist_ok=True)
    Image.fromarray(np.zeros(shape, np.uint8)).save(Path(folder) / name)


def test_bad_input_gets_one_line_and_2(bascule):
    Path("empty").mkdir()
    picture("grey", "a.png", (32, 32))
    picture("rgba", "a.png", (32, 32, 4))
    picture("mixed", "a.png")
    picture("mixed", "b.png", (16, 16, 3))
    picture("few", "a.png")
    picture("few", "b.png")
    cases = [
        (("evaluate", "nothing"), "unknown run"),
        (("evaluate", "empty", "--data", DATA), "holds no pictures"),
        (
            ("evaluate", "grey", "--data", DATA),
            "are 32 px, grey, and the images of Faces(n=600, size=32) are 32 px: --prepare 32",
        ),
        (("evaluate", "rgba", "--data", DATA), "are 32 px, rgba, and the images of Faces"),
        (("evaluate", "mixed", "--data", DATA), "b.png is 16 px, and a.png is 32 px"),
        (
            ("evaluate", "few", "--data", DATA, *QUICK),
            "nothing can be measured of few: FD, KID, Vendi,",
        ),
        (("evaluate", "few"), "--data"),
        (("evaluate", "few", "--data", DATA, "-o", "few/out"), "the pictures are in this folder"),
        (("evaluate", "few", "--data", "Flip()"), "expected faces"),
        (("evaluate", "few", "--data", "Faces(n=40)", *QUICK), "are 64 px: --prepare 64"),
        (("evaluate", "few", "--data", DATA, "--epoch", "3"), "expected no --epoch"),
        (("evaluate", "few", "--data", DATA, "-n", "1"), "at least 2 fakes"),
        (("evaluate", "few", "--data", "grey"), "--prepare 32 prepares them alike"),
        (("evaluate", "few", "--data", "nowhere"), "no image set 'nowhere'"),
        (("evaluate", "few", "--data", "few/a.png"), "few/a.png is a single image"),
        (("evaluate", "few", "--data", "few"), "few: all 2 images are near duplicates"),
        (("evaluate", "few", "--data", DATA, "--prepare", "64"), "expected --prepare 32"),
        (("evaluate", "few", "--data", "few", "--prepare", "2"), "expected 8 to 1024"),
        (("evaluate", "few", "--data", "few", "--prepare", "8x64"), "more than 4 times"),
        (("evaluate", "few", "--data", DATA, "--extractor", "incepton"), "did you mean inception"),
        (("evaluate", "few", "--data", DATA, "--extractor", "inception"), "weights"),
    ]
    for words, said in cases:
        code, _, err = bascule(*words)
        assert code == 2 and said in err and err.count("\n") == 1, (words, err)
