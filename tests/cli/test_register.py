"""``bascule register`` as a user types it, and what run and report make of it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bascule.experiments.experiment import load
from bascule.experiments.registration import registrations, runs_begun
from bascule.experiments.schedule import plan, run_name
from bascule.runs.store import Store
from fakes import fake_rows, write_fake

MINE = """
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments import Experiment, Within
from bascule.gan.recipe import GANRecipe
from bascule.models.dcgan import DCGAN

plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32),
                  batch=8, epochs=1, device="cpu", threads=1)
experiment = Experiment("Is D sure?", "It is.", {"plain": plain},
                        [Within("D_x", "plain", 0.1, 1)], seeds=(0, 1))
"""
NOTE = Path("runs/notes/mine")


@pytest.fixture
def mine(bascule):
    path = Path("mine.py")
    path.write_text(MINE, "utf-8")
    return path


def test_from_registering_to_a_note_with_deviations(bascule, mine):
    code, out, err = bascule("register", "mine.py")
    assert code == 0, err
    (one,) = registrations(NOTE)
    assert f"registered: mine, on {one.registered}, sha256 {one.sha256[:12]}" in out
    assert "A date that others can check needs a witness" in out
    assert {path.name for path in NOTE.iterdir()} == {
        *("registration.json", "registration.md", "ro-crate-metadata.json")
    }
    kept = (NOTE / "registration.json").read_bytes()
    mine.write_text("# a comment\n" + MINE, "utf-8")
    code, out, _ = bascule("register", "mine.py")
    assert code == 0 and f"already registered: mine, on {one.registered}" in out
    assert (NOTE / "registration.json").read_bytes() == kept

    make_finished(mine)
    code, _, err = bascule("run", "mine.py", "--seeds", "0")  # its note has a folder of its own
    assert code == 0, err
    told = f"Registered before the first run: yes, on {one.registered} (sha256 {one.sha256[:12]})"
    assert told in protocol() and rows(protocol()) == ["| seed 1 | registered | – |"]
    assert (NOTE / "registration.json").read_bytes() == kept

    mine.write_text(MINE.replace('"plain", 0.1, 1', '"plain", 0.5, 1'), "utf-8")
    code, _, err = bascule("report", "mine.py", "--seeds", "0")
    assert code == 0, err
    assert told in protocol() and rows(protocol()) == [
        "| prediction | D_x of “plain” lies in [0.1, 1] over the run | – |",
        "| prediction | – | D_x of “plain” lies in [0.5, 1] over the run |",
        "| seed 1 | registered | – |",
    ]

    code, out, _ = bascule("register", "mine.py")
    assert code == 0 and f"amendment 2 of what was registered on {one.registered}" in out
    assert "registered after 1 run on these seeds began, the first on 20" in out
    first, second = registrations(NOTE)
    assert first == one and len(second.earlier_runs) == 1

    bascule("pack", "mine.py", "--seeds", "0", "-o", "mine.tar.xz")
    bascule("--runs", "theirs", "unpack", "mine.tar.xz")
    assert runs_begun("mine", Store(Path("theirs")).runs(), [0, 1]) == (second.earlier_runs, ())


def make_finished(path):
    """A finished run of the first arm with seed 0 that nobody trained."""
    found = load(path)
    (job,) = plan(found, [0])
    digest = job.recipe.data.load().digest
    run = Store(Path("runs")).create(job.recipe, run_name(found, job), digest)
    run.set_rows(fake_rows(0, False, n=job.recipe.epochs))
    run.set_status("finished")


def protocol():
    """The note's words about the registration."""
    (note,) = Path("runs/notes").glob("mine-seeds-0-*/note.md")
    return note.read_text("utf-8").partition("## Protocol")[2].partition("1 of 1 arms")[0]


def rows(text):
    """The rows of a Markdown table, without its header."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


def test_runs_that_are_there_already_are_counted_whatever_their_settings(bascule, mine, tiny):
    rows = fake_rows(0, False, n=tiny.epochs)
    write_fake(Path("runs/20260102-mine-plain-s0-1"), tiny, "mine plain s0", rows, samples=())
    write_fake(Path("runs/20260102-mine-plain-s9-1"), tiny, "mine plain s9", rows, samples=())
    write_fake(Path("runs/20260102-other-plain-s0-1"), tiny, "other plain s0", rows, samples=())
    code, out, _ = bascule("register", "mine.py")
    assert (
        code == 0 and "registered after 1 run on these seeds began, the first on 2026-01-02" in out
    )
    (one,) = registrations(NOTE)
    assert one.earlier_runs == one.pilot_runs == ("2026-01-02T03:04:05+00:00",)
    page = (NOTE / "registration.md").read_text("utf-8")
    assert "Yes, on the seeds below: 1 run (begun 2026-01-02T03:04:05+00:00)." in page
    assert "On other seeds, which are no part of it: 1 run (begun 2026-01-02" in page


def test_a_folder_is_registered_one_by_one(bascule, mine):
    place = Path("experiments/small")
    place.mkdir(parents=True)
    (place / "a.py").write_text(MINE, "utf-8")
    (place / "b.py").write_text(MINE.replace("Faces(n=40, size=32)", 'Imported("gone", 32)'))
    code, out, err = bascule("register", "small", "--seeds", "5")
    assert code == 0 and "registered: small/a" in out and "small/b is skipped: no image set" in err
    (folder,) = Path("runs/notes").iterdir()
    (one,) = registrations(folder / "a")
    assert one.content["seeds"] == [5] and not (folder / "b").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gone.py"], "no such experiment file: gone.py"),
        (["mine.py", "--seeds", "1", "1"], "expected different seeds"),
        (["mine.py", "--set", "epoch=3"], "unknown field"),
        (["mine.py", "--quick"], "has no quick version"),
        (["mine.py", "--data", "gone"], "gone"),
        (["mine.py", "--note", "taken"], "is the registration of other, not of mine: give another"),
        (["mine.py", "--note", "broken"], "cannot read broken/registration.json"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(bascule, mine, words, told):
    Path("broken").mkdir()
    Path("broken/registration.json").write_text("{", "utf-8")
    Path("other.py").write_text(MINE, "utf-8")
    bascule("register", "other.py", "--note", "taken")
    before = {path: path.read_bytes() for path in Path().rglob("registration*")}
    code, _, err = bascule("register", *words)
    assert code == 2 and told in err and err.count("\n") == 1, err
    assert {path: path.read_bytes() for path in Path().rglob("registration*")} == before


def program(name: str, script: str) -> None:
    """A program on the PATH of the tests, a shell script."""
    path = Path("bin") / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def repository(mine, monkeypatch):
    """A git repository that holds the experiment; its signer signs anything."""
    program("signer", 'cat > /dev/null; echo "[GNUPG:] SIG_CREATED " >&2; echo "-----BEGIN PGP"')
    signer = Path("bin/signer").resolve()
    settings = f"[user]\nname = A\nemail = a@example.org\n[gpg]\nprogram = {signer}\n"
    Path("gitconfig").write_text(settings, "utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(Path("gitconfig").resolve()))
    for words in (["init", "-q"], ["add", "mine.py"], ["commit", "-qm", "question"]):
        subprocess.run(["git", *words], check=True)


def test_a_signed_tag_holds_the_hash(bascule, repository):
    code, out, err = bascule("register", "mine.py", "--tag")
    assert code == 0, err
    (one,) = registrations(NOTE)
    name = f"registration-mine-{one.sha256[:12]}"
    assert f"tagged: {name}" in out and "needs a witness" not in out
    words = ["git", "cat-file", "tag", name]
    tag = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"sha256 {one.sha256}" in tag and "-----BEGIN PGP" in tag
    code, out, _ = bascule("register", "mine.py", "--tag")
    assert code == 0 and f"the tag {name} is there already" in out


def test_a_tag_that_cannot_be_signed_is_refused_and_nothing_is_lost(bascule, repository):
    program("signer", "echo no secret key >&2; exit 1")
    code, _, err = bascule("register", "mine.py", "--tag")
    assert code == 2 and err.startswith("bascule: git failed: ") and err.count("\n") == 1
    assert "the registration itself is written" in err and registrations(NOTE)
    assert not subprocess.run(["git", "tag"], capture_output=True, check=True).stdout


def test_a_tag_needs_a_repository(bascule, mine, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path().resolve().parent))
    code, _, err = bascule("register", "mine.py", "--tag")
    assert code == 2 and "git failed: fatal: not a git repository" in err and registrations(NOTE)


def test_a_timestamp_is_of_a_file_with_the_hash(bascule, mine, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}")
    program("ots", 'test "$1" = stamp && sha256sum < "$2" > "$2.ots"')
    code, out, err = bascule("register", "mine.py", "--timestamp")
    assert code == 0, err
    (one,) = registrations(NOTE)
    assert f"stamped: {NOTE / 'registration-1.json.ots'}" in out
    assert (NOTE / "registration-1.json.ots").read_text().startswith(one.sha256)
    crate = json.loads((NOTE / "ro-crate-metadata.json").read_text("utf-8"))
    assert "registration-1.json.ots" in {entity["@id"] for entity in crate["@graph"]}
    code, out, _ = bascule("register", "mine.py", "--timestamp")
    assert code == 0 and "registration-1.json.ots is there already" in out

    program("ots", "echo no calendar answers >&2; exit 1")
    code, _, err = bascule(
        "register", "mine.py", "--timestamp", "--seeds", "7", "--note", str(NOTE)
    )
    assert code == 2 and "ots failed: no calendar answers; the registration itself is" in err
    assert len(registrations(NOTE)) == 2


def test_without_a_client_a_timestamp_is_refused_in_one_line(bascule, mine, monkeypatch):
    monkeypatch.setattr("bascule.cli.witness.which", lambda name: None)
    code, _, err = bascule("register", "mine.py", "--timestamp")
    assert code == 2 and "--timestamp needs ots, the client of OpenTimestamps" in err
    assert err.count("\n") == 1 and registrations(NOTE)
    assert not (NOTE / "registration-1.json").exists()
