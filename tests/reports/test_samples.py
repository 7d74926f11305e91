"""Which grids a page shows, and at what weight."""

import base64
import io

import numpy as np
from PIL import Image

from bascule.reports import samples
from fakes import fake_parent_and_fork


def test_epochs_are_spread_evenly_from_first_to_last():
    assert samples.spread([1, 5, 10], 12) == [1, 5, 10]
    assert samples.spread(range(0, 101, 5), 3) == [0, 50, 100]


def test_a_heavy_page_keeps_fewer_epochs(tmp_path, monkeypatch):
    parent, child = fake_parent_and_fork(tmp_path)
    runs, colour = {"a": parent, "b": child}, {"a": "red", "b": "blue"}
    places, strips = samples.strips(runs, colour)
    assert places == [1, 5, 10, 12, 15, 20] and len(strips) == 2
    monkeypatch.setattr(samples, "AT_MOST_BYTES", sum(s.size for s in strips) // 2)
    fewer, light = samples.strips(runs, colour)
    assert 2 <= len(fewer) < 6 and fewer[0] == 1 and fewer[-1] == 20
    assert sum(s.size for s in light) < sum(s.size for s in strips)


def pixels_of(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_grid_keeps_its_size_and_every_pixel(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (1038, 700, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "grid.png")
    for picture in (tmp_path / "grid.png", noise):
        exact, smooth = samples.data_uri(picture), samples.data_uri(picture, exact=False)
        assert np.array_equal(pixels_of(exact), noise)
        assert samples.size_of(smooth) == (700, 1038) and len(smooth) < len(exact) / 2


def test_the_last_grid_of_a_run_is_exact_unless_it_is_too_heavy(tmp_path, monkeypatch):
    run, _ = fake_parent_and_fork(tmp_path)
    last = np.asarray(Image.open(run.sample(20)))
    _, (strip,) = samples.strips({"a": run}, {"a": "red"})
    assert np.array_equal(pixels_of(strip.frames[-1][1]), last)
    monkeypatch.setattr(samples, "AT_MOST_BYTES", len(strip.frames[-1][1]))
    _, (light,) = samples.strips({"a": run}, {"a": "red"})
    assert not np.array_equal(pixels_of(light.frames[-1][1]), last)


def test_a_grid_that_several_places_show_is_held_once():
    strip = samples.Strip("a", "red", [(1, "x"), (1, "x"), (1, "x"), (9, "yy")])
    assert strip.grids == [(1, "x", 0, 2), (9, "yy", 3, 3)] and strip.size == 3
