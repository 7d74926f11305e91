"""Labels of the user's own pictures: class folders, StyleGAN's and Hugging Face's files, arrays."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.cli import main
from bascule.core.errors import UserError
from bascule.data.imported import Imported, import_images
from bascule.data.labels import column, merged, of_folders


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))


def pictures(top: Path, *names: str) -> Path:
    for k, name in enumerate(names):
        pixels = np.random.default_rng(k).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(top / name)
    return top


def imported(path: Path, name: str = "mine", **words: object) -> dict[str, list]:
    """The labels of the set that ``path`` becomes."""
    import_images(path, name, size=16, **words)  # type: ignore[arg-type]
    return {key: values.tolist() for key, values in Imported(name, 16).load().labels.items()}


def test_class_folders_are_a_label(tmp_path):
    top = pictures(tmp_path / "in", "cat/0.png", "cat/deep/1.png", "dog/2.png")
    assert imported(top) == {"folder": ["cat", "cat", "dog"]}
    assert of_folders(["set/a/0.png", "set/b/1.png"]) == {  # as in an archive of one folder
        "folder": {"set/a/0.png": "a", "set/b/1.png": "b"}
    }


@pytest.mark.parametrize("names", [["0.png", "cat/1.png"], ["cat/0.png", "cat/1.png"], []])
def test_one_folder_or_pictures_beside_folders_are_no_classes(names):
    assert of_folders(names) == {}


def test_stylegans_file_is_read_and_null_is_no_label(tmp_path):
    top = pictures(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    (top / "dataset.json").write_text(
        json.dumps({"labels": [["b.png", 7], ["a.png", 3], ["c.png", None]]})
    )
    assert imported(top) == {"label": ["3", "7", "", ""]}


def test_every_column_of_hugging_faces_tables_is_a_label(tmp_path):
    top = pictures(tmp_path / "in", "a.png", "b.png", "more/c.png")
    (top / "metadata.csv").write_text("file_name,kind,age\na.png,big,1.5\nmore/c.png,small,\n")
    found = imported(top)
    assert found["kind"] == ["big", "", "small"]
    assert found["age"][0] == 1.5 and np.isnan(found["age"][1:]).all()

    lines = [{"file_name": "c.png", "kind": "new", "n": 2}, {"file_name": "x.png", "n": 1}]
    (top / "more" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = imported(top, "other")
    assert found["kind"] == ["big", "", "new"]  # the file in its own folder is read last
    assert found["n"] == ["", "", "2"]


def test_arrays_beside_the_images_are_labels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    np.savez(
        tmp_path / "a.npz",
        images=images,
        y=np.array([1, 0, 1, 0]),
        tilt=np.array([0.5, 1, 2, 3]),
        other=np.zeros((2, 2)),
        objects=np.array([None, 1, 2, 3], dtype=object),
    )
    assert imported(tmp_path / "a.npz") == {"y": ["1", "0", "1", "0"], "tilt": [0.5, 1, 2, 3]}


def test_an_archive_has_the_labels_of_its_folder(tmp_path):
    top = pictures(tmp_path / "in", "a/0.png", "b/1.png", "b/2.png")
    (top / "dataset.json").write_text(json.dumps({"labels": [["a/0.png", 1], ["b/1.png", 0]]}))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in top.rglob("*.*"):
            archive.write(file, Path("set") / file.relative_to(top))
    expected = {"folder": ["a", "b", "b"], "label": ["1", "0", ""]}
    assert imported(top) == imported(tmp_path / "set.zip", "zipped") == expected


def test_labels_belong_to_pictures_that_could_be_read(tmp_path):
    top = pictures(tmp_path / "in", "a/0.png", "b/1.png", "b/3.png")
    (top / "a" / "2.png").write_bytes(b"no picture")
    assert imported(top, skip_corrupt=True) == {"folder": ["a", "b", "b"]}


def test_a_given_test_set_brings_its_labels(tmp_path):
    train = pictures(tmp_path / "train", "a/0.png", "b/1.png")
    test = pictures(tmp_path / "test", "b/2.png", "c/3.png")
    assert imported(train, held_out=test) == {"folder": ["a", "b", "b", "c"]}


def test_other_labels_are_another_set(tmp_path):
    top = pictures(tmp_path / "in", "a.png", "b.png")
    import_images(top, "mine", size=16)
    (top / "metadata.csv").write_text("file_name,kind\na.png,x\nb.png,y\n")
    with pytest.raises(UserError, match="used for other content"):
        import_images(top, "mine", size=16)
    assert imported(top, replace=True) == {"kind": ["x", "y"]}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dataset.json", "{", "dataset.json: not a table of labels"),
        ("dataset.json", '{"labels": [3]}', "dataset.json: not a table of labels"),
        ("metadata.csv", "file_name,kind\na.png\n", "a row with more or fewer fields"),
        ("metadata.jsonl", '{"file_name": "a.png"}\n{"kind": 1}', "a row without file_name"),
        ("metadata.jsonl", "[1]", "metadata.jsonl: not a table of labels"),
    ],
)
def test_a_broken_table_is_refused_in_one_line(tmp_path, name, text, said):
    top = pictures(tmp_path / "in", "a.png", "b.png")
    (top / name).write_text(text)
    with pytest.raises(UserError, match=said) as refusal:
        import_images(top, "mine", size=16)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "text"), [("dataset.json", '{"name": "mine"}'), ("metadata.csv", "id,kind\n1,x,y\n")]
)
def test_a_file_of_another_kind_is_left_out_as_before(tmp_path, name, text):
    top = pictures(tmp_path / "in", "a.png", "b.png")
    (top / name).write_text(text)
    assert imported(top) == {}


def test_whole_numbers_are_categories_and_fractions_are_numbers():
    assert column([1, 2, None]).tolist() == ["1", "2", ""]
    assert column(["0.5", 1, 2]).tolist() == [0.5, 1, 2]
    assert column(["0.5", "x"]).tolist() == ["0.5", "x"]
    assert column([True, False]).tolist() == ["True", "False"]
    assert merged([{"a": {"gone.png": 1}}], ["here.png"]) == {}


def test_the_verb_tells_labels_and_what_lacks_them(tmp_path, capsys):
    top = pictures(tmp_path / "in", "a/0.png", "b/1.png", "b/2.png")
    (top / "dataset.json").write_text(json.dumps({"labels": [["a/0.png", 1], ["b/1.png", 2]]}))
    assert main(["data", "import", str(top), "--name", "mine", "--size", "16"]) == 0
    said = capsys.readouterr().out
    assert "label folder: 2 values\n" in said
    assert "label label: 2 values; 1 without" in said
