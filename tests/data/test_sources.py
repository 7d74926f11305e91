"""Folders, archives and array files, honest and hostile."""

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.data import sources
from bascule.data.decoding import NotAPicture, decode
from bascule.data.sources import open_source


def names(path: Path) -> list[str]:
    with open_source(path) as found:
        return [picture.name for picture in found]


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_folder_is_searched_to_any_depth_in_order(tmp_path: Path) -> None:
    hidden = (".hidden.png", ".thumbs/a.png", "__MACOSX/x.png")
    for name in ("b.png", "a/z/c.JPG", "a/d.webp", "notes.txt", *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert names(tmp_path) == ["a/d.webp", "a/z/c.JPG", "b.png", "notes.txt"]
    with open_source(tmp_path) as found:
        assert [picture.read() for picture in found[:3]] == [b"a/d.webp", b"a/z/c.JPG", b"b.png"]
        with pytest.raises(NotAPicture):
            found[3].read()


def test_links_are_followed_but_never_round_in_circles(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"a")
    (tmp_path / "elsewhere" / "b.png").write_bytes(b"b")
    (tmp_path / "in" / "deep" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "in") == ["a.png", "other/b.png", "self"]


def test_what_is_no_regular_file_is_an_error_not_a_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with open_source(tmp_path) as (loop, pipe):
        with pytest.raises(OSError):
            loop.read()
        with pytest.raises(ValueError, match="not a regular file"):
            pipe.read()


def test_an_enormous_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"x" * 11)
    with open_source(tmp_path) as (picture,), pytest.raises(ValueError, match="11 bytes"):
        picture.read()


def test_an_archive_gives_its_pictures_and_leaves_nested_archives_shut(tmp_path: Path) -> None:
    nested = zipped(tmp_path / "nested.zip", {"c.png": b"c"}).read_bytes()
    entries = {"d/b.png": b"b", "a.jpg": b"a", "nested.zip": nested, "__MACOSX/._a.jpg": b"m"}
    path = zipped(tmp_path / "a.ZIP", entries)
    assert names(path) == ["a.jpg", "d/b.png", "nested.zip"]
    with open_source(path) as found:
        assert [picture.read() for picture in found[:2]] == [b"a", b"b"]
        with pytest.raises(NotAPicture, match="an archive; import it by itself"):
            found[2].prepared(lambda stored: decode(stored, 8))


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/a.png", "C:\\a.png", "..\\a.png"])
def test_an_archive_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {"ok.png": b"", name: b"x"})
    with pytest.raises(UserError, match="points outside the archive"):
        names(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"a"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag bits of both headers
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="encrypted: unpack it first"):
        names(path)


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": bytes(20 * 2**20)})
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="zip bomb"):
        names(path)


def test_totals_and_counts_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x" * 60, "b.png": b"x" * 60})
    monkeypatch.setattr(sources, "MOST_TOTAL_BYTES", 100)
    with pytest.raises(UserError, match="unpacks to 120 bytes"):
        names(path)
    monkeypatch.setattr(sources, "MOST_ENTRIES", 1)
    with pytest.raises(UserError, match="2 files in it"):
        names(path)


def test_a_bomb_that_lies_gives_no_more_than_it_declared(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": bytes(5 * 2**20)})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 100)  # "100 bytes when unpacked"
    path.write_bytes(data)
    with open_source(path) as (picture,):
        try:
            assert len(picture.read()) <= 100
        except ValueError as error:
            assert "CRC" in str(error)


@pytest.mark.parametrize("suffix", [".zip", ".npz"])
def test_what_is_no_archive_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"not an archive")
    with pytest.raises(UserError, match="not a readable archive"):
        names(path)


def test_a_broken_entry_is_an_error_of_that_picture(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x" * 50, "b.png": b"y" * 50}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"x" * 50, b"x" * 49 + b"!"))
    with open_source(path) as (first, second):
        with pytest.raises(ValueError, match="CRC"):
            first.read()
        assert second.read() == b"y" * 50


@pytest.mark.parametrize("shape", [(3, 9, 9), (3, 9, 9, 1), (3, 9, 9, 3), (3, 9, 9, 4)])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_image_by_image(tmp_path: Path, shape: tuple, save: object) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save(tmp_path / "a.npz", whatever=images)  # type: ignore[operator]
    with open_source(tmp_path / "a.npz") as found:
        assert [picture.name for picture in found] == [f"whatever[{i}]" for i in range(3)]
        assert all((picture.read() == images[i]).all() for i, picture in enumerate(found))


def test_the_array_called_images_is_the_one(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(2))
    assert names(tmp_path / "a.npz") == ["images[0]", "images[1]", "labels.npy"]
    with open_source(tmp_path / "a.npz") as found, pytest.raises(NotAPicture, match="beside"):
        found[2].prepared(lambda stored: stored)
    np.savez(tmp_path / "b.npz", x=images, y=images)
    with pytest.raises(UserError, match="it holds: x, y"):
        names(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz")
    with pytest.raises(UserError, match=r"it holds: none|not a readable archive"):
        names(tmp_path / "c.npz")


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 8, 8, 3)), np.zeros((2, 3, 8, 8), np.uint8), np.zeros((8, 8), np.uint8)],
    ids=["float", "channels first", "one image"],
)
def test_arrays_of_another_kind_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", images=array)
    with pytest.raises(UserError, match="expected uint8"):
        names(tmp_path / "a.npz")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    np.savez(tmp_path / "a.npz", images=np.array([Trap(), Trap()], dtype=object))
    with pytest.raises(UserError, match="expected uint8"):
        names(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_header_that_lies_is_refused_before_loading(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 4000, 4000, 3)}
    )
    path = zipped(tmp_path / "a.npz", {"images.npy": file.getvalue() + bytes(1000)})
    with pytest.raises(UserError, match="declares 48,000,000,000,000 bytes"):
        names(path)
    path = zipped(tmp_path / "b.npz", {"images.npy": b"\x93NUMPY\x01\x00\xff"})
    with pytest.raises(UserError, match="not a readable array"):
        names(path)


def test_other_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        names(tmp_path / "nowhere")
    for name, message in (("a.png", "is a single image"), ("a.doc", "expected a folder")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(UserError, match=message):
            names(tmp_path / name)
    for name in ("a.zip", "b.npz", "c"):  # opening it would wait for ever
        os.mkfifo(tmp_path / name)
        with pytest.raises(UserError, match="not a regular file but a pipe"):
            names(tmp_path / name)


def test_one_picture_is_a_source_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(picture("PNG"))
    with open_source(tmp_path / "a", single=True) as (found,):
        assert found.name == "a" and decode(found.read(), 8).shape == (3, 8, 8)


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, format)
    return file.getvalue()


def test_what_was_never_to_be_a_picture_is_told_from_a_broken_one(tmp_path: Path) -> None:
    """By name, or by content: a picture without a suffix is one, and one cut short is broken."""
    cut = picture("PNG")[:-24]
    contents = {"whole": picture("PNG"), "cut": cut, "a.png": b"text", "b.txt": b"text"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    told = {}
    with open_source(tmp_path) as found:
        for each in found:
            try:
                each.prepared(lambda stored: decode(stored, 8))
            except ValueError as error:
                told[each.name] = type(error)
    assert told == {
        "cut": ValueError,
        "a.png": ValueError,
        "b.txt": NotAPicture,
        "film.mp4": NotAPicture,
    }


def test_a_long_film_is_known_by_its_first_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "read_bytes", lambda *_: pytest.fail("read whole"))
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    with open_source(tmp_path) as (film,), pytest.raises(NotAPicture, match="a film"):
        film.read()
