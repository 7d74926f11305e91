"""Which grids a page shows, and at what weight."""

import numpy as np
from fakes import fake_parent_and_fork
from PIL import Image

from bascule.reports import samples


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


def test_a_large_grid_is_made_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (1038, 1038, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "grid.png")
    assert len(samples.data_uri(tmp_path / "grid.png")) < 500_000
