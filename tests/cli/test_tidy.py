"""`rename`, `gc`, `data rm` and `data rename`: what they change, and what they never touch."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from bascule.data.faces import Faces
from bascule.data.imported import Imported, import_images
from bascule.data.places import imported_sets, root
from bascule.runs.store import Store

MEGABYTE = 10**6


@pytest.fixture
def mine(tmp_path, monkeypatch) -> Imported:
    """A cache of its own, with an imported set."""
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "data"))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels)
    import_images(tmp_path / "mine.npz", "mine", size=32)
    import_images(tmp_path / "mine.npz", "mine", size=16)
    return Imported("mine", 32)


def test_a_renamed_run_keeps_its_id_and_is_found_by_its_name(bascule, tiny, make_run):
    run = make_run(tiny, "first")
    code, out, err = bascule("rename", "first", "portraits of 2026")
    assert code == 0 and "first is now called portraits of 2026" in out, err
    assert Store(Path("runs")).find("portraits of").id == run.id
    assert f"{run.id} (portraits of 2026)" in bascule("list")[1]
    for name in ("", " ", "a\nb"):
        code, _, err = bascule("rename", run.id, name)
        assert code == 2 and "expected a name" in err
    (run.folder / "train.json").write_text("{}")
    code, _, err = bascule("rename", run.id, "other")
    assert code == 2 and "a run of an experiment" in err and err.count("\n") == 1


def test_a_renamed_set_is_whole_under_its_new_name_alone(bascule, mine):
    digest = mine.load().digest
    assert bascule("data", "rename", "mine", "yours")[0] == 0
    assert [shape.size for shape in imported_sets()["yours"]] == [16, 32]
    found = Imported("yours", 32).load()
    assert (found.name, found.digest) == ("yours", digest) and "mine" not in imported_sets()
    for words, said in (
        (("mine", "a"), "unknown imported set 'mine'"),
        (("yours", "faces"), "built-in"),
        (("yours", "../a"), "expected letters"),
        (("yours", "yours"), "is taken"),
    ):
        code, _, err = bascule("data", "rename", *words)
        assert code == 2 and said in err and err.count("\n") == 1, err


def test_sets_that_runs_need_are_named_before_they_go(bascule, mine, tiny, make_run):
    run = make_run(tiny.replace(data=mine), "needs")
    code, _, err = bascule("data", "rename", "mine", "yours")
    assert code == 2 and "recipe of 1 run" in err and run.id in err
    code, _, err = bascule("data", "rm", "mine")
    assert code == 2 and "without it 1 run neither" in err and "--yes" in err
    assert "mine" in imported_sets()
    code, out, _ = bascule("data", "rm", "mine", "--yes")
    assert code == 0 and "deleted mine (0.2 MB" in out and not imported_sets()


def test_gc_deletes_what_can_be_made_again_and_leftovers_only(bascule, mine, tiny, make_run):
    run = make_run(tiny, "kept")  # it draws a built-in set
    digests = [images.load().digest[:16] for images in (mine, Faces(n=40, size=32))]
    for digest in digests:
        (root() / "features" / digest).mkdir(parents=True)
        (root() / "features" / digest / "a.npy").write_bytes(bytes(2 * MEGABYTE))
    draft = root() / "imported" / "mine" / ".32-abc"
    draft.mkdir()
    os.utime(draft, (time.time() - 10**6,) * 2)
    (root() / "imported" / "mine" / ".32-of-another-process").mkdir()
    runs = run.folder.parent
    (runs / ".gone.999999999.partial").mkdir()
    (runs / f".going.{os.getpid()}.partial").mkdir()
    code, out, err = bascule("gc")
    assert code == 2 and "--yes" in err and "when they are needed: 1 (" in err and draft.exists()
    code, out, _ = bascule("gc", "--yes")
    assert code == 0 and "left by processes that were killed: 2 (" in out
    assert "features of sets that are not imported" in out and "1 (2.0 MB)" in out
    left = {path.name for path in (root() / "features").iterdir()}
    assert left == {digests[0]} and not any((root() / "made").iterdir())
    assert mine.load() and not draft.exists()
    assert len(list((root() / "imported" / "mine").glob(".32-of*"))) == 1
    assert {path.name for path in runs.iterdir()} == {run.id, f".going.{os.getpid()}.partial"}
    assert "nothing can go" in bascule("gc")[1]
    assert Faces(n=40, size=32).load().digest[:16] == digests[1]
