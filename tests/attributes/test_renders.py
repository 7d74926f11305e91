"""Renders for classifiers: apart from every data set, true to the artist, rare parts included."""

import numpy as np

from bascule.attributes.renders import FRESH, LEARNT_FROM, draw, seldom_parts
from bascule.data.artist import Artist


def test_seeds_are_apart_from_any_data_set_and_from_each_other() -> None:
    assert LEARNT_FROM > 1_000_000  # a set of faces counts its seeds from 0
    assert FRESH - LEARNT_FROM > 1_000_000


def test_a_render_is_what_the_artist_draws_from_that_seed() -> None:
    told: list[int] = []
    found = draw("micah", 24, LEARNT_FROM, 3, drawn=told.append)
    pixels, labels = Artist("micah").draw(LEARNT_FROM + 2, 24)
    assert (found.pixels[2] == pixels).all() and found.pixels.shape == (3, 3, 24, 24)
    assert found.labels["hairVariant"][2] == labels["hairVariant"]
    assert "scale" not in found.labels  # geometry is a number, no category
    assert told == [1, 1, 1]


def test_enriched_renders_show_seldom_parts_more_often() -> None:
    assert seldom_parts(Artist("micah")) == {
        "earringsProbability": 50,
        "facialHairProbability": 50,
        "glassesProbability": 50,
    }  # and not hair, which is always drawn
    plain, rich = (draw("micah", 8, FRESH, 200, enriched=e).labels for e in (False, True))
    bearded = [float(np.mean(labels["facialHairVariant"] != "none")) for labels in (plain, rich)]
    assert bearded[0] < 0.17  # 10 %
    assert 0.2 < bearded[1] < 0.4  # half at 10 %, half at 50 %
