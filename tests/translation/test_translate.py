"""A user's pictures through a run's translator, and out of the house as ONNX."""

import shutil

import numpy as np
import pytest
from PIL import Image

from bascule.runs.execute import execute
from bascule.runs.store import Store
from bascule.training.hardware import resolve_auto
from bascule.translation.cut.model import CUT
from bascule.translation.cut.recipe import ContrastiveRecipe
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.pairs import CartoonPair

SMALL = {
    "data": CartoonPair(n=60, tests=50, size=32),
    "epochs": 1,
    "batch": 20,
    "threads": 1,
    "device": "cpu",
}
CYCLE = CycleRecipe(model=CycleGAN(4, 1, 32, width_D=4, halvings=2), **SMALL)
ONE_WAY = ContrastiveRecipe(
    model=CUT(4, 1, 32, width_D=4, halvings=2, taps=("rgb",), features=4), patches=8, **SMALL
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a run of either kind, ``cycle`` and ``cut``."""
    store = Store(tmp_path_factory.mktemp("translation") / "runs")
    for recipe, name in ((CYCLE, "cycle"), (ONE_WAY, "cut")):
        run = store.create(resolve_auto(recipe), name, recipe.data.load().digest)
        assert execute(run, store) == "finished"
    return store.root


@pytest.fixture
def trained(made, bascule, tmp_path):
    """The user has copies of these runs."""
    shutil.copytree(made, tmp_path / "runs")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "mine"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)

    def noise(*shape):
        return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))

    noise(50, 70, 3).save(folder / "wide.png")
    noise(50, 70, 3).save(folder / "wide.jpg")
    noise(90, 40).save(folder / "deeper" / "grey.png")
    return folder


def test_pictures_of_any_shape_keep_it(bascule, trained, pictures, tmp_path):
    out = tmp_path / "out"
    code, said, err = bascule("translate", "cycle", str(pictures), "-o", str(out))
    assert code == 0 and "3 pictures" in said, err
    sizes = {}
    for path in (out / "translated").rglob("*.png"):
        with Image.open(path) as picture:
            sizes[path.relative_to(out / "translated").as_posix()] = picture.size
    assert sizes == {
        "wide.png.png": (45, 32),
        "wide.jpg.png": (45, 32),
        "deeper/grey.png": (32, 72),
    }
    page = (out / "index.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 9
    asked = page.split("</style>")[1].replace(
        "http://www.w3.org/2000/svg", ""
    )  # a name, no address
    assert "http" not in asked
    for part in ("input", "cycle"):
        assert len(list((out / part).rglob("*.png"))) == 3

    code, _, err = bascule("translate", "cycle", str(pictures), "-o", str(out), "--crop", "--back")
    assert code == 0, err
    with Image.open(out / "translated" / "wide.png.png") as picture:
        assert picture.size == (32, 32)


def test_a_padded_picture_is_translated_as_a_whole_one_is(bascule, trained, pictures, tmp_path):
    """Sides that need no padding give what the net gives; a batch gives what one alone gives."""
    from bascule.data.batches import as_float, as_uint8
    from bascule.translation.translate import ways_of

    import torch  # isort: skip

    ways = ways_of(Store(tmp_path / "runs").find("cycle"))
    x = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (3, 3, 36, 40), np.uint8))
    with torch.no_grad():
        expected = as_uint8(ways.there.net(as_float(x))).numpy()
    assert np.array_equal(ways.there(x.numpy()), expected)
    assert np.array_equal(ways.there(x.numpy()[1:2]), expected[1:2])
    assert ways.there(x.numpy()[..., :33, :35]).shape == (3, 3, 33, 35)
    assert ways.back is not None and ways.epoch == 1


def test_one_unreadable_picture_leaves_the_others_translated(bascule, trained, pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"nothing")
    Image.new("RGB", (200, 20)).save(pictures / "oblong.png")
    out = tmp_path / "out"
    code, said, err = bascule("translate", "cycle", str(pictures), "-o", str(out))
    assert code == 2 and "3 pictures" in said
    lines = [line for line in err.splitlines() if "was skipped" in line]
    assert len(lines) == 2 and "broken.png" in lines[0] and "more than 4 times" in lines[1]
    assert len(list((out / "translated").rglob("*.png"))) == 3


def test_bad_input_is_one_line(bascule, trained, pictures, tmp_path):
    name, empty = "cut", tmp_path / "empty"
    empty.mkdir()
    out = ("-o", str(tmp_path / "out"))
    for words, message in (
        (
            (name, str(pictures), *out, "--back"),
            "a ContrastiveRecipe translates in one direction only",
        ),
        ((name, str(empty), *out), "contains no readable image"),
        ((name, str(tmp_path / "none"), *out), "no such file or folder"),
        ((name, str(pictures), "-o", str(pictures)), "lies in the input folder"),
        ((name, str(pictures), *out, "--size", "3"), "expected at least 16 pixels"),
        ((name, str(pictures), *out, "--epoch", "7"), "keeps no checkpoint of epoch 7"),
        (("nobody", str(pictures), *out), "unknown run"),
    ):
        code, _, err = bascule("translate", *words)
        assert code == 2 and message in err and "Traceback" not in err, (words, err)
    code, said, _ = bascule("translate", name, str(pictures / "wide.png"), *out)
    assert code == 0 and "1 pictures" in said
    assert "and back" not in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_a_gan_translates_nothing(bascule, tiny, make_run, pictures, tmp_path):
    make_run(tiny, "gan")
    code, _, err = bascule("translate", "gan", str(pictures), "-o", str(tmp_path / "out"))
    assert code == 2 and "cannot translate: it is a GANRecipe" in err


def test_a_run_of_translation_is_evaluated_and_its_note_says_so(bascule, trained, tmp_path):
    code, said, err = bascule("evaluate", "cycle", "-n", "50", "--no-attributes")
    assert code == 0 and "paired L1[translation,32px]" in said, err
    (run,) = (tmp_path / "runs").glob("*cycle*")
    note = (run / "note.md").read_text("utf-8")
    assert "cycle L1 after JPEG" in note and "colour transfer" in note and "R@1" in note
    assert (run / "neighbours-0001.png").exists()
    code, _, err = bascule("evaluate", "cycle", "--extractor", "pixels", "--extractor", "inception")
    assert code == 2 and "expected a single one for a run of translation" in err


@pytest.mark.parametrize("name", ["cycle", "cut"])
def test_the_onnx_file_says_what_the_run_says_at_two_batch_sizes(bascule, trained, tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    import torch

    from bascule.translation.translate import ways_of

    file = tmp_path / "one.onnx"
    code, said, err = bascule("export", name, "-o", str(file))
    assert code == 0 and "differs from PyTorch by at most" in said, err
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert told["size"] == "32" and told["range"] == "[0, 1], RGB" and told["epoch"] == "1"
    net = ways_of(Store(tmp_path / "runs").find(name)).there.net
    for n in (1, 5):
        x = np.random.default_rng(n).random((n, 3, 32, 32), np.float32)
        with torch.no_grad():
            expected = (net(torch.from_numpy(x) * 2 - 1).numpy() + 1) / 2
        (found,) = session.run(None, {"picture": x})
        assert np.abs(found - expected).max() < 1e-3
    code, _, err = bascule("export", name, "-o", str(tmp_path / "one.bin"))
    assert code == 2 and "expected a file name.onnx" in err
