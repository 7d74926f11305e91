"""A user's own metric, extractor and callback, from the command line and from an experiment."""

import json
from pathlib import Path

import pytest

from bascule.experiments.experiment import load
from bascule.runs.evaluations import last_evaluation
from bascule.runs.store import Store

TINY = ["--set", "data=Faces(n=60, size=32, held_out=0.5)", "model.width=4", "model.z_dim=8"]
TINY += ["model.size=32", "epochs=2", "batch=8", "threads=1", "device=cpu"]

EXPERIMENT = """
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Lower, Measure, Within
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe

{mine}

plain = GANRecipe(
    data=Faces(n=60, size=32, held_out=0.5),
    model=DCGAN(width=4, z_dim=8, size=32),
    epochs=2,
    batch=8,
    threads=1,
    device="cpu",
)
experiment = Experiment(
    question="Is it bright?",
    hypothesis="It is.",
    arms={{"plain": plain, "slow": plain.replace(lr_G=1e-5)}},
    predictions=[
        Lower("bright", "slow", than="plain"),
        Higher(Apart, "slow", than="plain"),
        Within("steps", "plain", 3, 7),
    ],
    seeds=(0,),
    measure=Measure(
        fakes=30, attributes=False, metrics=(Bright(above=90), Apart), features=Colours()
    ),
    callbacks=(Steps(),),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_evaluate_takes_a_metric_and_features_of_ones_own(bascule, mine, folder):
    code, _, err = bascule("train", "dcgan64-tiny", "--name", "small", *TINY)
    assert code == 0, err
    own = ["--metric", "mine.py:Bright(above=90)", "--metric", "mine.py:Apart"]
    own += ["--features", "mine.py:Colours"]
    code, out, err = bascule("evaluate", "small", "-n", "30", "--no-attributes", *own)
    assert code == 0, err
    assert "bright[pixels]" in out and "apart[colours]" in out and "KID[colours]" in out
    run = Store(Path("runs")).find("small")
    kept = json.loads((run.folder / "metrics.json").read_text("utf-8"))["evaluations"][0]
    labels = [value["scale"]["label"] for value in kept["values"]]
    assert {"bright[pixels]", "apart[colours]"} <= set(labels)
    assert "bright[pixels]" in (run.folder / "note.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metric", "mine.py:Brigth"], "unknown Metric in mine.py 'Brigth': did you mean Bright"),
        (["--metric", "nowhere.py:Bright"], "nowhere.py"),
        (["--features", "mine.py:Bright"], "Bright is not a FeatureExtractor"),
        (["--metric", "mine.py:Bright", "--metric", "mine.py:Bright()"], "are called 'bright'"),
    ],
)
def test_what_is_no_metric_is_refused_in_one_line(bascule, mine, folder, words, said):
    assert bascule("train", "dcgan64-tiny", "--name", "small", *TINY)[0] == 0
    code, _, err = bascule("evaluate", "small", "-n", "30", "--no-attributes", *words)
    assert code == 2 and said in err and "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_what_a_callback_adds_reaches_scalars_and_the_note(bascule, mine, folder):
    code, _, err = bascule(
        "train", "dcgan64-tiny", "--name", "watched", *TINY, "--callback", "mine.py:Steps"
    )
    assert code == 0, err
    run = Store(Path("runs")).find("watched")
    assert [row["steps"] for row in run.rows()] == [3, 6]
    note = (run.folder / "note.md").read_text("utf-8")
    assert "| steps |" in note and "steps" in note.partition("Learning curves of")[2][:80]
    assert bascule("train", "dcgan64-tiny", "--name", "alone", *TINY)[0] == 0
    alone = Store(Path("runs")).find("alone")
    assert alone.rows()[-1]["loss_D"] == run.rows()[-1]["loss_D"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('record.add("steps", float("nan"))', "a callback adds 'steps' = nan: expected one finite"),
        ('record.add("loss_D", 1)', "a callback adds 'loss_D', but the epoch has it already"),
        ('record.add("steps", "many")', "a callback adds 'steps' = many: expected one finite"),
    ],
)
def test_a_callback_that_adds_no_number_is_refused(bascule, mine, folder, line, said):
    text = mine.read_text("utf-8")
    mine.write_text(text.replace('record.add("steps", self.seen)', line), "utf-8")
    code, _, err = bascule("train", "dcgan64-tiny", *TINY, "--callback", "mine.py:Steps")
    assert code == 2 and said in err and "Traceback" not in err


@pytest.mark.parametrize(
    "method", ["on_step_end(self, state, seconds)", "on_epoch_end(self, record)"]
)
def test_what_goes_wrong_in_a_callback_is_one_line(bascule, mine, folder, method):
    mine.write_text(mine.read_text("utf-8") + f"\n    def {method}:\n        1 / 0\n", "utf-8")
    code, _, err = bascule("train", "dcgan64-tiny", *TINY, "--callback", "mine.py:Steps")
    assert code == 2 and "Traceback" not in err
    assert err.splitlines()[-1].endswith(
        "the callback Steps failed: ZeroDivisionError: division by zero"
    )


def test_an_experiment_names_them_and_its_workers_carry_them(bascule, mine, folder):
    text = EXPERIMENT.format(mine=mine.read_text("utf-8"))
    Path("bright.py").write_text(text, "utf-8")
    code, _, err = bascule("run", "bright.py", "--jobs", "2")
    assert code == 0, err
    (note,) = Path("runs/notes").glob("*/note.md")
    told = note.read_text("utf-8")
    assert "bright[pixels] of “slow” is lower than of “plain”" in told
    assert "apart[colours] of “slow” is higher than of “plain”" in told
    assert "not measured" not in told
    assert "the share of bright pixels" in told
    (row,) = (line for line in told.splitlines() if line.startswith("| arm | minutes"))
    assert "bright" in row and "apart" in row
    assert "| steps |" in told.replace(" loss_D |", "")
    assert all(run.rows()[-1]["steps"] == 6 for run in Store(Path("runs")).runs())
    kept = [last_evaluation(run.folder) for run in Store(Path("runs")).runs()]
    assert len(kept) == 2 and all(map(load(Path("bright.py")).measure.is_done, kept))
    Path("bright.py").write_text(text.replace("fakes > self.above", "fakes >= self.above"), "utf-8")
    assert not any(map(load(Path("bright.py")).measure.is_done, kept))  # it is another metric


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'Lower("bright"',
            'Lower("brihgt"',
            "did you mean bright",
        ),
        (
            'Within("steps"',
            'Within("stebs"',
            "did you mean steps",
        ),
        (
            'Lower("bright"',
            'Lower("KID[efficientnet-lite0,128px]"',
            "can never be measured: Measure(features=Colours()) takes its numbers in the space "
            "colours; give KID.at(extractor='colours')",
        ),
        ("(Bright(above=90), Apart)", "(3,)", "3 is not a Metric; expected a subclass"),
        ("features=Colours()", "features='colors'", "unknown extractor 'colors'"),
        (
            "callbacks=(Steps(),)",
            "callbacks=(3,)",
            "expected values of classes derived from Callback",
        ),
    ],
)
def test_an_experiment_with_something_else_is_refused(bascule, mine, folder, old, new, said):
    text = EXPERIMENT.format(mine=mine.read_text("utf-8"))
    assert old in text
    Path("bright.py").write_text(text.replace(old, new), "utf-8")
    code, _, err = bascule("report", "bright.py")
    assert code == 2 and said in err and len(err.strip().splitlines()) == 1
