"""A run's networks as a plain PyTorch file."""

import shutil
from pathlib import Path

import pytest
import torch

from bascule.cli import main
from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.models import shipped
from bascule.models.dcgan import DCGAN
from bascule.runs.generate import generate
from bascule.runs.store import Store
from bascule.runs.weights import load_players

TINY = ("data.n=40", "data.size=32", "model.size=32", "model.width=4", "batch=8", "epochs=1")


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASCULE_STATE", str(folder / "state"))
        train = ["train", "dcgan64-tuned", "--name", "tiny", "--set", *TINY, "threads=1"]
        assert main(["--runs", str(folder / "runs"), *train]) == 0
    return folder


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with the run "tiny"; it is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASCULE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BASCULE_STATE", str(tmp_path / "state"))
    return shutil.copytree(trained_folder, tmp_path, dirs_exist_ok=True)


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
    assert "expected a file name.onnx, name.pt2 or name.pt" in capsys.readouterr().err
    assert main(["export", "tiny", "-o", "tiny.pt", "--back"]) == 2
    assert main(["export", "tiny", "-o", "tiny.onnx", "--half"]) == 2
    assert main(["export", "tiny", "-o", "tiny.pt", "--epoch", "9"]) == 2
    assert not list(trained.glob("tiny.*"))


@pytest.mark.parametrize("only", ["", "G", "D"])
def test_a_run_starts_from_the_players_of_another(trained: Path, only: str) -> None:
    words = ["--from", "tiny", *(("--only", only) if only else ()), "--name", "second"]
    train = ["train", "dcgan64-tuned", *words, "--set", *TINY, "threads=1"]
    assert main([*train, "data.first=500"]) == 0
    store = Store(trained / "runs")
    first, second = store.find("tiny"), store.find("second")
    assert second.recipe.start.startswith("tiny-") and second.status["state"] == "finished"
    saved, game = first.load_checkpoint()["game"], second.recipe.build().game
    for player, net, source in (("G", game.G, "average"), ("D", game.D, "D")):
        equal = all(torch.equal(v, saved[source][k]) for k, v in net.state_dict().items())
        assert equal == (only in ("", player))
    # The weights are named by their content: the same again is the same run.
    assert main([*train, "data.first=500"]) == 0
    assert len(store.runs()) == 2


def test_a_run_is_looked_at_without_the_weights_that_it_started_from(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "dcgan64-tuned", "--from", "tiny", "--name", "second", "--set", *TINY]
    assert main([*train, "threads=1"]) == 0
    (kept,) = (trained / "state" / "weights").glob("tiny-*.pt")
    content = kept.read_bytes()
    kept.unlink()
    second = Store(trained / "runs").find("second")
    assert second.recipe.start == kept.stem
    with pytest.raises(UserError, match="are not on this machine: copy"):
        second.recipe.build()
    kept.write_bytes(content[:-100])
    with pytest.raises(UserError, match="damaged weights"):
        second.recipe.build()
    kept.unlink()
    assert main(["train", "dcgan64-tuned", "--only", "G"]) == 2
    assert "--only G needs --from" in capsys.readouterr().err
    wide = ["train", "dcgan64-tuned", "--from", "tiny", "--set", *TINY[:3], "model.width=8"]
    assert main(wide) == 2
    assert "not of model=DCGAN(width=8" in capsys.readouterr().err


def test_g_is_loaded_as_a_plain_module_and_can_be_exported_by_pytorch(trained: Path) -> None:
    assert main(["export", "tiny", "-o", "tiny.pt", "--half"]) == 0
    G, D = load_players("tiny.pt")
    saved = torch.load("tiny.pt", weights_only=True)
    assert all(torch.equal(v.half(), saved["G"][k].half()) for k, v in G.state_dict().items())
    z = torch.randn(3, 100, generator=generator(1))
    with torch.no_grad():
        x = G(z)
        assert x.shape == (3, 3, 32, 32) and D(x).shape == (3,)
        any_batch = {0: torch.export.Dim("batch")}
        program = torch.export.export(G, (z[:2],), dynamic_shapes=(any_batch,))
        assert torch.allclose(program.module()(z), x, atol=1e-6)
    Path("other.pt").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"other\.pt has no G and D"):
        load_players("other.pt")
