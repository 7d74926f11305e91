"""The verbs about experiments, as a user types them: a folder of them, their notes, their packs."""

import re
import shlex
from pathlib import Path

import pytest

from bascule.runs.store import Store

HEAD = """
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments import KID, Experiment, Lower, Measure, Within
from bascule.interventions import InstanceNoise, PerfectG
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe

plain = GANRecipe(data=Faces(n=100, size=32, held_out=0.5), model=DCGAN(width=4, z_dim=8, size=32),
               batch=8, epochs=2, device="cpu", threads=1)
"""
MEASURED = (
    HEAD
    + """
experiment = Experiment("Is noise good?", "It is.",
                        {"plain": plain, "noise": plain.replace(interventions=[InstanceNoise()])},
                        [Lower(KID.at(extractor="random-conv-s0,64px"), "noise", than="plain")],
                        seeds=(0,),
                        measure=Measure(fakes=40, attributes=False, features="random-conv"))
"""
)
SPOILT = (
    HEAD
    + """
swap = PerfectG(at_epoch=1, of="held_out")
held = plain.replace(interventions=swap)
experiment = Experiment("Is D fooled?", "It is.", {"held": held},
                        [Within("D_x", "held", 0, 0.99)], seeds=(0,),
                        measure=Measure(fakes=40, attributes=False))
"""
)
ELSEWHERE = (
    HEAD
    + """
gone = plain.replace(data=Imported("gone", 32))
experiment = Experiment("And there?", "As here.", {"plain": gone},
                        [Within("D_x", "plain", 0, 0.99)], seeds=(0,))
"""
)


OWN = (
    HEAD
    + """
few = plain.replace(epochs=1)
noisy = few.replace(interventions=InstanceNoise())
quick = Experiment("Is D sure?", "It is.", {"plain": few, "noise": noisy},
                   [Within("D_x", "plain", 0, 0.99), Within("D_Gz", "noise", 0, 0.99)], seeds=(0,))
experiment = Experiment("Is D sure?", "It is.", {"plain": plain}, [Within("D_x", "plain", 0, 0.99)],
                        seeds=(0, 1), quick=quick)
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
    assert "small/c-gone is skipped: no image set 'gone'" in err
    notes = Path("runs/notes/small")
    for page in (notes / "a-noise/note.md", notes / "b-held-out/note.html", notes / "summary.md"):
        assert page.exists()
    summary = (notes / "summary.md").read_text("utf-8")
    assert "Is noise good?" in summary and "Of 2 experiments that were run" in summary
    assert "KID[random-conv-s0,64px] of “noise” is lower" in summary

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
    assert code == 2 and "plain, seed 0: not started yet" in err
    assert not list(Path("runs").glob("2*"))
    code, _, err = bascule("pack", "small/a-noise", "-o", "x.tar.xz")
    assert code == 2 and "so there is nothing to pack: run it first" in err


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


def reproduced(note: Path) -> list[str]:
    """The command that a note says repeats it."""
    text = note.read_text("utf-8")
    (line,) = text[text.index("```sh") :].split("```")[1].splitlines()[1:]
    words = shlex.split(line)
    assert words[0] == "bascule"
    return words[1:]


def test_a_note_is_kept_from_emptier_ones_and_its_command_repeats_it(bascule):
    """Of a user's own file, with a space in its name, as a whole and as a variant."""
    file = Path("my files/own question.py")
    file.parent.mkdir()
    file.write_text(OWN, "utf-8")
    words = ("run", str(file), "--quick", "--arm", "plain", "--set", "lr_D=1e-3")
    code, out, err = bascule(*words)
    assert code == 0, err
    assert out.splitlines()[0].startswith("D_x of “plain” is 0.") and "One seed" in out
    (variant,) = Path("runs/notes").iterdir()
    assert variant.name.startswith("own-question-quick-lr_d-1e-3-arm-plain-")
    assert out.splitlines()[-1] == f"note: {variant / 'note.html'}"

    command = reproduced(variant / "note.md")
    assert command[:3] == ["run", "my files/own question.py", "--quick"]
    runs = sorted(Path("runs").glob("2*"))
    code, again, err = bascule(*command)
    assert code == 0 and again == out, err
    assert sorted(Path("runs").glob("2*")) == runs and len(list(Path("runs/notes").iterdir())) == 1

    before = (variant / "note.md").read_bytes()
    for _ in range(2):  # with the record of what it was made from, and without
        there = ("report", *words[1:3], "--set", "lr_D=1e-3", "--note", str(variant))
        code, out, err = bascule("--runs", "empty", *there)
        assert code == 2 and err.count("\n") == 1 and not out
        assert "was made from 1 finished run; found now: 0 finished runs" in err
        assert "--force" in err and (variant / "note.md").read_bytes() == before
        (variant / "note.json").unlink(missing_ok=True)
    code, out, _ = bascule("--runs", "empty", *there, "--force")
    assert code == 2 and "note:" in out and (variant / "note.md").read_bytes() != before


def test_the_note_is_opened_where_there_is_a_desktop(bascule, monkeypatch):
    Path("own.py").write_text(OWN, "utf-8")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    bascule("report", "own.py", "--open")
    assert not opened
    monkeypatch.setenv("DISPLAY", ":0")
    bascule("report", "own.py")
    assert not opened
    bascule("report", "own.py", "--open")
    assert opened == [Path("runs/notes/own/note.html").resolve().as_uri()]


def test_other_seeds_have_a_note_of_their_own(bascule):
    Path("own.py").write_text(OWN, "utf-8")
    names = []
    for more in ((), ("--seeds", "0"), ("--seeds", "1"), ("--seeds", "0", "1")):
        bascule("report", "own.py", *more)
        names.append({path.name for path in Path("runs/notes").iterdir()})
    assert [len(found) for found in names] == [1, 2, 3, 3] and "own" in names[0]


def test_what_failed_wholly_leaves_the_note_as_it_was(bascule, monkeypatch):
    Path("own.py").write_text(OWN, "utf-8")
    note = Path("runs/notes/own/note.md")
    note.parent.mkdir(parents=True)
    note.write_text("| run | arm | seed |\n| --- | --- | --- |\n| a | plain | 0 |\n", "utf-8")
    monkeypatch.setattr("bascule.cli.experiment.train_all", lambda *args: True)
    code, out, err = bascule("run", "own.py")
    assert code == 2 and "was made from 1 finished run" in err and "note:" not in out
    assert note.read_text("utf-8").startswith("| run |")


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
from bascule.gan.recipe import GANRecipe

plain = GANRecipe(data=Faces(n=60, size=32), model=DCGAN(width=4, z_dim=8, size=32), batch=8,
               epochs=1, device="cpu", threads=1)
experiment = Experiment("?", "!", {"plain": plain}, [Within("D_x", "plain", 0, 0.99)])
"""


def test_help_says_what_seeds_are_and_no_rule_of_gans_for_dictionaries(bascule):
    for verb, default in (("run", "experiment's"), ("report", "experiment's"), ("ladder", "0 1 2")):
        told = " ".join(bascule(verb, "--help")[1].split())
        assert re.search(rf"--seeds S \[S ...\] [a-z][^)]*default: [^)]*{default}", told), told
    told = bascule("sdpc", "fit", "--help")[1]
    assert "InstanceNoise" not in told and "settle.k_fb" in told
    assert "InstanceNoise" in bascule("train", "--help")[1]
