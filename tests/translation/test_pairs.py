"""Two styles of one face: counterparts, disjoint vectors, laws, and what is refused."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import DOMAIN
from bascule.translation.pairs import ATTRIBUTES, CartoonPair, PairArtist, labels_of, vectors

SMALL = CartoonPair(n=6, tests=4, size=32)


def parts(images):
    first = images.labels[DOMAIN] == "a"
    return {
        (side, held_out): np.flatnonzero((first == (side == "a")) & (images.held_out == held_out))
        for side in "ab"
        for held_out in (False, True)
    }


def told(images, places):
    return [tuple(images.labels[name][k] for name in ATTRIBUTES) for k in places]


def test_held_out_pictures_are_counterparts_and_training_pictures_are_not():
    images = SMALL.load()
    at = parts(images)
    assert [len(places) for places in at.values()] == [6, 4, 6, 4]
    assert told(images, at["a", True]) == told(images, at["b", True])
    ours, theirs = set(told(images, at["a", False])), set(told(images, at["b", False]))
    tests = set(told(images, at["a", True]))
    assert len(ours | theirs | tests) == 6 + 6 + 4


def test_in_pairs_the_training_pictures_are_counterparts_too():
    images = CartoonPair(n=6, tests=4, size=32, paired=True).load()
    at = parts(images)
    assert told(images, at["a", False]) == told(images, at["b", False])
    alone = SMALL.load()
    assert told(alone, parts(alone)["a", False]) == told(images, at["a", False])
    assert np.array_equal(images.pixels[at["a", True]], alone.pixels[parts(alone)["a", True]])


def test_a_picture_follows_from_its_vector_alone():
    images = SMALL.load()
    at = parts(images)
    code = vectors("test", 4, "uniform")[2]
    for side in "ab":
        assert np.array_equal(PairArtist(side).draw(code, 32), images.pixels[at[side, True][2]])


@pytest.mark.parametrize("attribute", range(len(ATTRIBUTES)))
def test_every_value_of_every_attribute_is_drawn_in_its_own_way(attribute):
    plain = vectors("test", 1, "uniform")[0]
    plain[3] = 0  # no glasses before the eyes
    for side in "ab":
        artist, seen = PairArtist(side), set()
        for value in range(len(list(ATTRIBUTES.values())[attribute])):
            code = plain.copy()
            code[attribute] = value
            seen.add(artist.draw(code, 64).tobytes())
        assert len(seen) == len(list(ATTRIBUTES.values())[attribute])


def test_the_shares_never_meet_and_larger_ones_begin_with_smaller_ones():
    every = [tuple(v) for whose in ("test", "a", "b") for v in vectors(whose, 1000, "uniform")]
    assert len(set(every)) == 3000
    assert np.array_equal(vectors("a", 50, "skewed"), vectors("a", 2000, "skewed")[:50])


def test_the_laws_are_what_they_are_called():
    n = 1000
    for law, expected in (("uniform", [1 / 4] * 4), ("skewed", np.array([12, 6, 4, 3]) / 25)):
        shares = np.bincount(vectors("b", n, law)[:, 5], minlength=4) / n
        # No vector comes twice, which evens a skewed law out a little.
        assert np.abs(shares - expected).max() < (0.05 if law == "uniform" else 0.13)
        assert law == "uniform" or list(shares) == sorted(shares, reverse=True)


def test_words_of_vectors():
    code = np.array([[0, 1, 1, 0, 4, 2, 5]])
    assert {name: str(value[0]) for name, value in labels_of(code).items()} == {
        "hair": "long",
        "mouth": "frown",
        "eyes": "closed",
        "glasses": "none",
        "hair_colour": "blue",
        "skin": "tan",
        "background": "steel",
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CartoonPair(n=1), "expected n from 2 to 2000"),
        (lambda: CartoonPair(n=5000), "expected n from 2 to 2000"),
        (lambda: CartoonPair(tests=0), "tests from 2 to 1000"),
        (lambda: CartoonPair(size=4), "expected a size from 8"),
        (lambda: CartoonPair(law="odd"), "law='odd'"),
    ],
)
def test_what_is_no_pair_is_refused(make, message):
    with pytest.raises(UserError) as refused:
        make()
    assert message in str(refused.value)
