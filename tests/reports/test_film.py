"""Films: as many frames as given, at the pace that was asked for, for ever."""

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.reports.film import write_film


@pytest.mark.parametrize("name", ["film.gif", "film.webp", "film.WEBP"])
def test_a_film_shows_its_frames_in_order(tmp_path, name):
    shades = (20, 120, 220)
    frames = [Image.fromarray(np.full((16, 24, 3), shade, np.uint8)) for shade in shades]
    write_film(frames, tmp_path / name, per_second=4)
    film = Image.open(tmp_path / name)
    assert film.n_frames == 3 and film.size == (24, 16)
    for k, shade in enumerate(shades):
        film.seek(k)
        film.load()
        assert abs(np.asarray(film.convert("RGB")).mean() - shade) < 4
        assert film.info["duration"] == 250
    assert film.info["loop"] == 0


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"film.mp4: expected a name that ends in .webp or .gif"):
        write_film([Image.new("RGB", (8, 8))], tmp_path / "film.mp4", 4)
    assert list(tmp_path.iterdir()) == []
