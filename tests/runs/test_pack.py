"""Packs: what comes out is what went in, to 8 digits, and nothing else gets in."""

import io
import os
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.experiments.judgments import Pair, Sheet, keep, sheets_in
from bascule.interventions import PerfectG
from bascule.runs import pack as packing
from bascule.runs.execute import execute
from bascule.runs.fork import fork
from bascule.runs.pack import pack, unpack
from bascule.runs.store import Run, Store


@pytest.fixture
def finished(tiny, finished_run):
    return finished_run(tiny, "parent")


def test_a_run_comes_back_to_eight_digits_and_is_found_again(finished, tmp_path):
    pack([finished], tmp_path / "runs.tar.xz", pictures=[finished])
    other = Store(tmp_path / "other")
    new, old = unpack(tmp_path / "runs.tar.xz", other)
    assert [run.id for run in new] == [finished.id] and not old
    (run,) = new
    assert run.recipe == finished.recipe and run.about == finished.about
    assert run.status["state"] == "finished"
    for ours, theirs, left_out in (
        (run.rows(), finished.rows(), ("_std", "_min")),
        (run.diagnostics(), finished.diagnostics(), ()),
    ):
        assert len(ours) == len(theirs) > 0
        for a, b in zip(ours, theirs, strict=True):
            told = {name: v for name, v in b.items() if not name.endswith(left_out)}
            assert a == {name: pytest.approx(value, rel=1e-7) for name, value in told.items()}
    digest = finished.about["data_digest"]
    assert other.same(finished.recipe, "parent", digest) == run
    with Image.open(run.sample(4)) as row, Image.open(finished.sample(4)) as grid:
        assert np.array_equal(np.asarray(row), np.asarray(grid)[:32])
    assert not list((run.folder / "checkpoints").iterdir())


def test_equal_runs_make_equal_packs_without_pictures_unless_asked(finished, tmp_path):
    pack([finished], tmp_path / "a.tar.xz")
    pack([finished], tmp_path / "b.tar.xz")
    assert (tmp_path / "a.tar.xz").read_bytes() == (tmp_path / "b.tar.xz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.xz") as archive:
        assert not [name for name in archive.getnames() if "samples" in name]


def test_answers_of_judges_go_with_their_runs_and_never_replace_more_answers(
    finished, store, tmp_path
):
    few = Sheet(Pair.real(finished), "Ann Bé").answered(True, 1.0)
    path = keep(store.root, few)
    pack([finished], tmp_path / "few.tar.xz", beside=[path])
    more = few.answered(False, 1.0)
    keep(store.root, more)
    pack([finished], tmp_path / "more.tar.xz", beside=[path])
    other = Store(tmp_path / "other")
    for name, expected in (("few", few), ("more", more), ("few", more)):
        unpack(tmp_path / f"{name}.tar.xz", other)
        assert sheets_in(other.root) == [expected]
    assert [run.id for run in other.runs()] == [finished.id]


def test_a_run_that_is_there_is_left_alone(finished, store, tmp_path):
    pack([finished], tmp_path / "runs.tar.xz")
    before = finished.checkpoint().read_bytes()
    new, old = unpack(tmp_path / "runs.tar.xz", store)
    assert not new and [run.id for run in old] == [finished.id]
    assert finished.checkpoint().read_bytes() == before


def test_a_fork_of_an_unpacked_run_replays_its_past(finished, store, tiny, tmp_path, same):
    pack([finished], tmp_path / "runs.tar.xz")
    elsewhere = Store(tmp_path / "other")
    ((unpacked,), _) = unpack(tmp_path / "runs.tar.xz", elsewhere)
    recipe = tiny.replace(interventions=PerfectG(at_epoch=2))
    ours, theirs = fork(elsewhere, unpacked, 2, recipe, "f"), fork(store, finished, 2, recipe, "f")
    execute(ours, elsewhere)
    execute(theirs, store)
    assert same(ours.load_checkpoint(), theirs.load_checkpoint())


def test_only_finished_runs_are_packed(make_run, tiny, tmp_path):
    with pytest.raises(UserError, match="is not finished"):
        pack([make_run(tiny)], tmp_path / "runs.tar.xz")
    assert not (tmp_path / "runs.tar.xz").exists()


def packed(names, kind=tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "elsewhere"
            entry.size = 2 if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(b"{}"))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b'{"epoch": 1', b"\xff"])
def test_a_damaged_line_in_a_run_is_refused(finished, tmp_path, content):
    copy = Run(shutil.copytree(finished.folder, tmp_path / finished.id))
    (copy.folder / "scalars.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=r"scalars.jsonl .*restore it, or pack without its run"):
        pack([copy], tmp_path / "runs.tar.xz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("name", ["scalars.jsonl", "run.json"])
def test_a_pipe_in_a_run_is_refused_without_a_wait(finished, tmp_path, name):
    copy = Run(shutil.copytree(finished.folder, tmp_path / finished.id))
    (copy.folder / name).unlink()
    os.mkfifo(copy.folder / name)
    with pytest.raises(UserError, match="not a regular file but a pipe"):
        pack([copy], tmp_path / "runs.tar.xz")
    assert not (tmp_path / "runs.tar.xz").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no pack", "cannot read"),
        (packed(["20260101-x/run.json"], tarfile.SYMTYPE), "is no file"),
        (packed(["../recipe.json"]), "is no pack of runs: it holds '../recipe.json'"),
        (packed(["20260101-x/../../recipe.json"]), "is no pack of runs"),
        (packed(["20260101-x/last.pt"]), "is no pack of runs"),
        (packed(["20260101-x/recipe.json"]), "20260101-x lacks run.json, status.json"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_written(content, told, tmp_path):
    (tmp_path / "x.tar.xz").write_bytes(content)
    with pytest.raises(UserError, match="(?s)" + told.replace("[", "\\[")):
        unpack(tmp_path / "x.tar.xz", Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar.xz"]


@pytest.mark.parametrize(("name", "most"), [("MOST_TOTAL_BYTES", 500), ("MOST_FILES", 3)])
def test_a_pack_that_unpacks_to_too_much_is_refused(finished, tmp_path, monkeypatch, name, most):
    file = tmp_path / "runs.tar.xz"
    pack([finished], file)
    monkeypatch.setattr(packing, name, most)
    other = Store(tmp_path / "other")
    with pytest.raises(UserError, match="unpacks to more than"):
        unpack(file, other)
    assert not other.root.exists()
