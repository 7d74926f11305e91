"""The presets of GAN x SDPC, by the verbs of any other run and by those of dictionaries."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = (
    "--set", "data=Faces(n=100,size=32,held_out=0.5)", "model.size=32", "model.width=2",
    "model.z_dim=8", "coding.data.size=32",
    "coding.model=SDPC(layers=[Layer(8,8,4,2,0.5),Layer(12,4,2,1,0.5)],size=32)",
    "coding.preprocess=[Bands(4),Standardise()]", "coding.epochs=1", "epochs=4", "batch=10",
    "threads=1", "device=cpu", "keep_every_epochs=2", "precision=fp32",
)  # fmt: skip


def test_a_generator_of_codes_trains_encodes_and_denoises(bascule):
    code, out, _ = bascule("train", "sdpc-gan", "--name", "mine", *TINY, "code_epochs=1")
    assert code == 0 and "note: " in out
    run = next(Path("runs").glob("*-mine-*"))
    rows = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
    assert ["cost" in row for row in rows] == [True, False, False, False]
    assert "innovation" in (run / "note.md").read_text("utf-8")

    words = ("--k-fb", "0", "4", "--sigma", "0.5", "--decoded", "--abilities", "--no-attributes")
    code, _, err = bascule("evaluate", "mine", "-n", "60", "--extractor", "pixels", *words)
    assert code == 0, err
    kept = json.loads((run / "metrics.json").read_text("utf-8"))["evaluations"][0]
    labels = [value["scale"]["label"].partition("[")[0] for value in kept["values"]]
    assert {"KID", "KID of layer 2 at k_fb=4", "SSIM of layer 1", "KID of split"} <= set(labels)
    assert {"milliseconds", "AUROC of shuffled", "hole L1 of layer 2 at k_fb=4"} <= set(labels)

    Path("faces").mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save("faces/a.png")
    assert bascule("sdpc", "denoise", "mine", "faces", "--sigma", "0.2", "-o", "out")[0] == 0
    made = {path.name for path in Path("out").iterdir()}
    assert {"sheet.png", "a-noisy.png", "a-layer1-kfb1.png", "a-layer2-kfb1.png"} <= made
    assert bascule("sdpc", "show", "mine")[0] == 0
    assert bascule("draw", "walk", "mine")[0] == 0


def test_a_critic_through_codes_trains_and_forks(bascule):
    code, _, _ = bascule("train", "sdpc-critic", "--name", "mine", *TINY)
    assert code == 0
    code, out, _ = bascule(
        "fork", "mine", "--at-epoch", "2", "--change", "InstanceNoise(0.1)", "--name", "other"
    )
    assert code == 0 and "other" in out
    assert bascule("sdpc", "show", "mine")[0] == 0

    words = ("--k-fb", "0", "--abilities", "--no-attributes", "--extractor", "pixels")
    code, _, err = bascule("evaluate", "mine", "-n", "60", "--epoch", "4", *words)
    assert code == 0, err
    run = next(Path("runs").glob("*-mine-*"))
    kept = json.loads((run / "metrics.json").read_text("utf-8"))["evaluations"][0]
    labels = {value["scale"]["label"] for value in kept["values"]}
    assert {"AUROC of shuffled[codes]", "AUROC of shuffled[D]"} <= labels


@pytest.mark.parametrize(
    "words, message",
    [
        (("train", "sdpc-gan", *TINY, "epochs=1"), "leave none for pixels"),
        (("train", "sdpc-critic", *TINY, "code_epochs=2"), "generates no codes"),
        (("train", "sdpc-gan", "--set", "coding.preprocess=[Bands(16),Standardise()]"), "Bands"),
        (("train", "sdpc-gan", "--set", "model.innovation=perhaps"), "innovation"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(bascule, words, message):
    code, _, err = bascule(*words)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
