"""The reader of the pair learns what it must, is kept, and says what is wrong with its file."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import DOMAIN
from bascule.translation import attributes
from bascule.translation.pairs import ATTRIBUTES, CartoonPair


def test_it_reads_faces_that_it_has_not_seen_and_is_kept(monkeypatch):
    told = []
    reader = attributes.pair_reader(
        "b", 32, lambda k, n: told.append((k, n)), renders=600, epochs=4
    )
    assert told[-1][0] == told[-1][1]
    images = CartoonPair(n=2, tests=100, size=32).load()
    tests = images.held_out & (images.labels[DOMAIN] == "b")
    read = reader.read(images.pixels[tests])
    right = {name: (read[name] == images.labels[name][tests]).mean() for name in ATTRIBUTES}
    assert right["background"] > 0.95 and right["skin"] > 0.9 and right["hair_colour"] > 0.8
    chance = {name: 1 / len(values) for name, values in ATTRIBUTES.items()}
    assert all(right[name] > chance[name] + 0.1 for name in ("hair", "eyes"))

    monkeypatch.setattr(attributes, "_trained", None)  # it must not learn again
    again = attributes.pair_reader("b", 32, renders=600, epochs=4)
    assert again.spec == reader.spec
    other = again.read(images.pixels[tests])
    assert all(np.array_equal(other[name], read[name]) for name in ATTRIBUTES)


def test_a_cache_that_is_a_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "attributes").write_text("")
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    monkeypatch.setattr(attributes, "_trained", lambda *_: pytest.fail("learnt in vain"))
    with pytest.raises(UserError, match="BASCULE_DATA"):
        attributes.pair_reader("a", 32, renders=64, epochs=1)
