"""Experiments as files, and as the command line changes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bascule.core.errors import UserError
from bascule.evaluation.evaluation import Evaluation, LeftOut, Scale, Value
from bascule.experiments import (
    Experiment,
    Measure,
    MeasureCoding,
    MeasureTranslation,
    NoiseBound,
    Within,
)
from bascule.experiments.experiment import load
from bascule.experiments.files import find_file, find_files, places
from bascule.interventions import PerfectG
from bascule.metrics.measured import Measured

FILE = """
from dataclasses import dataclass
from bascule.experiments import Experiment, Within
from bascule.interventions import Intervention
from bascule.presets import dcgan64_tiny

@dataclass(frozen=True)
class Darker(Intervention):
    by: float = 0.1
    def augment(self, x, now):
        return x - self.by

small = Experiment("Où ?", "新しい", {"a": dcgan64_tiny.replace(epochs=2, interventions=Darker())},
                   [Within("D_x", "a", 0, 0.99)])
experiment = Experiment("Q", "H", {"a": dcgan64_tiny}, [Within("D_x", "a", 0, 0.99)], quick=small)
"""


def test_a_file_with_its_own_intervention(tmp_path):
    path = tmp_path / "my_question.py"
    path.write_text(FILE, "utf-8")
    whole, quick = load(path), load(path, quick=True)
    assert (whole.name, quick.name) == ("my-question", "my-question-quick")
    assert quick.question == "Où ?"
    assert [c.__name__ for c in quick.user_classes] == ["Darker"]
    darker = quick.with_settings({"interventions": "Darker(by=0.3)", "model.width": "8"})
    assert darker.arms["a"].interventions[0].by == 0.3
    assert darker.arms["a"].model.width == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "defines no experiment"),
        ("import nothing_like_this", "does not load: ModuleNotFoundError"),
        ("experiment = (", "does not load: SyntaxError"),
        ("import sys; sys.exit(3)", r"ends the program when it is read \(exit code 3\)"),
        ("raise SystemExit", "ends the program when it is read"),
    ],
)
def test_files_that_are_no_experiments(tmp_path, text, told):
    path = tmp_path / "e.py"
    path.write_text(text)
    with pytest.raises(UserError, match=told):
        load(path)


def test_names_are_found_here_and_then_among_those_that_ship(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = find_file("perfect-g")
    assert shipped.is_absolute() and find_file("tune/light_dcgan").parent.name == "tune"
    assert load(find_file("notebook/lying")).name == "notebook/lying"
    assert [path.name for path in find_files("notebook")][:2] == ["affine.py", "hsv.py"]

    Path("experiments/notebook").mkdir(parents=True)
    for mine in ("experiments/perfect_g.py", "experiments/my_question.py"):
        Path(mine).touch()
    assert find_file("perfect-g") == Path("experiments/perfect_g.py")
    assert find_files("notebook")[0].is_absolute()  # an empty folder hides nothing
    Path("experiments/notebook/mine.py").touch()
    assert find_files("notebook") == [Path("experiments/notebook/mine.py")]
    Path("notebook").mkdir()
    assert find_files("notebook") == [Path("experiments/notebook/mine.py")]
    Path("notebook/a_path.py").touch()
    assert find_files("notebook") == [Path("notebook/a_path.py")]

    with pytest.raises(UserError, match="did you mean perfect-g") as refusal:
        find_file("perfectg")
    assert "my-question" in str(refusal.value) and "notebook/lying" in str(refusal.value)
    with pytest.raises(UserError, match=r"no such experiment file: gone\.py"):
        find_file("gone.py")


def test_in_a_checkout_its_own_folder_is_the_one_that_ships(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert places() == [Path("experiments")]


def test_settings_are_checked_against_the_whole_experiment(tiny):
    claim = Within("D_x", "swap", 0, 0.99)
    found = Experiment("?", "!", {"swap": tiny.replace(interventions=PerfectG(3))}, [claim])
    with pytest.raises(UserError, match=r"PerfectG\(at_epoch=3.* never acts: the run has 2 epochs"):
        found.with_settings({"epochs": "2"})
    with pytest.raises(UserError, match="epoch 5 never comes"):
        Experiment("?", "!", found.arms, [Within("D_x", "swap", 0, 0.99, from_epoch=5)])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"arms": {}}, "one arm"),
        ({"predictions": []}, "one prediction"),
        ({"seeds": (1, 1)}, "seeds"),
    ],
)
def test_what_an_experiment_needs(tiny, change, told):
    values = {"arms": {"a": tiny}, "predictions": [Within("D_x", "a", 0, 0.99)]} | change
    with pytest.raises(UserError, match=told):
        Experiment("?", "!", **values)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"swop": NoiseBound(0.0, 0.1)}, "did you mean swap"),
        ({"swap": NoiseBound(0.0, 0.1, from_epoch=2)}, "epoch 2 never comes, the run has 2 epochs"),
        ({"together": NoiseBound(0.0, 0.1)}, "set concat=False or norm_D='spectral'"),
    ],
)
def test_bounds_are_of_arms_and_epochs_that_there_are(tiny, bounds, told):
    arms = {"swap": tiny.replace(epochs=2), "together": tiny.replace(epochs=2, concat=True)}
    assert Experiment("?", "!", arms, [Within("D_x", "swap", 0, 0.99)]).bounds == {}
    with pytest.raises(UserError, match=told):
        Experiment("?", "!", arms, [Within("D_x", "swap", 0, 0.99)], bounds=bounds)


def test_the_experiments_of_this_project_load():
    from pathlib import Path

    for path in (Path(__file__).parents[2] / "experiments").glob("*.py"):
        assert load(path).quick is not None, path
        load(path, quick=True)


def test_what_is_measured_knows_when_it_is_done():
    def told(fakes, *labels):
        values = [
            Value(Measured(0, 0, 0, 0, 5, 5, 1), Scale(label, "", "", 5, 5), "lower")
            for label in labels
        ]
        return Evaluation("run", 4, fakes, "faces", tuple(values))

    assert Measure(7).is_done(told(7)) and not Measure(7).is_done(told(8))
    hybrid = Measure(7, k_fb=(4.0,), abilities=True)
    able = ("AUROC of shuffled[codes]", "hole L1 of layer 1 at k_fb=4[inpainted]")
    assert not hybrid.is_done(told(7, *able))
    assert hybrid.is_done(told(7, *able, "KID of layer 1 at k_fb=4[pixels]"))
    drawn = replace(hybrid, settled_fakes=False)
    assert drawn.is_done(told(7, *able)) and not drawn.is_done(told(7))
    coding = MeasureCoding(9, k_fb=(0.0, 4.0), sigmas=(0.5,))
    labels = ["cost[k_fb=0]", "cost[k_fb=4]", "SSIM of layer 1[k_fb=0,sigma=0.5]"]
    assert not coding.is_done(told(9, *labels))
    assert coding.is_done(told(9, *labels, "SSIM of layer 1[k_fb=4,sigma=0.5]"))
    able = replace(coding, k_fb=(), sigmas=(), abilities=True)
    assert not able.is_done(told(9)) and able.is_done(told(9, "AUROC of shuffled[codes]"))
    back = MeasureCoding(9, k_fb=(), sigmas=(), decoded=True)
    assert not back.is_done(told(9)) and back.is_done(told(9, "milliseconds[decoded]"))
    pairs = MeasureTranslation(300, attributes=False, epochs=(2,))
    assert pairs.is_done(told(111)) and not pairs.is_done(told(301))


def test_what_is_left_out_is_not_asked_for_again():
    measure = Measure(7, k_fb=(4.0,), decoded=True)
    labels = ("KID of layer 1 at k_fb=4[pixels]", "milliseconds[decoded]")
    left_out = tuple(LeftOut(label, "needs 5 held-out images") for label in labels)
    assert measure.is_done(Evaluation("run", 4, 7, "faces", (), (), left_out))
    assert not measure.is_done(Evaluation("run", 4, 7, "faces", (), (), left_out[:1]))
