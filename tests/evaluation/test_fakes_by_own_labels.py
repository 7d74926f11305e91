"""The shares of own labels among the fakes, beside their floor and how well they are read."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.data.images import ImageSet, digest_of
from bascule.evaluation.evaluate import evaluate
from bascule.features.pixels import Pixels


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))


@contextlib.contextmanager
def counter(what):
    yield lambda done, total: None


def pictures(bright: np.ndarray, seed: int) -> np.ndarray:
    """Noise, uint8 (n, 3, 16, 16), with a bright left half where ``bright``."""
    pixels = np.random.default_rng(seed).integers(0, 150, (len(bright), 3, 16, 16), np.uint8)
    pixels[bright, :, :, :8] += 60
    return pixels


def image_set(n=400, labels=None) -> ImageSet:
    """Half of the images are bright; a quarter is held out."""
    bright = np.arange(n) % 2 == 0
    pixels = pictures(bright, 0)
    told = np.where(bright, "day", "night") if labels is None else labels
    held_out = np.arange(n) % 8 < 2
    return ImageSet(
        "mine", pixels, held_out, {"time of day": told}, digest_of([pixels], pixels.shape), ""
    )


def measured(fakes, images, labels=True):
    return evaluate(fakes, images, [Pixels()], counter, labels=labels)[0]


LABEL = "TV of time_of_day[pixels,16px]"


def test_the_shares_of_the_fakes_are_counted():
    fakes = pictures(np.arange(100) < 80, 1)  # 80 % by day, 50 % of the training images
    found = measured(fakes, image_set())
    assert found[LABEL].measured.value == pytest.approx(0.3, abs=0.03)
    assert found[LABEL].measured.floor == pytest.approx(0.0, abs=0.03)
    assert found[LABEL].measurement.quantity.name == "TV"
    told = next(note for note in found.notes if note.startswith("time of day, as read"))
    assert "day 80%, 50%, 50%; night 20%, 50%, 50%" in told
    assert any("the reading of time of day is reliable: 100% of 100 held" in n for n in found.notes)


def test_a_value_that_no_fake_has_is_named():
    found = measured(pictures(np.ones(100, bool), 1), image_set())
    assert any("no fake is read as time of day night" in note for note in found.notes)


def test_what_cannot_be_read_is_left_out_and_what_is_read_badly_is_marked():
    rng = np.random.default_rng(0)
    fakes = pictures(np.arange(100) < 80, 1)
    found = measured(fakes, image_set(labels=rng.choice(["a", "b"], 400)))
    (why,) = [one.why for one in found.left_out if one.label == LABEL]
    assert "cannot be read by pixels" in why and "of 100 held-out images" in why
    true = np.where(np.arange(400) % 2 == 0, "day", "night")
    wrong = np.where(rng.random(400) < 0.15, np.where(true == "day", "night", "day"), true)
    found = measured(fakes, image_set(labels=wrong))
    assert found[LABEL].measured.value > 0.2
    assert any("the reading of time of day is not reliable" in note for note in found.notes)


def test_few_images_are_told():
    found = measured(pictures(np.arange(100) < 80, 1), image_set(60))
    (why,) = [one.why for one in found.left_out if one.label == LABEL]
    assert why == "needs 20 held-out images with the label, and has 16"
    found = measured(pictures(np.arange(30) < 20, 1), image_set())
    (why,) = [one.why for one in found.left_out if one.label == LABEL]
    assert why == "needs 50 fakes, 30 are given"


def test_nothing_is_said_where_there_are_no_labels_or_none_are_asked_for():
    fakes = pictures(np.arange(100) < 80, 1)
    assert not {LABEL} & measured(fakes, image_set(), labels=False).labels
    captions = np.array([f"picture {k}" for k in range(400)])
    found = measured(fakes, image_set(labels=captions))
    assert not any(label.startswith("TV") for label in found.labels) and not found.notes


def test_a_reader_is_no_judge_of_a_game_that_its_network_played():
    found = measured(pictures(np.arange(100) < 80, 1), image_set()).judged(("pixels",))
    assert LABEL not in {value.label for value in found.values}
    assert LABEL in {one.label for one in found.left_out}


def test_class_folders_are_counted_from_the_command_line(bascule):
    for folder, share, n, seed in (("mine", 0.5, 200, 0), ("fakes", 0.8, 60, 1)):
        bright = np.arange(n) < share * n
        for k, pixels in enumerate(pictures(bright, seed)):
            inside = ("day" if bright[k] else "night") if folder == "mine" else "all"
            Path(folder, inside).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.transpose(1, 2, 0)).save(Path(folder, inside, f"{k:03d}.png"))
    code, _, err = bascule("data", "import", "mine", "--name", "mine", "--size", "16")
    assert code == 0, err
    words = ("evaluate", "fakes", "--data", "mine", "--extractor", "pixels", "-o", "out")
    code, out, err = bascule(*words)
    assert code == 0, err
    assert "TV of folder[pixels" in out and "day 80%" in " ".join(out.split())
    kept = json.loads(Path("out/metrics.json").read_text())["evaluations"][0]
    (scale,) = [v["scale"] for v in kept["values"] if v["scale"]["label"].startswith("TV of")]
    assert "label reader v1," in scale["extractor"]
    code, out, err = bascule(*words[:-1], "plain", "--no-attributes")
    assert code == 0 and "TV of" not in out, err
    words = ("evaluate", "fakes", "--data", "mine/", "--extractor", "pixels", "-o", "folders")
    code, out, err = bascule(*words)
    assert code == 0 and "TV of folder[pixels" in out, err
