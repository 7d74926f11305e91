"""Pictures are taken as they are, or refused."""

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.evaluation.folder import images_of, pictures_in


def save(folder, name, shape=(16, 16, 3), mode=None, seed=0):
    folder.mkdir(exist_ok=True, parents=True)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(folder / name)
    return pixels


def test_pixels_come_back_exactly_in_the_order_of_names(tmp_path):
    second = save(tmp_path / "f", "b.png", seed=1)
    first = save(tmp_path / "f", "a.png", seed=2)
    names, found = pictures_in(tmp_path / "f")
    assert names == ["a.png", "b.png"]
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.stack([first, second]).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 4), (16, 12, 3)])
def test_grey_rgba_and_oblong_pictures_come_back_exactly(tmp_path, shape):
    pixels = save(tmp_path / "f", "a.png", shape)
    expected = np.atleast_3d(pixels).transpose(2, 0, 1)[None]
    assert np.array_equal(pictures_in(tmp_path / "f")[1], expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_come_back_exactly(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 12, channels), np.uint8)
    np.savez(tmp_path / "f.npz", images=pixels)
    assert np.array_equal(pictures_in(tmp_path / "f.npz")[1], pixels.transpose(0, 3, 1, 2))


def test_pictures_become_a_set_whose_near_duplicates_stay_together(tmp_path):
    for k in range(20):
        for name in ("one", "two"):
            save(tmp_path / "f" / name, f"{k:02d}.png", seed=k)
    found = images_of(tmp_path / "f", *pictures_in(tmp_path / "f"))
    assert found.name == "f" and 0 < found.held_out.sum() <= 4
    assert np.array_equal(found.held_out[:20], found.held_out[20:])
    assert found.labels["folder"].tolist() == ["one"] * 20 + ["two"] * 20
    again = images_of(tmp_path / "f" / "one", *pictures_in(tmp_path / "f" / "one"))
    assert again.digest != found.digest and not again.labels


BAD = {
    "grey": ({"shape": (16, 16)}, "16 px, grey, and a.png is 16 px"),
    "transparent": ({"shape": (16, 16, 4)}, "16 px, rgba, and a.png is 16 px"),
    "palette": ({"mode": "P"}, "palette"),
    "oblong": ({"shape": (16, 12, 3)}, "12 x 16 px, and a.png is 16 px"),
    "another size": ({"shape": (32, 32, 3)}, "32 px, and a.png is 16 px"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_pictures_are_refused_by_name(tmp_path, kind):
    settings, said = BAD[kind]
    save(tmp_path / "f", "a.png")
    save(tmp_path / "f", "odd.png", **settings)
    with pytest.raises(UserError, match=rf"odd\.png is .*{said}"):
        pictures_in(tmp_path / "f")


def test_an_empty_folder_and_a_broken_picture_are_refused(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        pictures_in(tmp_path / "f")
    (tmp_path / "f" / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"a\.png is not a picture in a known"):
        pictures_in(tmp_path / "f")


def test_what_is_no_picture_is_passed_over_and_postscript_starts_no_program(tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started"))
    save(tmp_path / "f", "a.png")
    (tmp_path / "f" / "a.png").rename(tmp_path / "f" / "a")
    (tmp_path / "f" / "credit.txt").write_text("mine")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "f" / "b.eps").write_bytes(eps)
    assert pictures_in(tmp_path / "f")[0] == ["a"]
    (tmp_path / "f" / "c.png").write_bytes(eps)
    with pytest.raises(UserError, match=r"c\.png is not a picture but PostScript"):
        pictures_in(tmp_path / "f")
