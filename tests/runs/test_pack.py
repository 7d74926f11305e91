"""Packs: what comes out is what went in, to 8 digits, and nothing else gets in."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from bascule.errors import Refusal
from bascule.interventions import PerfectG
from bascule.runs.execute import execute
from bascule.runs.fork import fork
from bascule.runs.pack import pack, unpack
from bascule.runs.store import Store


@pytest.fixture
def finished(tiny, store, make_run):
    run = make_run(tiny, "parent")
    execute(run, store)
    return run


def test_a_run_comes_back_to_eight_digits_and_is_found_again(finished, tmp_path):
    pack([finished], tmp_path / "runs.zip", pictures=[finished])
    other = Store(tmp_path / "other")
    new, old = unpack(tmp_path / "runs.zip", other)
    assert [run.id for run in new] == [finished.id] and not old
    (run,) = new
    assert run.recipe == finished.recipe and run.about == finished.about
    assert run.status["state"] == "finished"
    for ours, theirs in (
        (run.rows(), finished.rows()),
        (run.diagnostics(), finished.diagnostics()),
    ):
        assert len(ours) == len(theirs) > 0
        for a, b in zip(ours, theirs, strict=True):
            assert a == {name: pytest.approx(value, rel=1e-7) for name, value in b.items()}
    digest = finished.about["data_digest"]
    assert other.same(finished.recipe, "parent", digest) == run
    with Image.open(run.sample(4)) as row, Image.open(finished.sample(4)) as grid:
        assert np.array_equal(np.asarray(row), np.asarray(grid)[:32])
    assert not list((run.folder / "checkpoints").iterdir())


def test_equal_runs_make_equal_packs_without_pictures_unless_asked(finished, tmp_path):
    pack([finished], tmp_path / "a.zip")
    pack([finished], tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert not [name for name in archive.namelist() if "samples" in name]


def test_a_run_that_is_there_is_left_alone(finished, store, tmp_path):
    pack([finished], tmp_path / "runs.zip")
    before = finished.checkpoint().read_bytes()
    new, old = unpack(tmp_path / "runs.zip", store)
    assert not new and [run.id for run in old] == [finished.id]
    assert finished.checkpoint().read_bytes() == before


def test_a_fork_of_an_unpacked_run_replays_its_past(finished, store, tiny, tmp_path, same):
    pack([finished], tmp_path / "runs.zip")
    elsewhere = Store(tmp_path / "other")
    ((unpacked,), _) = unpack(tmp_path / "runs.zip", elsewhere)
    recipe = tiny.but(change=PerfectG(at_epoch=2))
    ours, theirs = fork(elsewhere, unpacked, 2, recipe, "f"), fork(store, finished, 2, recipe, "f")
    execute(ours, elsewhere)
    execute(theirs, store)
    assert same(ours.load_checkpoint(), theirs.load_checkpoint())


def test_only_finished_runs_are_packed(make_run, tiny, tmp_path):
    with pytest.raises(Refusal, match="is not finished"):
        pack([make_run(tiny)], tmp_path / "runs.zip")
    assert not (tmp_path / "runs.zip").exists()


def zipped(names) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, json.dumps({}))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no zip", "cannot read"),
        (zipped(["../recipe.json"]), "is no pack of runs: it holds '../recipe.json'"),
        (zipped(["20260101-x/../../recipe.json"]), "is no pack of runs"),
        (zipped(["20260101-x/last.pt"]), "is no pack of runs"),
        (zipped(["20260101-x/recipe.json"]), "20260101-x lacks run.json, status.json"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_written(content, told, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(Refusal, match="(?s)" + told.replace("[", "\\[")):
        unpack(tmp_path / "x.zip", Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["x.zip"]
