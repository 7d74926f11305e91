"""bascule ladder: what it refuses, and a ladder of runs that are there already."""

from pathlib import Path

import pytest

from bascule.data.faces import Faces
from bascule.experiments.predictions import KID
from bascule.ladder import cli as verb
from bascule.ladder.cli import default
from bascule.ladder.experiment import Pace
from bascule.presets import PRESETS
from fakes import EXTRACTOR, evaluated, fake_rows, measured, write_fake


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dcgan"], "unknown preset 'dcgan'"),
        (["dcgan64"], "a ladder with dcgan64 alone: expected at least two presets"),
        (["--seeds", "0", "0"], "--seeds 0 0: expected different seeds"),
        (["--minutes", "0"], "--minutes 0 -n 2000: expected minutes > 0"),
        (["-n", "1"], "expected minutes > 0 and at least 2 fakes"),
        (["--data", "nowhere"], "nowhere"),
        (["--jobs", "0"], "--jobs 0: expected at least 1"),
        (
            *(["--data", "Faces(n=80)", "-n", "4"],),
            "a ladder ranks by KID, which needs 5 fakes, 4 are given; give more images or fakes",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_no_ladder_is_refused_in_one_line(bascule, words, said):
    code, _, err = bascule("ladder", *words)
    assert code == 2 and said in err.splitlines()[-1]
    assert not Path("runs").exists()


def test_the_default_rungs_are_light_presets_and_the_notebooks_own_to_beat():
    names = default()
    assert names[0] == "dcgan-w9-light" and set(names) < set(PRESETS)
    assert {
        "dcgan64-light",
        "dcgan64-hinge",
        "dcgan64-tuned",
        "sngan64-light",
        "r3gan64-light",
    } < set(names)


def test_it_goes_on_with_the_paces_of_its_first_day(bascule, monkeypatch, tiny):
    """Two presets by decree; what the scheduler would do is tested with it."""
    tiny = tiny.replace(
        data=Faces(n=40, size=32, held_out=0.125)
    )  # 5 held out: as few as KID takes
    small = {name: tiny.replace(lr_D=lr) for name, lr in (("one", 1e-4), ("two", 2e-4))}
    paces, given = iter([Pace(0.01, 9), Pace(0.005, 9)]), []

    def train_all(found, jobs, sets, store, launcher):
        given.append((found, jobs, launcher))
        return False

    monkeypatch.setattr("bascule.presets.PRESETS", small)
    monkeypatch.setattr("bascule.experiments.pace.pace", lambda recipe, images: next(paces))
    monkeypatch.setattr(verb, "named_data", lambda text, size: tiny.data)
    monkeypatch.setattr(verb, "train_all", train_all)
    words = ("ladder", "one", "two", "--minutes", "0.03", "--seeds", "0", "1", "-n", "20")
    words += ("--jobs", "1")
    for _ in range(2):  # no pace is asked for a second time
        code, _, err = bascule(*words, "--no-attributes", "--name", "mine")
        assert code == 130 and "give the same command again to go on" in err
    (first, jobs, launcher), (again, *_) = given
    assert first.arms == again.arms and first.measure.fakes == 20 and launcher.at_once == 1
    assert [p.scalar for p in first.predictions] == [KID]  # 5 are too few to be covered
    # 1.8 s; an epoch of 4 batches of 8 takes 0.32 s and 0.16 s
    assert [(job.arm, job.seed, job.recipe.epochs) for job in jobs] == [
        *(("one", 0, 5), ("two", 0, 11), ("one", 1, 5), ("two", 1, 11)),
    ]
    code, _, err = bascule("ladder", "one", "two", "--name", "mine", "--minutes", "5")
    assert code == 2 and "give another --name" in err
    others = Faces(n=41, size=32, held_out=0.125)
    monkeypatch.setattr(verb, "named_data", lambda text, size: others)
    code, _, err = bascule(*words, "--name", "mine")
    assert code == 2 and "is of Faces(n=40, size=32" in err and err.count("\n") == 1


def test_several_sets_get_a_note_each_and_a_page_about_all(bascule, monkeypatch, tiny):
    small = {name: tiny.replace(lr_D=lr) for name, lr in (("one", 1e-4), ("two", 2e-4))}
    given = {
        "faces": Faces(n=40, size=32, held_out=0.125),
        "more": Faces(n=48, size=32, held_out=0.125),
        "others": Faces(n=40, size=32, held_out=0.125, style="adventurer"),
    }
    kids = {"one": 0.8, "two": 0.4}

    def train_all(found, jobs, sets, store, launcher):
        assert {job.recipe.data for job in jobs} == set(sets)
        for job in jobs:
            folder = store.root / f"{len(list(store.root.iterdir()))}"
            rows = fake_rows(job.seed, False, n=job.recipe.epochs)
            job.run = write_fake(folder, job.recipe, job.arm, rows)
            kid = kids[job.arm] + job.seed / 10
            evaluated(job.run, job.recipe.epochs, measured(f"KID[{EXTRACTOR}]", kid, 0.0))
            job.state = "finished"
        return True

    monkeypatch.setattr("bascule.presets.PRESETS", small)
    monkeypatch.setattr("bascule.experiments.pace.pace", lambda recipe, images: Pace(0.01, 9))
    monkeypatch.setattr(verb, "named_data", lambda text, size: given[text])
    monkeypatch.setattr(verb, "train_all", train_all)
    words = ["ladder", "one", "two", "--minutes", "0.03", "--seeds", "0", "1", "-n", "20"]
    code, out, _ = bascule(*words, "--no-attributes", "--data", *given)
    assert code == 0 and out.count("\nnote: ") == 3
    top = Path("runs/notes/ladder-faces-micah-more-faces-adventurer-0-03-min")
    assert f"all sets: {top}/note.html" in out
    for name in ("faces-micah", "more", "faces-adventurer"):  # of two faces-micah, one is "more"
        assert (top / name / "note.md").exists()
    text = (top / "note.md").read_text("utf-8")
    assert "2 recipes on 3 image sets" in text and "--data faces more others" in text
    # x is 0.4 and 0.5, r is 0.85, the floor 0
    assert f"| two | {(0.45 / 0.85 + 0.35 / 0.85) / 2:.2f}" in text
    code, _, err = bascule(*words, "--data", "faces", "faces")
    assert code == 0 and not err.count("all sets")  # named twice, it is one set
