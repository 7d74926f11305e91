"""The verbs about experiments, as a user types them: a folder of them, their notes, their packs."""

import re
from pathlib import Path

import pytest

from bascule.runs.store import Store

HEAD = """
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments import KID, Experiment, Lower, Measure, Within
from bascule.interventions import InstanceNoise, PerfectG
from bascule.models.dcgan import DCGAN
from bascule.training.recipe import Recipe

plain = Recipe(data=Faces(n=100, size=32, held_out=0.5), model=DCGAN(width=4, z_dim=8, size=32),
               batch=8, epochs=2, device="cpu", threads=1)
"""
MEASURED = (
    HEAD
    + """
experiment = Experiment("Is noise good?", "It is.",
                        {"plain": plain, "noise": plain.but(change=[InstanceNoise()])},
                        [Lower(KID, "noise", than="plain")], seeds=(0,),
                        measure=Measure(fakes=40, attributes=False))
"""
)
SPOILT = (
    HEAD
    + """
swap = PerfectG(at_epoch=1, of="held_out")
experiment = Experiment("Is D fooled?", "It is.", {"plain": plain, "held": plain.but(change=swap)},
                        [Within("D_x", "held", 0, 1)], seeds=(0,),
                        measure=Measure(fakes=40, attributes=False))
"""
)
ELSEWHERE = (
    HEAD
    + """
experiment = Experiment("And there?", "As here.", {"plain": plain.but(data=Imported("gone", 32))},
                        [Within("D_x", "plain", 0, 1)], seeds=(0,))
"""
)


@pytest.fixture
def folder(bascule):
    """Three experiments in ``experiments/small``; the images of the last are not there."""
    place = Path("experiments/small")
    place.mkdir(parents=True)
    for name, text in (("a_noise", MEASURED), ("b_held_out", SPOILT), ("c_gone", ELSEWHERE)):
        (place / f"{name}.py").write_text(text, "utf-8")
    return place


def test_a_folder_is_run_summed_up_reported_and_packed(bascule, folder, tmp_path):
    code, out, err = bascule("run", "small")
    assert code == 0, err
    assert "small/a-noise: inconclusive: one seed" in out
    assert "small/c-gone is left out: no image set 'gone'" in err
    notes = Path("runs/notes/small")
    for page in (notes / "a-noise/note.md", notes / "b-held-out/note.html", notes / "summary.md"):
        assert page.exists()
    summary = (notes / "summary.md").read_text("utf-8")
    assert "Is noise good?" in summary and "Of 2 experiments that were run" in summary
    assert "KID[efficientnet-lite0,128px] of “noise” is lower" in summary

    runs = {run.name: run for run in Store(Path("runs")).runs()}
    assert (runs["small/a-noise noise s0"].folder / "metrics.json").exists()
    held = runs["small/b-held-out held s0"]
    assert not (held.folder / "metrics.json").exists()  # nothing is left to measure it with
    assert all(row["epoch"] < 1 for row in held.diagnostics())
    code, _, err = bascule("evaluate", held.id, "-n", "40")
    assert code == 2 and "shows D the held-out images" in err

    before = {path: path.stat().st_mtime_ns for path in Path("runs").glob("2*/scalars.jsonl")}
    code, again, _ = bascule("report", "small")
    assert code == 0 and again.replace("\n", "").startswith(out.split("\n")[0])
    assert (notes / "summary.md").read_text("utf-8") == summary
    assert before == {
        path: path.stat().st_mtime_ns for path in Path("runs").glob("2*/scalars.jsonl")
    }

    code, out, _ = bascule("pack", "small/a_noise", "-o", "kept/noise.tar.xz")
    assert code == 0 and "2 of 2 runs are finished" in out
    code, out, _ = bascule("--runs", "other", "unpack", "kept/noise.tar.xz")
    assert code == 0 and out.startswith("2 runs unpacked into other")
    code, out, err = bascule("--runs", "other", "report", "small/a-noise")
    assert code == 0, err
    ours, theirs = (
        (Path(place) / "a-noise/note.md" if place.endswith("small") else Path(place) / "note.md")
        for place in ("runs/notes/small", "other/notes/small-a-noise")
    )
    assert findings(theirs) == findings(ours)


def findings(note: Path) -> str:
    text = note.read_text("utf-8")
    return text[text.index("## Predictions") : text.index("![Forest")]


def test_what_is_missing_is_told_and_never_trained(bascule, folder):
    code, _, err = bascule("report", "small/a-noise")
    assert code == 2 and "plain, seed 0: not begun yet" in err
    assert not list(Path("runs").glob("2*"))
    code, _, err = bascule("pack", "small/a-noise", "-o", "x.tar.xz")
    assert code == 2 and "there is nothing to pack" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "smal"], "unknown experiment 'smal'"),
        (["run", "small/b"], "unknown experiment 'small/b'"),
        (["run", "empty"], "no experiment in the folder"),
        (["unpack", "gone.tar.xz"], "cannot read gone.tar.xz"),
        (["run", "small", "--seeds", "1", "1"], "expected different seeds"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(bascule, folder, words, told):
    Path("experiments/empty").mkdir()
    code, _, err = bascule(*words)
    assert code == 2 and told in err and "Traceback" not in err


def test_an_experiment_runs_on_other_images_and_is_found_there_again(bascule):
    """``--data`` is the setting of that image set, so that a note can tell it."""
    from bascule.runs.store import Store

    Path("e.py").write_text(ONE_ARM)
    code, out, err = bascule("run", "e.py", "--seeds", "0", "--data", "fractals", *FEW)
    assert code == 0, err
    (run,) = Store(Path("runs")).runs()
    assert type(run.recipe.data).__name__ == "Fractals" and run.recipe.data.n == 40
    code, out, err = bascule("report", "e.py", "--seeds", "0", "--data", "fractals", *FEW)
    assert code == 0 and "missing" not in err, err
    words = ("--seeds", "0", "--data", "fractals", *FEW, "-o", "p.tar.xz")
    code, out, _ = bascule("pack", "e.py", *words)
    assert code == 0 and "1 of 1 runs are finished" in out
    code, _, err = bascule("run", "e.py", "--data", "gone")
    assert code == 2 and "no image set 'gone'" in err


FEW = ("--set", "data.n=40")
ONE_ARM = """
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Within
from bascule.models.dcgan import DCGAN
from bascule.training.recipe import Recipe

plain = Recipe(data=Faces(n=60, size=32), model=DCGAN(width=4, z_dim=8, size=32), batch=8,
               epochs=1, device="cpu", threads=1)
experiment = Experiment("?", "!", {"plain": plain}, [Within("D_x", "plain", 0, 1)])
"""


def test_help_says_what_seeds_are_and_no_rule_of_gans_for_dictionaries(bascule):
    for verb, default in (("run", "experiment's"), ("report", "experiment's"), ("ladder", "0 1 2")):
        told = " ".join(bascule(verb, "--help")[1].split())
        assert re.search(rf"--seeds S \[S ...\] [a-z][^)]*default: [^)]*{default}", told), told
    told = bascule("sdpc", "fit", "--help")[1]
    assert "InstanceNoise" not in told and "settle.k_fb" in told
    assert "InstanceNoise" in bascule("train", "--help")[1]
