"""A run as a folder for a model hub."""

import json
import re

import pytest
import torch

from bascule.core.context import generator
from bascule.runs.generate import generate
from bascule.runs.store import Store
from bascule.runs.weights import load_players

SMALL = ("data=Faces(n=60, size=32)", "model=DCGAN(width=4, z_dim=8, size=32)", "batch=8")


@pytest.fixture
def published(bascule, tmp_path):
    """A tiny run, and its folder."""
    pytest.importorskip("safetensors")
    settings = (*SMALL, "epochs=1", "threads=1", "precision=fp32", "ema_half_life=50")
    bascule("train", "dcgan64-tiny", "--name", "first", "--set", *settings)
    code, out, err = bascule("publish", "first", "model")
    assert code == 0, err
    assert "hf upload YOUR/NAME model" in out
    return Store(tmp_path / "runs").find("first"), tmp_path / "model"


def test_the_folder_holds_what_the_run_draws_and_whose_pictures(published, bascule):
    run, folder = published
    G, _ = load_players(folder)
    z = torch.randn(250, 8, generator=generator("evaluation z", 0, 0))[:4]
    with torch.no_grad():
        x = (G(z) + 1) * 127.5
    assert (x - torch.from_numpy(generate(run, 4).pictures)).abs().max() <= 0.51
    card = (folder / "README.md").read_text("utf-8")
    front = card.split("---")[1]
    assert "library_name: bascule" in front and "unconditional-image-generation" in front
    assert "Micah Lanier" in card and "Nothing was measured" in card and "| seed | 0 |" in card
    for name in re.findall(r"\b[\w-]+\.(?:pt2|onnx|png|json)\b", card):
        assert (folder / name).exists(), name
    assert json.loads((folder / "recipe.json").read_text())["epochs"] == 1
    code, _, err = bascule("publish", "first", "model")  # a newer one replaces it
    assert code == 0, err


def test_the_code_of_the_card_runs(published, monkeypatch):
    _, folder = published
    monkeypatch.chdir(folder)
    card = (folder / "README.md").read_text("utf-8").replace("this/folder", ".")
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 3
    for code in blocks:
        found: dict = {}
        exec(code, found)
        if "image" in found:
            assert tuple(found["image"].shape) == (16, 3, 32, 32)
            assert found["image"].min() >= 0 and found["image"].max() <= 1


def test_a_folder_with_other_files_is_left_alone(published, bascule, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    code, _, err = bascule("publish", "first", "mine")
    assert code == 2 and "holds other files" in err and len(err.splitlines()) == 1
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"


def test_what_cannot_be_written_is_named_and_the_rest_is_there(published, bascule, monkeypatch):
    from bascule.core.errors import UserError

    def refuse(*_):
        raise UserError("PyTorch cannot export it")

    monkeypatch.setattr("bascule.export.card.write_onnx", refuse)
    code, _, err = bascule("publish", "first", "other")
    assert code == 0 and "generator.onnx was left out: PyTorch cannot export it" in err
    card = (published[1].parent / "other" / "README.md").read_text("utf-8")
    assert "onnxruntime" not in card and "generator.pt2" in card
