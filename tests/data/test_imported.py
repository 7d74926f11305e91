"""Importing: what is kept, what is refused, and in one clear line."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.core.shapes import square
from bascule.data import cache, imported
from bascule.data.imported import Imported, import_dataset, import_images, imported_sets, told


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


def noise(n: int = 12, seed: int = 0, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of noise, 16 px, of which 5 is a copy of 2; in two folders and formats."""
    images = noise()
    images[5] = images[2]
    (tmp_path / "pictures" / "more").mkdir(parents=True)
    for k, image in enumerate(images):
        name = f"{k:02d}.png" if k < 6 else f"more/{k:02d}.webp"
        Image.fromarray(image).save(tmp_path / "pictures" / name, lossless=True)
    return tmp_path / "pictures"


def kept(root: Path) -> list[str]:
    """Everything under the root, hidden folders included."""
    if not root.exists():
        return []
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def refused(root: Path, path: Path, message: str, name: str = "mine", **options: object) -> None:
    before = kept(root)
    with pytest.raises(UserError, match=message) as refusal:
        import_images(path, name, size=16, **options)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
    assert kept(root) == before


def test_a_folder_becomes_a_set_with_its_twins_on_one_side(folder: Path) -> None:
    heard: list[tuple[int, int]] = []
    report = import_images(
        folder, "mine", size=16, credit="me", progress=lambda done, n: heard.append((done, n))
    )
    images = Imported("mine", 16).load()
    expected = noise().transpose(0, 3, 1, 2)
    expected[5] = expected[2]
    assert (images.pixels == expected).all()
    assert (images.name, images.credit, images.labels) == ("mine", "me", {})
    assert report.near_duplicates == [[2, 5]]
    assert images.held_out[2] == images.held_out[5]
    assert (report.found, report.imported, report.corrupt, report.reused) == (12, 12, [], False)
    assert report.held_out == images.held_out.sum() == 1
    assert heard[-1] == (12, 12) and report.seconds > 0
    assert imported_sets() == {"mine": [square(16)]}


def test_folder_archive_and_array_give_the_same_set(folder: Path, tmp_path: Path) -> None:
    import_images(folder, "folder", size=16)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    import_images(tmp_path / "a.zip", "archive", size=16)
    images = Imported("folder", 16).load()
    np.savez_compressed(tmp_path / "a.npz", images=images.pixels.transpose(0, 2, 3, 1))
    import_images(tmp_path / "a.npz", "array", size=16)
    assert images.digest == Imported("archive", 16).load().digest
    assert images.digest == Imported("array", 16).load().digest


def test_the_same_content_again_is_reused_and_other_content_needs_replace(
    folder: Path, root: Path
) -> None:
    import_images(folder, "mine", size=16)
    import_images(folder, "mine", size=8)
    stamp = (root / "imported" / "mine" / "16" / "images.npy").stat().st_mtime_ns
    assert import_images(folder, "mine", size=16).reused
    assert import_images(folder, "mine", size=16, replace=True).reused
    assert (root / "imported" / "mine" / "16" / "images.npy").stat().st_mtime_ns == stamp
    (folder / "00.png").unlink()
    refused(root, folder, "used for other content .12 images.*--replace")
    assert not import_images(folder, "mine", size=16, replace=True).reused
    assert len(Imported("mine", 16).load()) == 11
    assert imported_sets() == {"mine": [square(16)]}  # size 8 was of the old content


def test_corrupt_images_are_listed_and_refused_unless_skipped(folder: Path, root: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    whole = (folder / "01.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    (folder / "gone.png").symlink_to("nowhere")
    refused(root, folder, "4 of 16 images .*bad.png: not a picture.*1 more.*--skip-corrupt")
    report = import_images(folder, "mine", size=16, skip_corrupt=True)
    assert (report.found, report.imported) == (16, 12)
    reasons = dict(report.corrupt)
    assert list(reasons) == ["bad.png", "cut.png", "dot.png", "gone.png"]
    assert "truncated" in reasons["cut.png"] and "1 x 1" in reasons["dot.png"]
    assert reasons["gone.png"] == "No such file or directory"


def test_folders_with_too_little_are_refused(tmp_path: Path, root: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(root, tmp_path / "nowhere", "no such file or folder")
    refused(root, empty, "no images in")
    (empty / "notes.txt").write_text("none here")
    refused(root, empty, "no images in")
    Image.fromarray(noise()[0]).save(empty / "a.png")
    refused(root, empty, "only one image in")
    (empty / "b.png").write_bytes(b"")
    refused(root, empty, "1 usable images .*at least 2", skip_corrupt=True)
    (empty / "b.png").write_bytes((empty / "a.png").read_bytes())
    refused(root, empty, "all 2 images are near duplicates")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n%%EOF\n"


def test_every_raster_format_is_known_by_its_content(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    names = {
        "PNG": "a", "JPEG": "b.jfif", "TIFF": "c.tiff", "WEBP": "d.webp", "BMP": "e.dat",
        "GIF": "f.gif", "PPM": "g.pnm", "JPEG2000": "h.jp2", "ICO": "i.ico", "AVIF": "j.avif",
        "SGI": "k.rgb", "DDS": "l.dds",
    }  # fmt: skip
    Image.init()
    able = [name for name in names if name in Image.SAVE]
    assert len(able) >= 11
    for image, name in zip(noise(len(able)), able, strict=True):
        Image.fromarray(image).save(mixed / names[name], name)
    report = import_images(mixed, "mine", size=16)
    assert (report.found, report.imported, report.left_out) == (len(able), len(able), [])


def test_what_is_no_picture_is_counted_by_kind_and_recorded(folder: Path, root: Path) -> None:
    (folder / "notes.txt").write_text("of mine")
    (folder / "more" / "index.TXT").write_text("of mine, too")
    (folder / "drawing.eps").write_bytes(EPS)
    (folder / "faces.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    (folder / "README").write_text("")
    (folder / ".DS_Store").write_bytes(b"hidden")
    report = import_images(folder, "mine", size=16)
    assert (report.found, report.imported, report.corrupt) == (12, 12, [])
    counted = {(kind, n) for kind, _, n in report.left_out}
    assert counted == {(".txt", 2), (".eps", 1), (".zip", 1), ("without a suffix", 1)}
    assert "PostScript" in told(report.left_out) and "an archive" in told(report.left_out)
    about = cache.about(root / "imported" / "mine" / "16")
    assert [tuple(each) for each in about["left_out"]] == report.left_out


def test_where_nothing_can_be_read_the_kinds_are_listed(tmp_path: Path, root: Path) -> None:
    (tmp_path / "x").mkdir()
    for k in range(3):
        (tmp_path / "x" / f"{k}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    refused(root, tmp_path / "x", r"no images in .*: 3 files \.heic \(not decoded: HEIC or a film")


def test_postscript_starts_no_program_whatever_its_name(
    folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started"))
    (folder / "drawn.png").write_bytes(EPS)
    refused(root, folder, r"drawn\.png: not a picture but PostScript")
    (folder / "drawn.png").rename(folder / "drawn")
    assert import_images(folder, "mine", size=16).imported == 12


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", ".a", "-a", "a.b", "é", "a" * 65])
def test_names_that_are_no_slug_are_refused(folder: Path, root: Path, name: str) -> None:
    refused(root, folder, "expected letters", name=name)


@pytest.mark.parametrize("name", ["faces", "Fractals"])
def test_names_of_built_in_sets_are_refused(folder: Path, root: Path, name: str) -> None:
    refused(root, folder, "built-in", name=name)


@pytest.mark.parametrize("size", [0, 7, 2000])
def test_impossible_sizes_are_refused(folder: Path, size: int) -> None:
    with pytest.raises(UserError, match="expected 8 to 1024"):
        import_images(folder, "mine", size=size)


def test_an_interrupted_import_leaves_nothing(folder: Path, root: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_images(folder, "mine", size=16, progress=stop)
    assert kept(root) == [] and imported_sets() == {}


def test_what_is_not_imported_says_what_is_and_how(folder: Path) -> None:
    with pytest.raises(UserError, match=r"imported: none yet.*bascule data import"):
        Imported("mine").load()
    import_images(folder, "mine", size=16)
    with pytest.raises(UserError, match=r"at 16 px, not at 64 px.*--size 64"):
        Imported("mine").load()
    with pytest.raises(UserError, match="no image set 'yours'; imported: mine"):
        Imported("yours").load()


def test_a_damaged_set_says_what_to_delete(folder: Path) -> None:
    import_images(folder, "mine", size=16)
    entry = cache.root() / "imported" / "mine" / "16"
    (entry / "images.npy").unlink()
    with pytest.raises(UserError, match="delete the folder"):
        Imported("mine", 16).load()


def test_a_given_test_set_is_what_is_held_out(folder: Path, tmp_path: Path) -> None:
    """Near duplicates do not move it: image 5 is a copy of image 2 and stays where it is."""
    (tmp_path / "test").mkdir()
    for k in (5, 6):
        file = next(folder.rglob(f"{k:02d}.*"))
        file.rename(tmp_path / "test" / file.name)
    report = import_images(folder, "mine", size=16, held_out=tmp_path / "test")
    images = Imported("mine", 16).load()
    assert images.held_out.tolist() == 10 * [False] + 2 * [True]
    assert (images.pixels[10] == images.pixels[2]).all()
    assert (report.found, report.imported, report.held_out, report.across) == (12, 12, 2, 1)
    assert import_images(folder, "mine", size=16, held_out=tmp_path / "test").reused
    with pytest.raises(UserError, match="used for other content"):
        import_images(folder, "mine", size=16)


def test_of_a_test_set_no_picture_may_be_lost(folder: Path, tmp_path: Path, root: Path) -> None:
    (tmp_path / "test").mkdir()
    refused(root, folder, "0 usable images in .*test", held_out=tmp_path / "test")
    Image.fromarray(noise()[0]).save(tmp_path / "test" / "a.png")
    (tmp_path / "test" / "bad.png").write_bytes(b"no picture")
    refused(root, folder, "1 of 2 images in .*test.*bad.png", held_out=tmp_path / "test")


def pairs(n: int, seed: int, side: int = 16) -> list[tuple[Image.Image, int]]:
    return [(Image.fromarray(picture), k % 3) for k, picture in enumerate(noise(n, seed, side))]


def test_a_dataset_is_kept_with_its_labels_and_its_split() -> None:
    report = import_dataset(pairs(9, 0), "mine", size=16, held_out=lambda: pairs(4, 1))
    images = Imported("mine", 16).load()
    expected = np.concatenate([noise(9, 0), noise(4, 1)]).transpose(0, 3, 1, 2)
    assert (images.pixels == expected).all()
    assert images.labels["label"].tolist() == [str(k % 3) for k in (*range(9), *range(4))]
    assert images.held_out.tolist() == 9 * [False] + 4 * [True]
    assert (report.found, report.held_out, report.across, report.reused) == (13, 4, 0, False)
    assert import_dataset(pairs(9, 0), "mine", size=16, held_out=pairs(4, 1)).reused
    others = [(picture, 0) for picture, _ in pairs(9, 0)]
    with pytest.raises(UserError, match="used for other content"):
        import_dataset(others, "mine", size=16, held_out=pairs(4, 1))


def test_a_dataset_without_a_test_set_is_split_and_resized_as_files_are(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for k, (picture, _) in enumerate(pairs(12, 0, 20)):
        picture.save(tmp_path / "pictures" / f"{k:02d}.png")
    import_images(tmp_path / "pictures", "files", size=16)
    import_dataset(pairs(12, 0, 20), "items", size=16)
    files, items = Imported("files", 16).load(), Imported("items", 16).load()
    assert items.digest == files.digest and (items.held_out == files.held_out).all()


@pytest.mark.parametrize(
    ("name", "size", "of", "said"),
    [
        ("faces", 16, pairs(9, 0), "built-in"),
        ("mine", 4, pairs(9, 0), "expected 8 to 1024"),
        ("mine", 16, lambda: 3, "expected an object with __len__"),
    ],
)
def test_datasets_that_are_no_set_are_refused(root, name, size, of, said) -> None:
    with pytest.raises(UserError, match=said):
        import_dataset(of, name, size=size)
    assert kept(root) == []


def test_of_two_imports_at_once_the_second_says_that_it_was_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "others").mkdir()
    for k, image in enumerate(noise(seed=9)):
        Image.fromarray(image).save(tmp_path / "others" / f"{k}.png")

    def looked(*given: object) -> bool:
        """The name is free when the first one looks; then the other one takes it."""
        monkeypatch.undo()
        monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))
        import_images(tmp_path / "others", "mine", size=16)
        return True

    monkeypatch.setattr(imported, "_is_new", looked)
    with pytest.raises(UserError, match="another import made the set 'mine'"):
        import_images(folder, "mine", size=16)
    expected = noise(seed=9).transpose(0, 3, 1, 2)
    kept = {image.tobytes() for image in Imported("mine", 16).load().pixels}
    assert kept == {image.tobytes() for image in expected}


def test_of_dark_pictures_of_16_bits_the_range_is_asked(bascule, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    rng = np.random.default_rng(0)
    for k in range(4):
        pixels = rng.integers(0, 4096, (16, 16), dtype=np.uint16)
        pixels[0, 0] = 4095
        Image.fromarray(pixels).save(tmp_path / "deep" / f"{k}.png")
    words = ("data", "import", str(tmp_path / "deep"), "--name", "deep", "--size", "16")
    code, _, err = bascule(*words)
    assert (
        code == 2
        and "is 4,095 of 65,535" in err
        and "--bits 12 if their numbers have 12 bits" in err
    )
    assert bascule(*words, "--bits", "12")[0] == 0
    assert Imported("deep", 16).load().pixels.max() == 255
