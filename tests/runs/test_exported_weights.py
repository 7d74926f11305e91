"""A run's networks as a plain PyTorch file."""

from pathlib import Path

import pytest
import torch

from bascule.cli import main
from bascule.core.context import generator
from bascule.models import shipped
from bascule.models.dcgan import DCGAN
from bascule.runs.generate import generate
from bascule.runs.store import Store

TINY = ("data.n=40", "data.size=32", "model.size=32", "model.width=4", "batch=8", "epochs=1")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASCULE_RUNS", str(tmp_path / "runs"))
    train = ["train", "dcgan64-tuned", "--name", "tiny", "--set", *TINY, "threads=1"]
    assert main(train) == 0
    return tmp_path


def test_the_file_draws_what_the_run_draws(trained: Path) -> None:
    assert main(["export", "tiny", "-o", "tiny.pt"]) == 0
    saved = torch.load("tiny.pt", weights_only=True)
    model = DCGAN(width=4, size=32, norm_D="spectral")
    assert saved["model"] == repr(model)
    assert "Micah Lanier" in saved["credit"] and "1 epochs of GANRecipe(" in saved["made"]
    G, D = model.players(generator(5))
    G.load_state_dict(saved["G"])
    D.load_state_dict(saved["D"])
    fakes = generate(Store(trained / "runs").find("tiny"), 4)
    z = torch.randn(250, 100, generator=generator("evaluation z", 0, 0))[:4]
    with torch.no_grad():
        x = G.eval()(z)
    assert fakes.epoch == 1
    assert abs((x + 1) * 127.5 - torch.from_numpy(fakes.pictures)).max() <= 0.51


def test_a_game_goes_on_from_the_file(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["export", "tiny", "-o", "tiny.pt", "--half"]) == 0
    saved = torch.load("tiny.pt", weights_only=True)
    floats = [v for v in saved["G"].values() if v.is_floating_point()]
    assert {v.dtype for v in floats} == {torch.float16}
    monkeypatch.setattr(shipped, "FOLDER", trained)
    assert main(["train", "dcgan64-tuned", "--set", *TINY, "threads=1", "start=tiny"]) == 0
    started = next(run for run in Store(trained / "runs").runs() if run.recipe.start)
    assert started.status["state"] == "finished"


def test_refuses_what_is_no_game(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "tiny", "-o", "tiny.txt"]) == 2
    assert "expected a file name.onnx or name.pt" in capsys.readouterr().err
    assert main(["export", "tiny", "-o", "tiny.pt", "--back"]) == 2
    assert main(["export", "tiny", "-o", "tiny.onnx", "--half"]) == 2
    assert main(["export", "tiny", "-o", "tiny.pt", "--epoch", "9"]) == 2
    assert not list(trained.glob("tiny.*"))
