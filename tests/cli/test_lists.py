"""What there is, a line each, from the code itself."""

from pathlib import Path

import pytest

from bascule.experiments import predictions
from bascule.interventions import INTERVENTIONS


def lines(bascule, verb: str) -> list[str]:
    code, out, err = bascule(verb)
    assert code == 0, err
    return out.splitlines()


def test_presets_say_their_size_net_and_objective(bascule):
    from bascule.cli.train import trained

    told = {line.split()[0]: line for line in lines(bascule, "presets")}
    assert set(told) == {*trained(), "sdpc", "sdpc-published"}
    assert told["sngan64-light"].endswith("64 px, SNGAN(width=8), GAN, hinge, batch 32")
    assert "256 px, CycleGAN, Cycle, least-squares" in told["cyclegan-256"]


def test_interventions_and_predictions_say_how_they_are_called(bascule):
    told = lines(bascule, "interventions")
    assert len(told) == len(INTERVENTIONS)
    assert told[0] == (
        "PerfectG(at_epoch, sigma=Uniform(low=0.0, high=0.1), of='same')  From at_epoch on, G "
        "seems almost perfect: the fakes are reals plus noise."
    )
    apa = next(line for line in told if line.startswith("PseudoAugmentation"))
    assert "et al. 2021" in apa and apa.endswith((".", ")"))
    told = lines(bascule, "predictions")
    known = {name for name, value in vars(predictions).items() if hasattr(value, "claim")}
    shown = {name for name in known if not name.startswith("_")} - {"Prediction"}
    assert {line.partition("(")[0] for line in told} == shown
    assert any(line.startswith("Lower(scalar, arm, than, by=0.0, ") for line in told)


@pytest.fixture
def nothing_ships(monkeypatch):
    monkeypatch.setattr("bascule.experiments.experiment.places", lambda: [Path("experiments")])


def test_experiments_are_read_and_not_run(bascule, nothing_ships):
    Path("experiments/deep").mkdir(parents=True)
    trap = '"""Does it\nrun? Not now."""\nfrom x import Experiment\nopen("sprung", "w")\n'
    Path("experiments/my_question.py").write_text(trap + "experiment = Experiment()\n")
    Path("experiments/deep/search.py").write_text('"""Which rate?"""\ntuning = Tuning()\n')
    Path("experiments/helper.py").write_text("x = 1\n")
    assert lines(bascule, "experiments") == [
        "tune deep/search  Which rate?",
        "run  my-question  Does it run?",
    ]
    assert not Path("sprung").exists()


def test_those_that_ship_are_listed_beside_them(bascule):
    Path("experiments").mkdir()
    Path("experiments/my_question.py").write_text('"""Mine?"""\nexperiment = Experiment()\n')
    told = {line.split()[1] for line in lines(bascule, "experiments")}
    assert {"my-question", "perfect-g", "notebook/hsv", "tune/light-dcgan"} <= told


def test_where_there_are_no_experiments_that_is_said(bascule, nothing_ships):
    assert "no folder experiments/ here" in lines(bascule, "experiments")[0]
