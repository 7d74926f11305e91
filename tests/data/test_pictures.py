"""A few pictures by name: one file, or a folder, prepared as images of a set are."""

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.decoding import decode
from bascule.data.pictures import read_pictures
from bascule.data.places import place


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (40, 30, 3)), ("b.jpg", (32, 32))):
        Image.fromarray(rng.integers(0, 255, shape, np.uint8)).save(tmp_path / name)
    return tmp_path


def test_a_folder_gives_all_and_a_file_gives_itself(folder):
    names, pixels = read_pictures(folder, 16)
    assert names == ["a.png", "b.jpg"] and pixels.shape == (2, 3, 16, 16)
    assert np.array_equal(pixels[0], decode((folder / "a.png").read_bytes(), 16))
    names, one = read_pictures(folder / "b.jpg", 16)
    assert names == ["b.jpg"] and np.array_equal(one[0], pixels[1])


def test_pictures_are_prepared_as_an_imported_set_was(folder):
    from bascule.data.imported import Imported, import_images, preparation_of

    import_images(folder, "stretched", 16, fit="stretch")
    how = preparation_of(Imported("stretched", 16))
    assert how.fit == "stretch"
    _, pixels = read_pictures(folder, how)
    assert np.array_equal(pixels, Imported("stretched", 16).load().pixels)
    assert not np.array_equal(pixels, read_pictures(folder, 16)[1])
    about = place("stretched", 16) / "about.json"
    about.write_text(about.read_text().replace('"fit"', '"fits"'))
    with pytest.raises(UserError, match=r"about\.json: .*fits.*import the set again"):
        preparation_of(Imported("stretched", 16))


def test_what_holds_no_picture_is_refused(folder, tmp_path):
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"broken.png cannot be read: not a picture"):
        read_pictures(folder, 16)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError):
        read_pictures(empty, 16)
    with pytest.raises(UserError):
        read_pictures(tmp_path / "nowhere", 16)
