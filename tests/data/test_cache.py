"""The cache: entries are whole or absent."""

import errno
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data import cache


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


def noise(n: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)


def build(entry: Path, pixels: np.ndarray, replace: bool = False) -> None:
    with cache.draft(entry, 8, replace) as draft:
        draft.add(pixels[:5])
        draft.add(pixels[5:])
        labels = {"hair": np.array(["è"] * len(pixels)), "angle": np.arange(float(len(pixels)))}
        draft.finish(name="noise", credit="nobody", labels=labels, source="test")


def test_what_is_written_is_read_back(root: Path) -> None:
    entry = cache.made("noise", {"seed": 0})
    build(entry, noise())
    images = cache.open_entry(entry)
    assert (images.pixels == noise()).all()
    assert isinstance(images.pixels, np.memmap) and not images.pixels.flags.writeable
    assert images.pixels.flags.c_contiguous
    assert (images.name, images.credit) == ("noise", "nobody")
    assert images.labels["hair"][0] == "è" and images.labels["angle"][11] == 11.0
    assert images.held_out.sum() == 1
    assert cache.about(entry)["source"] == "test"
    # NumPy's own reader agrees that the file is a plain array.
    assert np.load(entry / "images.npy").shape == (12, 3, 8, 8)
    assert [p.name for p in entry.parent.iterdir()] == [entry.name]


def test_the_place_depends_on_every_rule_and_on_the_root(root: Path) -> None:
    places = {cache.made("x", rules) for rules in ({}, {"n": 1}, {"n": 2}, {"m": 1})}
    assert len(places) == 4 and all(root in place.parents for place in places)
    assert cache.made("x", {"a": 1, "b": 2}) == cache.made("x", {"b": 2, "a": 1})


def test_without_the_variable_the_platform_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASCULE_DATA")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "bascule"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.root() == Path.home() / ".cache" / "bascule"


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_build_leaves_nothing(root: Path, interruption: type[BaseException]) -> None:
    entry = cache.made("noise", {})
    with pytest.raises(interruption), cache.draft(entry, 8) as draft:
        draft.add(noise())
        assert list(entry.parent.iterdir()) == [draft.folder]  # hidden, beside its place
        raise interruption
    assert list(entry.parent.iterdir()) == []


def test_an_unfinished_draft_leaves_nothing(root: Path) -> None:
    entry = cache.made("noise", {})
    with cache.draft(entry, 8) as draft:
        draft.add(noise())
    assert list(entry.parent.iterdir()) == []


def test_the_first_of_two_builders_wins_and_the_other_leaves_nothing(root: Path) -> None:
    entry = cache.made("noise", {})
    together = threading.Barrier(2)

    def race(seed: int) -> None:
        together.wait()
        build(entry, noise(seed=seed))

    threads = [threading.Thread(target=race, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pixels = cache.open_entry(entry).pixels
    assert (pixels == noise(seed=1)).all() or (pixels == noise(seed=2)).all()
    assert [p.name for p in entry.parent.iterdir()] == [entry.name]
    build(entry, noise(seed=3))
    assert (cache.open_entry(entry).pixels == pixels).all()


def test_replace_takes_the_place_and_leaves_open_sets_readable(root: Path) -> None:
    entry = cache.made("noise", {})
    build(entry, noise(seed=1))
    before = cache.open_entry(entry)
    build(entry, noise(seed=2), replace=True)
    assert (cache.open_entry(entry).pixels == noise(seed=2)).all()
    assert (before.pixels == noise(seed=1)).all()
    assert [p.name for p in entry.parent.iterdir()] == [entry.name]


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_a_fault_while_replacing_keeps_the_old_set_or_the_new_one(
    monkeypatch: pytest.MonkeyPatch, at: int, fault: BaseException
) -> None:
    entry = cache.made("noise", {})
    build(entry, noise(seed=1))
    rename, calls = os.rename, iter(range(9))

    def failing(old: Path, new: Path) -> None:
        if next(calls) == at:
            raise fault
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", failing)
        with pytest.raises(type(fault)):
            build(entry, noise(seed=2), replace=True)
    cache.recover(entry)  # as the next reader does
    assert (cache.open_entry(entry).pixels == noise(seed=1)).all()
    assert [p.name for p in entry.parent.iterdir()] == [entry.name]


def test_the_only_copy_of_a_set_is_never_swept() -> None:
    entry = cache.made("noise", {})
    build(entry, noise())
    left = entry.rename(entry.parent / f"{cache.REPLACED}{entry.name}")
    os.utime(left, (0, 0))
    build(cache.made("other", {}), noise(seed=2))
    assert left.exists()
    cache.recover(entry)
    assert (cache.open_entry(entry).pixels == noise()).all()


def test_a_replaced_set_that_was_left_is_deleted_after_a_day() -> None:
    entry = cache.made("noise", {})
    build(entry, noise())
    left = entry.parent / f"{cache.REPLACED}{entry.name}"
    shutil.copytree(entry, left)
    cache.recover(entry)
    assert left.exists()
    os.utime(left, (0, 0))
    cache.recover(entry)
    assert not left.exists() and (cache.open_entry(entry).pixels == noise()).all()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(file: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    entry = cache.made("noise", {})
    with pytest.raises(UserError, match=f"{os.strerror(code)}.*BASCULE_DATA") as refusal:
        build(entry, noise())
    assert "\n" not in str(refusal.value)
    assert list(entry.parent.iterdir()) == []


def test_a_write_that_really_fails_leaves_nothing(root: Path) -> None:
    resource = pytest.importorskip("resource")
    entry = cache.made("noise", {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # no file may grow beyond
    try:
        with pytest.raises(UserError, match="BASCULE_DATA"):
            build(entry, noise(n=5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(entry.parent.iterdir()) == []


def test_other_errors_of_the_system_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenPipeError), cache.draft(cache.made("noise", {}), 8):
        raise BrokenPipeError(errno.EPIPE, "pipe")


def test_a_root_that_is_a_file_is_refused(root: Path) -> None:
    root.write_text("")
    with pytest.raises(UserError, match="BASCULE_DATA"):
        build(cache.made("noise", {}), noise())


def test_what_a_killed_builder_left_is_swept_after_a_day(root: Path) -> None:
    entry = cache.made("noise", {})
    old, young = entry.parent / ".noise-old", entry.parent / ".noise-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    build(entry, noise())
    assert not old.exists() and young.exists()


def damage(entry: Path, how: str) -> None:
    images = entry / "images.npy"
    if how == "one bit":
        stored = bytearray(images.read_bytes())
        stored[-1] ^= 1
        images.write_bytes(stored)
    elif how == "truncated":
        images.write_bytes(images.read_bytes()[:-100])
    elif how == "shape":
        np.save(images, noise(11))
    elif how == "labels":
        (entry / "labels.npz").write_bytes(b"PK\x03\x04 nonsense")
    elif how == "mask":
        np.save(entry / "held_out.npy", np.zeros(3, bool))
    elif how == "about":
        (entry / "about.json").write_text("{")
    elif how == "facts":
        (entry / "about.json").write_text("{}")
    elif how in ("format", "credit"):
        facts = json.loads((entry / "about.json").read_text())
        (entry / "about.json").write_text(json.dumps({**facts, how: 0}))
    else:
        (entry / how).unlink()


@pytest.mark.parametrize(
    "how",
    [
        *("one bit", "truncated", "shape", "labels", "mask", "about", "facts", "format"),
        "credit",
        *("images.npy", "labels.npz", "held_out.npy", "about.json"),
    ],
)
def test_a_damaged_entry_says_what_to_delete(how: str) -> None:
    entry = cache.made("noise", {})
    build(entry, noise())
    damage(entry, how)
    with pytest.raises(UserError, match="delete the folder") as refusal:
        cache.open_entry(entry)
    assert str(entry) in str(refusal.value)
