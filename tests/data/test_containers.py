"""Archives, tables and arrays, honest and hostile; written by the libraries that define them."""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.data import containers
from bascule.data.imported import Imported, import_images
from bascule.data.sources import open_source

N = 6
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), np.uint8)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tar(path: Path, entries: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def imported(path: Path, name: str = "mine") -> dict[str, list[str]]:
    """Import ``path``, check that its pictures are PIXELS in order, and return its labels."""
    import_images(path, name, 16)
    found = Imported(name, 16).load()
    assert np.array_equal(found.pixels, PIXELS.transpose(0, 3, 1, 2))
    return {label: values.tolist() for label, values in found.labels.items()}


def test_a_tar_with_class_folders(tmp_path: Path) -> None:
    entries = {f"all/{'ab'[k // 3]}/{k}.png": png(PIXELS[k]) for k in reversed(range(N))}
    path = tar(tmp_path / "x.tar", entries | {"all/read.me": b"mine"})
    assert imported(path) == {"folder": [*"aaabbb"]}


def shard(part: range) -> dict[str, bytes]:
    entries = {}
    for k in part:
        entries[f"{k:03d}.png"] = png(PIXELS[k])
        entries[f"{k:03d}.cls"] = str(k % 2).encode()
        entries[f"{k:03d}.json"] = json.dumps({"mood": "glad", "box": [1, 2]}).encode()
    return entries


def test_shards_of_webdataset_with_their_labels(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", shard(range(N)))
    expected = {"label": [*"010101"], "mood": ["glad"] * N}
    assert imported(path) == expected
    (tmp_path / "shards").mkdir()
    for k in range(2):
        tar(tmp_path / "shards" / f"{k:05d}.tar", shard(range(3 * k, 3 * k + 3)))
    assert imported(tmp_path / "shards", "shards") == expected
    tar(tmp_path / "shards" / "again.tar", shard(range(1)))
    with pytest.raises(UserError, match=r"several of its archives hold 000\.png"):
        import_images(tmp_path / "shards", "again", 16)


def test_a_tar_that_ends_too_early_or_points_outside(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", shard(range(N)))
    whole = path.read_bytes()
    for cut in (1024 * 2, 5000, len(whole) - 10240 + 512):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"not a readable archive: (unexp|it has no)"):
            import_images(path, "mine", 16)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a readable archive"), open_source(path):
        pass
    for name in ("../a.png", "/etc/a.png", "x/../../a.png"):
        tar(path, {name: png(PIXELS[0])})
        with pytest.raises(UserError, match="points outside"), open_source(path):
            pass


def test_links_in_a_tar_are_never_followed(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", {f"{k}.png": png(PIXELS[k]) for k in range(N)})
    (tmp_path / "secret.png").write_bytes(png(PIXELS[0]))
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.png")
        archive.addfile(link)
    assert imported(path) == {}


def test_a_parquet_as_hugging_face_writes_it(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = {
        "image": [{"bytes": png(PIXELS[k]), "path": f"{k}.png"} for k in range(N)],
        "label": [k % 2 for k in range(N)],
        "age": [k + 0.5 for k in range(N)],
    }
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table(rows).replace_schema_metadata(about)
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    found = imported(tmp_path / "x.parquet")
    assert found == {"label": ["cat", "dog"] * 3, "age": [k + 0.5 for k in range(N)]}
    (tmp_path / "shards").mkdir()
    for k in range(2):
        parquet.write_table(table[3 * k : 3 * k + 3], tmp_path / "shards" / f"{k}.parquet")
    (tmp_path / "shards" / "README.md").write_text("mine")
    assert imported(tmp_path / "shards", "shards") == found


def test_a_parquet_without_pictures_and_a_broken_one(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"text": ["a", "b"]}), path)
    with pytest.raises(UserError, match=r"called image or img, .*; it has: text"):
        import_images(path, "mine", 16)
    parquet.write_table(pa.table({"left": [b"a"], "right": [b"b"]}), path)
    with pytest.raises(UserError, match="it has: left, right"):
        import_images(path, "mine", 16)
    parquet.write_table(pa.table({"image": [png(PIXELS[0]), None, b"bad"]}), path)
    with pytest.raises(UserError, match=r"2 of 3 images .*x\[1\]: the row holds no picture"):
        import_images(path, "mine", 16)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="not a readable parquet file"):
        import_images(path, "mine", 16)


def test_an_lmdb_is_told_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "data.mdb").write_bytes(b"")
    with pytest.raises(UserError, match="x is an LMDB: write its values"):
        import_images(tmp_path / "x", "mine", 16)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r'pip install "bascule\[formats\]"'):
        import_images(tmp_path / "x.parquet", "mine", 16)


def test_an_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", PIXELS)
    assert imported(tmp_path / "x.npy") == {}
    np.save(tmp_path / "x.npy", PIXELS.astype(float))
    with pytest.raises(UserError, match=r"float64 \(6, 16, 16, 3\); expected uint8"):
        import_images(tmp_path / "x.npy", "again", 16)
    np.save(tmp_path / "x.npy", np.array([print], object))
    with pytest.raises(UserError, match="not a readable array"):
        import_images(tmp_path / "x.npy", "again", 16)
    np.save(tmp_path / "x.npy", PIXELS)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable array"):
        import_images(tmp_path / "x.npy", "again", 16)


@pytest.mark.parametrize("suffix", containers.CONVERTERS)
def test_other_kinds_name_what_they_need(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"import (the|that)"), open_source(path, single=True):
        pass


def test_more_than_is_read_is_refused_before_it_is_read(tmp_path: Path, monkeypatch) -> None:
    for name in ("MOST_FILE_BYTES", "MOST_ENTRIES"):
        monkeypatch.setattr(containers, name, 4)
    path = tar(tmp_path / "x.tar", {f"{k}.png": png(PIXELS[k]) for k in range(4)})
    with pytest.raises(UserError, match="at most 4 are read"):
        import_images(path, "mine", 16)
    tar(path, {f"{k}.png": png(PIXELS[k]) for k in range(5)})
    with pytest.raises(UserError, match="more than 4 files"):
        import_images(path, "mine", 16)


@pytest.mark.parametrize("suffix", [".tar", ".parquet", ".npy"])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".tar":
        tar(path, shard(range(N)))
    elif suffix == ".npy":
        np.save(path, PIXELS)
    else:
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = {"image": [png(each) for each in PIXELS], "label": [*range(N)]}
        parquet.write_table(pa.table(rows), path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for k in range(60):
        damaged = bytearray(whole[: rng.integers(len(whole)) if k % 3 == 0 else None])
        for _ in range(4):
            damaged[rng.integers(min(len(damaged), 600))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            import_images(path, f"x{k}", 16)
        except UserError:
            refused += 1
    assert refused > 20
