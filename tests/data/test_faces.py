"""Built-in faces: the same for ever, with labels that are true to the drawing."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.artist import Artist
from bascule.data.faces import Faces
from bascule.data.styles import OPTIONS, SOFT_BACKGROUNDS, YELLOW_SKINS
from bascule.runs import codec


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    return tmp_path


def rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour.removeprefix("#")))


def differing(a: np.ndarray, b: np.ndarray) -> int:
    """Pixels that differ visibly, by more than 24 / 255 in some channel."""
    return int((np.abs(a.astype(int) - b).max(0) > 24).sum())


def test_a_larger_set_begins_with_the_smaller_one() -> None:
    few, many = Faces(n=6, size=24).load(), Faces(n=9, size=24).load()
    assert (many.pixels[:6] == few.pixels).all()
    assert few.labels.keys() == many.labels.keys()
    for name, values in few.labels.items():
        assert many.labels[name][:6].tolist() == values.tolist(), name
    assert few.digest != many.digest


def test_first_skips_faces_and_keeps_the_names_of_older_sets(root: Path) -> None:
    many, later = Faces(n=9, size=24).load(), Faces(n=4, size=24, first=5).load()
    assert (later.pixels == many.pixels[5:]).all()
    assert later.labels["hairVariant"].tolist() == many.labels["hairVariant"][5:].tolist()
    assert codec.digest(Faces(n=9, first=0)) == codec.digest(Faces(n=9))
    assert codec.digest(Faces(n=9, first=5)) != codec.digest(Faces(n=9))
    with pytest.raises(UserError, match=r"Faces\(first=-1\): expected a number from 0"):
        Faces(first=-1)


def test_cached_and_drawn_again_alike(root: Path) -> None:
    told: list[tuple[int, int]] = []
    first = Faces(n=4, size=16).load(lambda done, total: told.append((done, total)))
    assert told == [(4, 4)]
    again = Faces(n=4, size=16).load(lambda done, total: told.append((done, total)))
    assert told == [(4, 4)]  # nothing was drawn
    assert again.digest == first.digest
    drawn = np.stack([Artist("micah").draw(seed, 16)[0] for seed in range(4)])
    assert (drawn == first.pixels).all()


def test_interrupted_drawing_leaves_no_entry(root: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Faces(n=4, size=16).load(stop)
    assert list((root / "made").iterdir()) == []


@pytest.mark.parametrize("style", sorted(OPTIONS))
def test_every_style_is_drawn_labelled_and_credited(style: str) -> None:
    images = Faces(n=12, size=32, style=style).load()
    assert images.pixels.shape == (12, 3, 32, 32)
    assert images.pixels.std((1, 2, 3)).min() > 20  # a picture, not a blank
    definition = json.loads(files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8"))
    assert images.credit == definition["meta"]["license"]["text"]
    for part, facts in definition["components"].items():
        values = set(images.labels[f"{part}Variant"].tolist())
        assert values <= {*facts["variants"], "none"}, part
    for name in ("scale", "rotate", "translateX", "translateY"):
        assert images.labels[name].dtype == np.float64
    assert set(images.labels["scale"]) == {1.3 if style == "adventurer" else 1.0}


def test_colour_labels_are_the_colours_of_the_picture() -> None:
    images = Faces(n=30, size=64).load()
    for pixels, background in zip(images.pixels, images.labels["backgroundColor"], strict=True):
        assert background in SOFT_BACKGROUNDS
        assert pixels[:, 0, 0].tolist() == rgb(background)
    for pixels, skin in zip(images.pixels, images.labels["baseColor"], strict=True):
        assert skin in YELLOW_SKINS
        exact = (pixels == np.array(rgb(skin))[:, None, None]).all(0)
        assert exact.sum() > 100  # a face is full of its skin


@pytest.mark.parametrize(
    ("part", "one", "other", "least"),
    [
        ("hair", "full", "mrClean", 60),
        ("mouth", "surprised", "smile", 14),
        ("clothes", "collared", "crew", 100),
        ("eyes", "round", "smiling", 8),
    ],
)
def test_another_variant_is_another_picture(part: str, one: str, other: str, least: int) -> None:
    artist = Artist("micah")
    name = f"{part}Variant"
    a, labels_a = artist.draw(3, 64, **{name: [one]})
    b, labels_b = artist.draw(3, 64, **{name: [other]})
    assert (labels_a[name], labels_b[name]) == (one, other)
    assert differing(a, b) >= least


def test_what_is_not_drawn_is_labelled_none() -> None:
    artist = Artist("micah")
    without, labels = artist.draw(5, 64, glassesProbability=0)
    assert labels["glassesVariant"] == labels["glassesColor"] == "none"
    drawn, labels = artist.draw(5, 64, glassesProbability=100)
    assert labels["glassesVariant"] in ("round", "square")
    assert str(labels["glassesColor"]).startswith("#")
    assert differing(without, drawn) > 100


def test_geometry_is_labelled_with_its_resolved_value() -> None:
    pixels, labels = Artist("micah").draw(0, 32, scale=[0.5, 0.9], rotate=[-10, 10])
    assert isinstance(labels["scale"], float) and 0.5 <= labels["scale"] <= 0.9
    assert isinstance(labels["rotate"], float) and -10 <= labels["rotate"] <= 10
    assert differing(pixels, Artist("micah").draw(0, 32)[0]) > 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "mica"}, "did you mean micah"),
        ({"n": 1}, "n >= 2"),
        ({"size": 4}, "size from 8"),
        ({"size": 4096}, "to 1024"),
    ],
)
def test_impossible_faces_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Faces(**options)


def test_a_larger_share_may_be_held_out():
    half, tenth = Faces(n=40, size=32, held_out=0.5).load(), Faces(n=40, size=32).load()
    assert np.array_equal(half.pixels, tenth.pixels)
    assert half.held_out.sum() == 20 and tenth.held_out.sum() == 4
    assert set(tenth.indices("held_out")) <= set(half.indices("held_out"))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_is_between_nothing_and_all(share):
    with pytest.raises(UserError, match=r"expected a share between 0 and 1"):
        Faces(n=40, held_out=share)
