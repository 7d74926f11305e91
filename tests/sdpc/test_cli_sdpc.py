"""bascule sdpc fit, show, denoise, and evaluate on its runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = (
    "--set", "model=SDPC(layers=[Layer(8,8,4,2,0.5),Layer(12,4,2,1,0.5)],size=32)", 
    "epochs=2", "batch=10", "threads=1", "device=cpu",
)  # fmt: skip
FACES = "Faces(n=40,size=32,held_out=0.25)"


def test_from_faces_to_denoised_pictures(bascule):
    code, out, _ = bascule("sdpc", "fit", FACES, "--name", "mine", *TINY)
    assert code == 0 and "note: " in out
    run = next(Path("runs").glob("*-mine-*"))
    assert "dictionaries" in (run / "note.md").read_text("utf-8")

    code, out, _ = bascule("sdpc", "show", "mine")
    assert code == 0
    page = (run / "show.html").read_text("utf-8")
    for word in ("Dictionaries", "Reconstructions", "Activity", "Convergence", "k_fb=0"):
        assert word in page
    assert "Micah Lanier" in page  # the credit travels with the pictures

    code, out, _ = bascule("evaluate", "mine", "--k-fb", "0", "1", "--sigma", "0", "0.5")
    assert code == 0 and "SSIM of layer 2" in out
    kept = json.loads((run / "metrics.json").read_text("utf-8"))["evaluations"][0]
    assert kept["fakes"] == 10 and len(kept["values"]) == 3 * 6 + 2 * 2 * 2
    assert "held-out pictures" in (run / "note.md").read_text("utf-8")

    faces = Path("faces")
    faces.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(faces / "a.png")
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(faces / "b.jpg")
    code, out, _ = bascule(
        "sdpc", "denoise", "mine", "faces", "--sigma", "0.2", "--k-fb", "0", "4", "-o", "out"
    )
    assert code == 0
    made = {path.name for path in Path("out").iterdir()}
    assert {"sheet.png", "a-noisy.png", "b-layer2-kfb4.png", "a-layer1-kfb0.png"} <= made
    assert Image.open("out/a-layer1-kfb0.png").size == (32, 32)
    code, _, _ = bascule("sdpc", "denoise", "mine", "faces/a.png", "-o", "one")
    assert code == 0
    assert {p.name for p in Path("one").iterdir()} == {
        "sheet.png", "a-layer1-kfb1.png", "a-layer2-kfb1.png",
    }  # fmt: skip

    code, out, _ = bascule("sdpc", "encode", "mine", "faces", "-o", "kept/codes.npz")
    assert code == 0 and "codes of 2 pictures" in out
    code, _, _ = bascule("sdpc", "decode", "mine", "kept/codes.npz", "--layer", "2", "-o", "again")
    assert code == 0
    assert np.array_equal(Image.open("again/a.png"), Image.open("one/a-layer2-kfb1.png"))
    for words, told in (
        (["decode", "mine", "faces/a.png", "-o", "none"], "cannot read codes from faces/a.png"),
        (["decode", "mine", "kept/codes.npz", "--layer", "3", "-o", "none"], "layer=3: expected 1"),
        (["encode", "mine", "gone", "-o", "none"], "gone"),
    ):
        code, _, err = bascule("sdpc", *words)
        assert code == 2 and told in err and len(err.strip().splitlines()) == 1

    Path("faces/a.webp").write_bytes(Path("faces/b.jpg").read_bytes())
    code, _, _ = bascule("sdpc", "denoise", "mine", "faces", "-o", "two")
    assert code == 0
    assert {p.name for p in Path("two").glob("a*layer1*")} == {
        "a-png-layer1-kfb1.png", "a-webp-layer1-kfb1.png",
    }  # fmt: skip

    code, _, err = bascule("evaluate", "mine", "--epoch", "7")
    assert code == 2 and "keeps no checkpoint of epoch 7" in err
    for images, told in (("gone", "gone"), (str(run / "checkpoints"), "no pictures")):
        code, _, err = bascule("sdpc", "denoise", "mine", images, "-o", "none")
        assert code == 2 and told in err and len(err.strip().splitlines()) == 1
    code, _, err = bascule("sdpc", "denoise", "mine", "faces", "--sigma", "-1", "-o", "none")
    assert code == 2 and "--sigma -1" in err
    assert not Path("none").exists()
    Path("faces/c.png").write_bytes(b"no picture")
    code, _, err = bascule("sdpc", "denoise", "mine", "faces", "-o", "none")
    assert code == 2 and "c.png cannot be read" in err


@pytest.mark.parametrize(
    "words, told",
    [
        (["fit", "gone"], "no image set 'gone'"),
        (["fit", ".", *TINY], "is a folder; import it once with `bascule data import"),
        (["fit", FACES, "--preset", "spdc"], "unknown preset 'spdc': did you mean sdpc"),
        (["fit", FACES, "--set", "lr=1"], "unknown field of SDPCRecipe 'lr'"),
        (["fit", FACES, *TINY, "settle.k_fb=-1"], "k_fb"),
        (["fit", FACES, *TINY, "batch=31"], "30 training images, fewer than one batch of 31"),
        (["fit", "Faces(n=40,size=30)"], "an input of 30 px does not fit"),
        (["show", "gone"], "unknown run 'gone'"),
        (["denoise", "gone", ".", "-o", "out"], "unknown run 'gone'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(bascule, words, told):
    code, _, err = bascule("sdpc", *words)
    assert code == 2
    assert told in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert not list(Path(".").glob("runs/*"))
