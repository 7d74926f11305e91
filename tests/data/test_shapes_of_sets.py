"""Sets that are grey, RGBA or not square: imported, found by name, and trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.cli import main
from bascule.core.errors import UserError
from bascule.core.shapes import Shape, shape_of, square
from bascule.data.decoding import Preparation
from bascule.data.imported import Imported, import_images, set_named
from bascule.data.places import imported_sets
from bascule.data.preview import preview
from bascule.data.seeded_split import SeededSplit
from bascule.gan.recipe import GANRecipe
from bascule.interventions import AdaptiveAugment, DiffAugment
from bascule.models.dcgan import DCGAN
from bascule.models.model import Shaped
from bascule.runs import codec
from bascule.runs.execute import execute
from bascule.runs.store import Store


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


@pytest.fixture
def sprites(tmp_path: Path) -> Path:
    """30 RGBA pictures of 12 x 40 px: a coloured bar on nothing."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "sprites"
    folder.mkdir()
    for k in range(30):
        pixels = np.zeros((40, 12, 4), np.uint8)
        top, left = rng.integers(0, 20), rng.integers(0, 6)
        pixels[top : top + 20, left : left + 6] = (*rng.integers(0, 256, 3), 255)
        Image.fromarray(pixels).save(folder / f"{k:02d}.png")
    return folder


def test_one_name_may_have_several_shapes(sprites: Path) -> None:
    tall = Shape(4, 48, 16)
    report = import_images(sprites, "s", tall)
    assert report.shape == tall
    import_images(sprites, "s", 16)
    assert imported_sets() == {"s": [square(16), tall]}
    images = Imported("s", 16, channels=4, sides=(48, 16)).load()
    assert images.shape == tall and images.size == 16
    assert shape_of(SeededSplit(Imported("s", 16, 4, (48, 16)))) == tall
    again = import_images(sprites, "s", tall)
    assert again.reused


def test_a_name_finds_the_shape_that_there_is(sprites: Path) -> None:
    import_images(sprites, "one", Shape(1, 16, 16))
    assert set_named("one", 64) == Imported("one", 16, channels=1)
    import_images(sprites, "one", Shape(4, 16, 16))
    with pytest.raises(UserError, match=r"several shapes: name one of .Imported.*channels=1"):
        set_named("one", 16)
    import_images(sprites, "one", 16)
    assert set_named("one", 16) == Imported("one", 16)
    with pytest.raises(UserError, match=r"at 16 px; 16 px, grey; 16 px, rgba, not at 64 px, grey"):
        Imported("one", 64, channels=1).load()
    with pytest.raises(UserError, match="of which the shorter one is size"):
        Imported("one", 64, sides=(32, 96))
    with pytest.raises(UserError, match="more than 4 times the other"):
        import_images(sprites, "long", Shape(3, 8, 64))


def test_the_text_and_the_digest_of_a_plain_set_are_as_ever() -> None:
    assert repr(Imported("x", 32)) == "Imported(name='x', size=32)"
    assert "channels" not in str(codec.encode(Imported("x", 32), brief=True))
    other = Imported("x", 32, channels=1)
    assert codec.decode(codec.encode(other)) == other
    oblong = Imported("x", 32, sides=(64, 32))
    assert codec.decode(codec.encode(oblong)) == oblong


@pytest.mark.parametrize("shape", [Shape(1, 16, 16), Shape(4, 48, 16), Shape(3, 16, 64)], ids=str)
def test_a_game_of_another_shape_trains_resumes_draws_and_is_measured(
    sprites: Path, tmp_path: Path, shape: Shape
) -> None:
    import_images(sprites, "s", shape, held_out=sprites)
    recipe = GANRecipe(
        model=DCGAN(width=4, z_dim=8, norm_D="spectral"),
        interventions=(DiffAugment(), AdaptiveAugment(speed_images=16)),
        epochs=2,
        batch=8,
        threads=1,
        device="cpu",
        sample_every_epochs=1,
    ).replace(data=set_named("s", 64))
    assert isinstance(recipe.model, Shaped) and recipe.model.shape == shape
    store = Store(tmp_path / "runs")
    run = store.create(recipe, "run", recipe.data.load().digest)
    execute(run, store)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[shape.channels]
    for sample in run.folder.glob("samples/*.png"):
        assert Image.open(sample).mode == mode
    runs = ["--runs", str(store.root)]
    out = tmp_path / "drawn"
    assert main([*runs, "generate", run.id, "-n", "3", "-o", str(out)]) == 0
    drawn = Image.open(out / "00000.png")
    assert (drawn.mode, drawn.size) == (mode, (shape.width, shape.height))
    measured = [*runs, "evaluate", run.id, "-n", "30", "--extractor", "random-conv"]
    assert main([*measured, "--extractor", "pixels"]) == 0
    assert main([*runs, "data", "show", "s", "-o", str(tmp_path / "grid.png")]) == 0
    assert Image.open(tmp_path / "grid.png").mode == mode


def test_what_cannot_be_is_refused_when_the_recipe_is_made(sprites: Path) -> None:
    grey = Imported("s", 64, channels=1)
    with pytest.raises(UserError, match="space='hsv': expected rgb for images of 64 px, grey"):
        GANRecipe(space="hsv").replace(data=grey)
    told = "the images are 64 px, grey and the model draws 64 px: import them at 64 px, or take a"
    with pytest.raises(UserError, match=told):
        GANRecipe(data=grey, model=DCGAN())


def test_a_preview_shows_what_is_cut_and_imports_nothing(
    sprites: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, shown, of = preview(sprites, Preparation(16))
    assert (shown, of) == (12, 30)
    assert picture.size == (2 * (2 * 160 + 8) + 3 * 8, 6 * 168 - 8)
    out = tmp_path / "preview.png"
    told = ["data", "import", str(sprites), "--name", "s", "--size", "16x24", "--preview", str(out)]
    assert main(told) == 0
    assert Image.open(out).mode == "RGB"
    assert "12 of 30 files" in capsys.readouterr().out
    assert imported_sets() == {}


@pytest.mark.parametrize("size", ["64x", "x64", "axb", "64x64x64", "9999999999"])
def test_sizes_that_are_none(sprites: Path, size: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", "import", str(sprites), "--name", "s", "--size", size])
    assert left.value.code == 2


def test_sides_are_told_as_width_and_height(sprites: Path, capsys) -> None:
    command = ["data", "import", str(sprites), "--name", "s", "--size", "16x48", "--mode", "rgba"]
    assert main(command) == 0
    assert imported_sets() == {"s": [Shape(4, 48, 16)]}
    assert "s at 16 x 48 px, rgba" in capsys.readouterr().out
    main(["data", "list"])
    assert "s  imported at 16 x 48 px, rgba" in capsys.readouterr().out
