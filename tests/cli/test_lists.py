"""What there is, a line each, from the code itself."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bascule.experiments import predictions
from bascule.interventions import INTERVENTIONS, Intervention


def lines(bascule, verb: str) -> list[str]:
    code, out, err = bascule(verb)
    assert code == 0, err
    return out.splitlines()


def test_presets_say_their_verb_size_net_and_objective(bascule):
    from bascule.presets import ABOUT, trained

    told = {line[9:].split()[0]: line for line in lines(bascule, "presets")}
    assert set(told) == {*trained(), "sdpc", "sdpc-published"}
    assert told["sngan64-light"].startswith("train    sngan64-light ")
    facts = "64 px, SNGAN(width=8), GAN, hinge, batch 32, 100 epochs"
    assert told["sngan64-light"].endswith(f"{facts}. {ABOUT['sngan64-light']}")
    assert "256 px, CycleGAN, Cycle, least-squares" in told["cyclegan-256"]
    assert told["sdpc-published"].startswith("sdpc fit sdpc-published ")


def test_interventions_say_their_fields_types_defaults_and_ranges(bascule):
    told = lines(bascule, "interventions")
    assert len([line for line in told if line[0] != " "]) == len(INTERVENTIONS)
    assert told[0].startswith("PerfectG  ") and told[0].endswith(".")
    assert told[1:4] == [
        "    at_epoch  int, required; an epoch >= 0, counted from 0",
        "    sigma     float | Uniform | Anneal | Cosine = Uniform(low=0.0, high=0.1); "
        "a number >= 0, or a schedule",
        "    of        'same' | 'other' | 'held_out' = 'same'",
    ]
    assert "    grid        int = 2; 2 to 8 tiles a side" in told
    apa = next(line for line in told if line.startswith("PseudoAugmentation"))
    assert "et al. 2021" in apa and apa.endswith((".", ")"))


def test_predictions_say_their_fields(bascule):
    told = lines(bascule, "predictions")
    known = {name for name, value in vars(predictions).items() if hasattr(value, "claim")}
    shown = {name for name in known if not name.startswith("_")} - {"Prediction"}
    assert {line.split()[0] for line in told if line[0] != " "} == shown
    lower = next(k for k, line in enumerate(told) if line.startswith("Lower  "))
    assert "    arm         str, required" in told[lower:]
    assert "    by          float = 0.0" in told[lower:]


@dataclass(frozen=True)
class Blur(Intervention):
    """Blurs what D sees. And more."""

    share: float
    names: tuple[str, ...] = field(default_factory=lambda: ("a",))

    def __post_init__(self) -> None:
        if self.share < 0:
            raise ValueError(f"share={self.share}: expected a share >= 0")


@dataclass(frozen=True)
class Doubles:
    """The scalar doubles."""

    scalar: str
    claim = "doubles"


def test_what_plug_ins_define_is_listed(bascule, monkeypatch):
    from bascule.presets import dcgan64

    of_plugins = {"Blur": Blur, "Doubles": Doubles}
    monkeypatch.setattr("bascule.core.class_names.plugin_classes", lambda: of_plugins)
    monkeypatch.setattr("bascule.presets.plugin_presets", lambda: {"my-net": dcgan64})
    assert lines(bascule, "interventions")[-3:] == [
        "Blur  Blurs what D sees.",
        "    share  float, required; a share >= 0",
        "    names  tuple[str, ...] = ('a',)",
    ]
    assert lines(bascule, "predictions")[-2:] == [
        "Doubles  The scalar doubles.",
        "    scalar  str, required",
    ]
    assert any(line.startswith("train    my-net ") for line in lines(bascule, "presets"))


@pytest.fixture
def nothing_ships(monkeypatch):
    monkeypatch.setattr("bascule.experiments.files.places", lambda: [Path("experiments")])


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


def test_an_experiment_is_copied_to_begin_from(bascule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = bascule("experiments", "copy", "notebook/lying")
    assert (code, err) == (0, "") and "bascule run lying.py" in out
    from bascule.experiments.experiment import load

    assert load(Path("lying.py")).question
    bascule("experiments", "copy", "tune/notebook-scans", "-o", "mine.py")
    assert "tuning = " in Path("mine.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["perfect-g"], "perfect_g.py exists already: give another file with -o"),
        (["perfect-g", "-o", "mine.txt"], "-o mine.txt: expected a file name.py"),
        (["perfekt-g"], "did you mean perfect-g?"),
        (["perfect-g", "-o", "no/where.py"], "no such file or folder"),
    ],
)
def test_a_copy_never_replaces_a_file(bascule, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    Path("perfect_g.py").write_text("mine")
    code, _, err = bascule("experiments", "copy", *words)
    assert code == 2 and told in err and len(err.splitlines()) == 1
    assert Path("perfect_g.py").read_text() == "mine"
