"""What people really bring and do, in one table: the input, the command, the outcome, the words.

A row is a kind of situation from the trackers of GAN tools. Its input is made here; the command
runs in this process. Refusals are one line and exit code 2. Each part has tests of its own, with
more cases; `benchmarks/bad_input.py` and `benchmarks/interrupted.py` are the slower part.
"""

import io
import json
import shlex
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.cli import main
from bascule.data.imported import Imported

NET = "'model=DCGAN(width=4,z_dim=8,size=32)'"
TRAIN = f"train dcgan64-tiny --set epochs=1 batch=8 threads=1 device=cpu precision=fp32 {NET}"
FACES = "'data=Faces(n=40,size=32)'"
QUICK = "--extractor pixels --no-attributes"


def pixels(n: int, seed: int = 0, shape: tuple[int, ...] = (32, 32, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def folder(
    name: str,
    n: int = 10,
    suffix: str = ".png",
    kind: str = "",
    shape: tuple[int, ...] = (32, 32, 3),
    seed: int = 0,
) -> None:
    """A folder of noise. ``kind``: the format, where the suffix does not say it."""
    Path(name).mkdir(parents=True, exist_ok=True)
    for k, picture in enumerate(pixels(n, seed, shape)):
        Image.fromarray(picture).save(Path(name, f"{k:02d}{suffix}"), kind or None)


def beside(name: str, content: bytes) -> Callable[[], None]:
    """A folder of ten PNGs, and another file."""

    def make() -> None:
        folder("mine")
        Path("mine", name).write_bytes(content)

    return make


def deep(top: int) -> Callable[[], None]:
    """Pictures of 16 bits whose numbers end below ``top``."""

    def make() -> None:
        Path("mine").mkdir()
        for k in range(6):
            numbers = np.random.default_rng(k).integers(0, top, (32, 32)).astype(np.uint16)
            Image.fromarray(numbers).save(f"mine/{k}.png")

    return make


def two_folders(n: int = 60, size: int = 32) -> Callable[[], None]:
    def make() -> None:
        folder("fakes", n, seed=1, shape=(size, size, 3))
        folder("reals", n, seed=2)

    return make


def text(name: str, content: str) -> Callable[[], None]:
    return lambda: Path(name).write_text(content) and None  # type: ignore[func-returns-value]


def both(*steps: Callable[[], object]) -> Callable[[], None]:
    def make() -> None:
        for step in steps:
            step()

    return make


def done(words: str) -> Callable[[], None]:
    """A command that must work."""

    def make() -> None:
        assert main(shlex.split(words)) == 0

    return make


def in_run(name: str, change: Callable[[Path], object]) -> Callable[[], None]:
    """Change the file of the run that fits ``name``."""

    def make() -> None:
        (file,) = Path("runs").glob(f"*/{name}")
        change(file)

    return make


def flipped(file: Path) -> None:
    """One bit in the middle of the weights."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Callable[[], None]:
    def make() -> None:
        with zipfile.ZipFile("x.zip", "w", method) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)

    return make


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(1, seed)[0]).save(file, "PNG")
    return file.getvalue()


def tarred(names: list[str]) -> Callable[[], None]:
    def make() -> None:
        with tarfile.open("x.tar", "w") as archive:
            for k, name in enumerate(names):
                entry = tarfile.TarInfo(name)
                entry.size = len(png(k))
                archive.addfile(entry, io.BytesIO(png(k)))

    return make


def huge_header() -> None:
    """A PNG that declares 60,000 x 60,000 pixels."""
    import struct
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        sums = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", sums)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    folder("mine")
    Path("mine/huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IEND", b""))


def class_folders() -> None:
    for name, seed in (("cats", 1), ("dogs", 2)):
        folder(f"mine/{name}", 12, seed=seed)


def arrays() -> None:
    np.savez("x.npz", images=pixels(12), mood=np.arange(12) % 3)


def dataset(name: str = "MySet") -> Callable[[], None]:
    return text(
        "my_data.py",
        "import numpy as np\n"
        f"class {name}:\n"
        "    def __len__(self): return 20\n"
        "    def __getitem__(self, k):\n"
        "        rng = np.random.default_rng(k)\n"
        "        return rng.integers(0, 256, (3, 32, 32)).astype(np.uint8), k % 2\n",
    )


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
DICOM = bytes(128) + b"DICM" + bytes(50)
IMPORT = "data import mine --name mine --size 32"


@dataclass(frozen=True)
class Situation:
    """``item``: of the list of everyday work. ``run``: in a store with a run called first."""

    item: int
    what: str
    make: Callable[[], object]
    words: str
    code: int
    said: str
    run: bool = False
    then: Callable[[], bool] | None = None


def kept(n: int, name: str = "mine") -> Callable[[], bool]:
    """Whether the set has ``n`` images."""
    return lambda: len(Imported(name, 32).load()) == n


def nothing() -> None:
    pass


S = Situation
SITUATIONS = [
    # small sets
    S(1, "50 pictures", lambda: folder("mine", 50), f"{IMPORT}", 0, "50 images imported, 5 of"),
    S(1, "one picture", lambda: folder("mine", 1), IMPORT, 2, "only one image in mine"),
    S(1, "an empty folder", lambda: Path("mine").mkdir(), IMPORT, 2, "no images in mine"),
    S(
        1,
        "copies of one picture",
        lambda: [Image.new("RGB", (32, 32)).save(f"{Path.cwd()}/{k}.png") for k in range(4)],
        "data import . --name mine",
        2,
        "nothing can be held out",
    ),
    S(
        1,
        "fewer pictures than a batch",
        both(lambda: folder("mine", 6), done(IMPORT)),
        f"{TRAIN} --data mine",
        2,
        "fewer than one batch of 8",
    ),
    S(
        1,
        "what few pictures cannot tell is said before training",
        both(lambda: folder("mine", 40), done(IMPORT)),
        f"{TRAIN} --data mine",
        0,
        "mine is a small set: these will be left out",
    ),
    S(1, "two fakes", two_folders(2), f"evaluate fakes --data reals {QUICK}", 2, "nothing can be"),
    # sizes of what is compared
    S(
        2,
        "fakes of another size",
        both(two_folders(size=48), done("data import reals --name r --size 32")),
        f"evaluate fakes --data r {QUICK}",
        2,
        "--prepare 32 prepares them alike",
    ),
    S(
        2,
        "both prepared alike",
        both(two_folders(size=48), done("data import reals --name r --size 32")),
        f"evaluate fakes --data r --prepare 32 {QUICK} -o out",
        0,
        "prepared like the images",
    ),
    S(
        2,
        "a folder against a folder",
        two_folders(),
        f"evaluate fakes --data reals {QUICK} -o out",
        0,
        "KID[pixels",
    ),
    S(2, "a run needs no --prepare", nothing, "evaluate first --prepare 32", 2, "is a run", True),
    # no picture is dropped in silence
    *(
        S(
            3,
            f"pictures called {suffix or 'nothing'}",
            lambda suffix=suffix, kind=kind: folder("mine", 10, suffix, kind),
            IMPORT,
            0,
            "10 images imported",
        )
        for suffix, kind in (
            (".tiff", "TIFF"),
            (".jfif", "JPEG"),
            ("", "PNG"),
            (".bmp", "BMP"),
            (".gif", "GIF"),
            (".jp2", "JPEG2000"),
            (".dat", "WEBP"),
        )
    ),
    S(3, "HEIC", beside("a.heic", HEIC), IMPORT, 0, "1 file .heic (not decoded: HEIC"),
    S(3, "DICOM", beside("a.dcm", DICOM), IMPORT, 0, "1 file .dcm (not a picture"),
    S(3, "a zip in a folder", beside("a.zip", b"PK\x03\x04"), IMPORT, 0, "import it by itself"),
    S(3, "SVG", beside("a.svg", b"<svg/>"), IMPORT, 0, "export it as PNG first"),
    S(3, "EPS", beside("a.eps", EPS), IMPORT, 0, "PostScript, which only another program"),
    S(
        3,
        "EPS that is called PNG",
        beside("a.png", EPS),
        IMPORT,
        2,
        "a.png: not a picture but Post",
    ),
    S(3, "a text beside", beside("read.me", b"mine"), IMPORT, 0, "1 file .me (not a picture"),
    S(
        3,
        "a picture that is cut",
        both(lambda: folder("mine"), lambda: cut(Path("mine/03.png"))),
        IMPORT,
        2,
        "To leave them out: --skip-corrupt",
    ),
    # bits
    S(
        4,
        "12 bits in files of 16",
        deep(4096),
        IMPORT,
        2,
        "--bits 12 if their numbers have 12 bits",
    ),
    S(4, "12 bits, said so", deep(4096), f"{IMPORT} --bits 12", 0, "6 images imported"),
    S(4, "16 bits", deep(65536), IMPORT, 0, "6 images imported"),
    # words for mistakes
    S(7, "a missing folder", nothing, "evaluate no/such --data faces", 2, "no such folder"),
    S(7, "an unknown run", nothing, "evaluate nothing", 2, "unknown run"),
    S(7, "a file that exits", text("q.py", "raise SystemExit(3)"), "run q.py", 2, "q.py"),
    S(7, "a file that exits with 0", text("q.py", "import sys; sys.exit()"), "run q.py", 2, "q.py"),
    S(7, "a file with an error", text("q.py", "1 / 0"), "run q.py", 2, "ZeroDivisionError"),
    S(7, "a preset's typing error", nothing, "train dcgan64-tinny", 2, "did you mean dcgan64-tiny"),
    # numbers beyond reason
    S(8, "10^8 threads", nothing, "train dcgan64-tiny --set threads=100000000", 2, "threads"),
    S(8, "10^26 epochs", nothing, f"train dcgan64-tiny --set epochs=1{'0' * 26}", 2, "epochs"),
    S(8, "no epochs", nothing, "train dcgan64-tiny --set epochs=-1", 2, "epochs"),
    S(8, "a rate that is no number", nothing, "train dcgan64-tiny --set lr_G=nan", 2, "lr_G"),
    S(8, "a seed beyond 64 bits", nothing, f"train dcgan64-tiny --set seed=1{'0' * 30}", 2, "seed"),
    S(8, "10^10 pixels a side", nothing, f"{IMPORT[:-2]}10000000000", 2, "10000000000"),
    S(8, "10^10 fakes", nothing, "generate first -n 10000000000", 2, "10000000000", True),
    # nothing is lost
    S(
        9,
        "a replacement that fails",
        both(lambda: folder("mine"), done(IMPORT), lambda: cut(Path("mine/03.png"))),
        f"{IMPORT} --replace",
        2,
        "--skip-corrupt",
        then=kept(10),
    ),
    S(
        9,
        "a name that is taken",
        both(lambda: folder("mine"), done(IMPORT), lambda: folder("mine", 12, seed=3)),
        IMPORT,
        2,
        "used for other content",
        then=kept(10),
    ),
    S(
        9,
        "a replacement",
        both(lambda: folder("mine"), done(IMPORT), lambda: folder("mine", 12, seed=3)),
        f"{IMPORT} --replace",
        0,
        "12 images imported",
        then=kept(12),
    ),
    S(
        9,
        "the same again",
        both(lambda: folder("mine"), done(IMPORT)),
        IMPORT,
        0,
        "already imported",
    ),
    # damaged folders of runs
    S(
        10,
        "run.json is missing",
        in_run("run.json", Path.unlink),
        "evaluate first",
        2,
        "run.json",
        True,
    ),
    S(
        10,
        "run.json is empty",
        in_run("run.json", lambda file: file.write_text("")),
        "evaluate first",
        2,
        "run.json",
        True,
    ),
    S(
        10,
        "run.json holds a list",
        in_run("run.json", lambda file: file.write_text("[]")),
        "evaluate first",
        2,
        "run.json",
        True,
    ),
    S(
        10,
        "a recipe is edited",
        in_run("recipe.json", lambda file: file.write_text('{"is": "nothing"}')),
        "resume first",
        2,
        "recipe.json: it lacks epochs",
        True,
    ),
    S(
        10,
        "a file of the user's among the checkpoints",
        in_run("checkpoints", lambda at: (at / "epoch-0002-best.pt").write_bytes(b"x")),
        "generate first -n 4 -o out",
        0,
        "out",
        True,
    ),
    S(
        10,
        "a checkpoint is cut",
        in_run("checkpoints/epoch-0001.pt", cut),
        "generate first -n 4 --epoch 1 -o out",
        2,
        "epoch-0001.pt",
        True,
    ),
    S(
        13,
        "a flipped bit in a checkpoint",
        in_run("checkpoints/epoch-0001.pt", flipped),
        "generate first -n 4 --epoch 1 -o out",
        2,
        "epoch-0001.pt",
        True,
    ),
    # names
    S(11, "markup in a name", lambda: folder("[/x]"), "data import [/x] --name m", 0, "10 images"),
    S(
        11,
        "a name that is no UTF-8",
        lambda: folder("mine", suffix="\udcff.png"),
        IMPORT,
        0,
        "10 im",
    ),
    # outputs replace nothing but files
    S(12, "onto a device", nothing, "export first -o /dev/null", 2, "/dev/null", True),
    S(
        12,
        "onto a folder",
        lambda: Path("x.pt").mkdir(),
        "export first -o x.pt",
        2,
        "x.pt",
        True,
        lambda: Path("x.pt").is_dir(),
    ),
    # bombs and archives
    S(
        14,
        "a zip bomb",
        zipped({"a.png": bytes(30 * 2**20)}, zipfile.ZIP_DEFLATED),
        "data import x.zip --name x",
        2,
        "looks like a zip bomb",
    ),
    S(
        14,
        "a zip that points outside",
        zipped({"../a.png": b"x"}),
        "data import x.zip --name x",
        2,
        "points outside",
    ),
    S(14, "60,000 x 60,000 pixels", huge_header, IMPORT, 2, "at most 50,000,000 read"),
    # pictures by seed
    S(18, "into a folder", nothing, "generate first -n 4 -o out", 0, "out", True),
    S(18, "into a zip", nothing, "generate first -n 4 -o out.zip", 0, "out.zip", True),
    S(18, "into an npz", nothing, "generate first -n 4 -o out.npz", 0, "out.npz", True),
    S(
        18,
        "a label without labels",
        nothing,
        "generate first -n 4 --label 1 -o o",
        2,
        "label",
        True,
    ),
    S(18, "an epoch that is gone", nothing, "generate first -n 4 --epoch 7 -o o", 2, "7", True),
    # labels
    S(19, "class folders", class_folders, IMPORT, 0, "label folder: 2 values"),
    S(
        19,
        "dataset.json",
        beside("dataset.json", json.dumps({"labels": [["00.png", 3], ["01.png", 4]]}).encode()),
        IMPORT,
        0,
        "label label: 2 values; 8 without",
    ),
    S(
        19,
        "metadata.csv",
        beside("metadata.csv", b"file_name,mood\n00.png,glad\n01.png,sad\n"),
        IMPORT,
        0,
        "label mood: 2 values; 8 without",
    ),
    S(
        19,
        "a broken metadata.csv",
        beside("metadata.csv", b"file_name,mood\n00.png\n"),
        IMPORT,
        2,
        "metadata.csv: not a table of labels",
    ),
    S(19, "arrays", arrays, "data import x.npz --name mine", 0, "label mood: 3 values"),
    S(
        19,
        "labels that a set lacks",
        both(lambda: folder("mine"), done(IMPORT)),
        f"{TRAIN} labels=folder --data mine",
        2,
        "label",
    ),
    # datasets
    S(
        20,
        "a dataset",
        dataset(),
        "data import my_data.py:MySet --name d --size 32",
        0,
        "20 images",
    ),
    S(
        20,
        "a dataset's typing error",
        dataset(),
        "data import my_data.py:MySat --name d",
        2,
        "MySat",
    ),
    # going on
    S(21, "longer", nothing, "resume first --epochs 2", 0, "note:", True),
    S(21, "shorter", nothing, "resume first --epochs 1", 2, "epoch", True),
    S(
        21,
        "another rate",
        nothing,
        "fork first --at-epoch 1 --set lr_D=1e-4 --epochs 1",
        0,
        "",
        True,
    ),
    S(
        21,
        "from trained weights",
        nothing,
        f"{TRAIN} {FACES} --from first",
        0,
        "",
        True,
    ),
    S(21, "from nothing", nothing, f"{TRAIN} {FACES} --from nothing", 2, "unknown run"),
    # shapes
    S(22, "oblong", lambda: folder("mine"), f"{IMPORT[:-2]}32x48", 0, "10 images imported"),
    S(22, "too oblong", lambda: folder("mine"), f"{IMPORT[:-2]}16x80", 2, "more than 4 times"),
    S(22, "grey", lambda: folder("mine"), f"{IMPORT} --mode grey", 0, "at 32 px, grey: 10"),
    S(22, "transparent", lambda: folder("mine"), f"{IMPORT} --mode rgba", 0, "at 32 px, rgba: 10"),
    S(22, "pixel art", lambda: folder("mine"), f"{IMPORT} --pixel-art", 0, "10 images imported"),
    S(
        22,
        "a preview",
        lambda: folder("mine", shape=(32, 48, 3)),
        f"{IMPORT} --preview cut.png",
        0,
        "nothing is imported",
        then=lambda: Path("cut.png").exists(),
    ),
    # pairs and archives
    S(23, "pairs", two_folders(10), "data import fakes --pairs reals --name p", 0, "10 pairs"),
    S(
        23,
        "side by side",
        lambda: folder("mine", shape=(32, 64, 3)),
        f"{IMPORT} --side-by-side",
        0,
        "10 pairs",
    ),
    S(
        23,
        "no pairs",
        class_folders,
        "data import mine --pairs mine/cats --name p",
        2,
        "no picture",
    ),
    S(23, "a tar", tarred(["a.png", "b.png"]), "data import x.tar --name mine", 0, "2 images"),
    S(
        23,
        "a tar that points out",
        tarred(["../a.png"]),
        "data import x.tar --name x",
        2,
        "outside",
    ),
    S(23, "npy", lambda: np.save("x.npy", pixels(9)), "data import x.npy --name x", 0, "9 images"),
    S(23, "tar.gz", text("x.tar.gz", "x"), "data import x.tar.gz --name x", 2, "unpack it first"),
    S(23, "HDF5", text("x.h5", "x"), "data import x.h5 --name x", 2, "with h5py and numpy.save"),
    # tidying
    S(
        24,
        "a run",
        nothing,
        "rm first --yes",
        0,
        "first",
        True,
        lambda: not any(Path("runs").glob("2*")),
    ),
    S(24, "a run that is not there", nothing, "rm nothing --yes", 2, "unknown run", True),
    S(24, "another name", nothing, "rename first second", 0, "second", True),
    S(
        24,
        "an image set",
        both(lambda: folder("mine"), done(IMPORT)),
        "data rm mine --yes",
        0,
        "deleted mine",
    ),
    S(24, "Apple's GPU", nothing, "train dcgan64-tiny --set device=mps", 2, "use device=cpu"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store with one run of an epoch."""
    at = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        assert main(shlex.split(f"{TRAIN} {FACES} --name first")) == 0
    return at / "runs"


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: f"{s.item}-{s.what}")
def test_it_ends_as_it_should(situation, store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BASCULE_RUNS", raising=False)
    if situation.run:
        shutil.copytree(store, "runs")
    elif "--from" not in situation.words:
        monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "data"))
    situation.make()
    capsys.readouterr()
    try:
        code = main(shlex.split(situation.words))
    except SystemExit as end:  # of argparse
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    assert code == situation.code, (out, err)
    told = " ".join((out + err).split())
    assert situation.said in told, told
    if code == 2:
        assert err.count("\n") == 1 or err.startswith("usage:"), err
        assert not out
    assert situation.then is None or situation.then()


def test_the_table_is_long_enough():
    assert len(SITUATIONS) >= 60 and len({(s.item, s.what) for s in SITUATIONS}) == len(SITUATIONS)
