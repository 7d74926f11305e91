"""``bascule data`` from its command line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.cli.data import add
from bascule.cli.verbs import Parser
from bascule.core.errors import UserError
from bascule.data.faces import Faces


def bascule(*words: object) -> int:
    parser = Parser()
    add(parser.add_subparsers(required=True))
    args = parser.parse_args(["data", *map(str, words)])
    return args.do(args)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for k, image in enumerate(np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3))):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "pictures" / f"{k}.png")
    return tmp_path / "pictures"


def test_import_then_list_then_show(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bascule("import", folder, "--name", "mine", "--size", 16) == 0
    assert "mine at 16 px: 10 images imported, 1 of them held out" in capsys.readouterr().out
    assert bascule("list") == 0
    listed = capsys.readouterr().out
    assert "mine  imported at 16 px" in listed and "faces" in listed and "fractals" in listed
    grid = tmp_path / "grid.png"
    assert bascule("show", "mine", "--size", 16, "-o", grid) == 0
    shown = capsys.readouterr().out
    assert "mine: 10 images of 16 x 16 px, 1 held out" in shown
    assert "near duplicates: 0 images in 0 groups" in shown and str(grid) in shown
    with Image.open(grid) as picture:
        tiles = np.asarray(picture)
    assert tiles.shape == (32, 128, 3)  # two rows of eight
    with Image.open(folder / "9.png") as ninth:
        assert (tiles[16:32, 16:32] == np.asarray(ninth)).all()
    assert (tiles[16:, 32:] == 255).all()  # nothing there


def test_import_reports_what_it_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.png").write_bytes(b"")
    with pytest.raises(UserError, match="--skip-corrupt"):
        bascule("import", folder, "--name", "mine")
    assert bascule("import", folder, "--name", "mine", "--skip-corrupt") == 0
    out = capsys.readouterr().out
    assert "left out 1 of 11:" in out and "bad.png: not a picture" in out
    (folder / "1.png").unlink()
    with pytest.raises(UserError, match="--replace"):
        bascule("import", folder, "--name", "mine", "--skip-corrupt")
    assert bascule("import", folder, "--name", "mine", "--skip-corrupt", "--replace") == 0
    assert bascule("import", folder, "--name", "mine", "--skip-corrupt") == 0
    assert "9 images already imported, nothing to do" in capsys.readouterr().out


def test_show_faces_counts_their_labels_and_credits_the_artist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "faces.png"
    assert bascule("show", "faces", "--n", 20, "--size", 16, "-o", grid) == 0
    out = capsys.readouterr().out
    images = Faces(n=20, size=16).load()
    values, counts = np.unique(images.labels["facialHairVariant"], return_counts=True)
    assert f"label facialHairVariant: {values[counts.argmax()]} {counts.max()}" in out
    assert "labels with a single value: headVariant" in out
    assert "Micah Lanier" in out and images.digest in out
    with Image.open(grid) as picture:
        assert picture.size == (128, 48)
        assert "Micah Lanier" in picture.text["Copyright"]  # type: ignore[attr-defined]


def test_show_fractals_tells_the_range_of_each_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bascule("show", "fractals", "--n", 12, "--size", 16, "-o", tmp_path / "f.png") == 0
    out = capsys.readouterr().out
    assert all(f"label {name}: " in out for name in "abcd") and " to " in out


def test_show_of_an_unknown_set_or_into_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image set 'nobody'"):
        bascule("show", "nobody")
    with pytest.raises(UserError, match="cannot write the grid"):
        bascule("show", "faces", "--n", 8, "--size", 16, "-o", tmp_path / "no" / "grid.png")


def test_fetch_needs_consent() -> None:
    with pytest.raises(UserError, match=r"copyright of its owners.*--accept-licence"):
        bascule("fetch", "simpsons")


def test_a_verb_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bascule()
    assert "VERB" in capsys.readouterr().err


def test_show_leaves_nothing_in_the_current_folder(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bascule.cli import main

    (folder / "notes.txt").write_text("not a picture")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["data", "import", str(folder), "--name", "mine", "--size", "16"]) == 0
    left_out = "not images, left out: 1 file .txt (not a picture in a known format)"
    assert left_out in capsys.readouterr().out
    assert main(["--runs", "../runs", "data", "show", "mine", "--size", "16"]) == 0
    out = capsys.readouterr().out
    assert "grid: ../runs/data/mine.png" in out and left_out in out
    assert (tmp_path / "runs" / "data" / "mine.png").exists() and not list(Path().iterdir())


def test_a_dataset_and_a_folder_are_not_one_set(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text("some = [([[0, 9], [9, 0]], 0)] * 4\n")
    for one, other in (
        (folder, f"{tmp_path}/my_data.py:some"),
        (f"{tmp_path}/my_data.py:some", folder),
    ):
        with pytest.raises(UserError, match=r"pictures is no dataset: expected FILE.py:NAME"):
            bascule("import", one, "--held-out", other, "--name", "mine")


def test_import_tells_which_twins_a_given_split_separates(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test").mkdir()
    with Image.open(folder / "3.png") as third:
        third.save(tmp_path / "test" / "copy.png")
        third.rotate(90).save(tmp_path / "test" / "new.png")
    assert bascule("import", folder, "--held-out", tmp_path / "test", "--name", "mine") == 0
    told = "1 of the groups have training and held-out images"
    out = capsys.readouterr().out
    assert "12 images imported, 2 of them held out" in out and told in out
    assert bascule("show", "mine", "-o", tmp_path / "grid.png") == 0
    assert told in capsys.readouterr().out


def test_twins_are_listed_and_drawn(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, image in enumerate(np.random.default_rng(1).integers(0, 256, (50, 16, 16, 3))):
        Image.fromarray(image.astype(np.uint8)).save(folder / f"more-{k:02}.png")
    with Image.open(folder / "3.png") as third:
        third.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
        third.save(folder / "same.png")
    assert bascule("import", folder, "--name", "mine", "--size", 16) == 0
    grid = tmp_path / "twins.png"
    capsys.readouterr()
    assert bascule("twins", "mine", "--size", 16, "-o", grid) == 0
    out = capsys.readouterr().out
    assert "near duplicates: 2 images in 1 groups" in out and "by features" not in out
    assert "not found so: copies that are mirrored, grey, brighter" in out
    assert bascule("twins", "mine", "--size", 16, "--features", "-o", grid) == 0
    out = capsys.readouterr().out
    names = sorted(path.name for path in folder.iterdir())
    mirrored, third_place = names.index("mirrored.png"), names.index("3.png")
    i, j = sorted((mirrored, third_place))
    assert f"images {i} and {j}: distance 0.0" in out
    assert "a split keeps only near duplicates by pixels on one side" in out
    with Image.open(grid) as picture:
        pair = np.asarray(picture)[:16, :32]
    assert (pair[:, :16] == pair[:, 31:15:-1]).all()


def test_twins_by_features_need_some_images(folder: Path) -> None:
    bascule("import", folder, "--name", "mine", "--size", 16)
    with pytest.raises(UserError, match=r"10 different images: .* needs at least 50"):
        bascule("twins", "mine", "--size", 16, "--features")
