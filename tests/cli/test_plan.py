"""``bascule plan`` as a user types it, on runs that nobody trained, and looks at verdicts."""

import re
from pathlib import Path

import pytest

from bascule.experiments.experiment import load
from bascule.experiments.looks import looks_in
from bascule.experiments.schedule import plan, run_name
from bascule.runs.store import Store
from fakes import fake_rows

MINE = """
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Lower, Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise
from bascule.models.dcgan import DCGAN

plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32),
                  batch=8, epochs=20, device="cpu", threads=1)
fooled = Lower("loss_G", "noised", than="plain", from_epoch=12)
experiment = Experiment(
    "Is D fooled?", "It is.",
    {"plain": plain, "noised": plain.replace(interventions=InstanceNoise(from_epoch=12))},
    [fooled, Within("D_x", "plain", 0.0, 0.1)],
)
"""


@pytest.fixture
def mine(bascule):
    path = Path("mine.py")
    path.write_text(MINE, "utf-8")
    return path


def make_finished(path, seeds):
    """Finished runs of both arms that nobody trained; the second is fooled."""
    found = load(path)
    for job in plan(found, seeds):
        digest = job.recipe.data.load().digest
        run = Store(Path("runs")).create(job.recipe, run_name(found, job), digest)
        run.set_rows(fake_rows(job.seed, job.arm == "noised", n=job.recipe.epochs))
        run.set_status("finished")


def test_without_a_pilot_the_time_is_told_and_how_to_get_one(bascule, mine):
    code, out, err = bascule("plan", "mine.py")
    assert code == 0, err
    assert "mine: 2 arms on 5 seeds" in out and out.count("no pilot\n") == 2
    assert "its chances are not known" in out
    assert "“noised” shares the first 12 epochs with “plain”" in out
    assert re.search(r"training that is missing: \d+ (s|min) in all", out)
    assert "`bascule run mine.py --seeds 100 101 102`, then plan again" in out


def test_a_pilot_tells_seeds_effects_and_whether_the_verdict_can_come_out_both_ways(bascule, mine):
    make_finished(mine, (100, 101, 102))
    code, out, err = bascule("plan", "mine.py")
    assert code == 0, err
    assert "pilot −0.5" in out and "over 3 seeds, inside" in out
    assert re.search(r"5 seeds find a distance of 0\.0\d+ from the edge \(in 80 %\)", out)
    assert "outside" in out  # D_x of the plain arm is 0.8, not below 0.1
    assert "refuted in 100%" in out and "gives" not in out
    assert "training that is missing: 100 s" in out or "2 min in all" in out
    code, out, _ = bascule("plan", "mine.py", "--pilot", "100", "101", "--seeds", "0", "1", "2")
    assert code == 0 and "over 2 seeds" in out and "3 seeds find" in out


def test_a_primary_prediction_alone_is_planned_for(bascule, mine):
    make_finished(mine, (100, 101, 102))
    _, before, _ = bascule("plan", "mine.py")
    mine.write_text(MINE.replace("[fooled,", "primary=fooled, predictions=[fooled,"), "utf-8")
    _, out, _ = bascule("plan", "mine.py")
    assert "(primary)" in out and "(primary)" not in before
    assert "supported in 100%" in out


def test_every_new_set_of_seeds_is_a_look_and_the_note_says_which(bascule, mine):
    make_finished(mine, range(6))
    for seeds, told in (("0 1 2 3 4", ""), ("0 1 2 3 4 5", "look 2"), ("0 1 2 3 4", "")):
        code, _, err = bascule(
            "report", "mine.py", "--seeds", *seeds.split(), "--note", "n", "--force"
        )
        assert code == 0, err
        note = Path("n/note.md").read_text("utf-8")
        assert ("This is look" in note) == bool(told) and told in note
        assert ("mean [97.5 % interval]" if told else "mean [95 % interval]") in note
    (file,) = Path("runs/looks").iterdir()
    assert looks_in(file) == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]]
    bascule("pack", "mine.py", "-o", "mine.tar.xz")
    bascule("--runs", "theirs", "unpack", "mine.tar.xz")
    assert looks_in(Path("theirs/looks") / file.name) == looks_in(file)


def test_a_look_at_unfinished_seeds_is_none(bascule, mine):
    make_finished(mine, range(3))
    bascule("report", "mine.py", "--note", "n")
    assert not Path("runs/looks").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "unknown experiment 'nothing'"),
        (["mine.py", "--pilot", "x"], "x: expected a whole number"),
        (["mine.py", "--set", "epochs=0"], "epochs=0"),
    ],
)
def test_bad_input_is_one_line(bascule, mine, words, told):
    code, _, err = bascule("plan", *words)
    assert code == 2 and told in err and err.count("\n") == 1
