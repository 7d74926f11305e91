"""Cartoon faces in two styles that share their attributes: translation with a known truth.

A face is an attribute vector: hair, mouth, eyes, glasses and three colours. Both styles can draw
any vector, and everything else is the same in every image of a style. So each image has exactly one
counterpart. The style micah draws small eyes and a shirt. The style adventurer draws large eyes and
only a head; it is mirrored so that both look in the same direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data import cache
from bascule.data.artist import Artist
from bascule.data.images import DOMAIN, ImageSet, Progress
from bascule.data.source import PairSource
from bascule.data.styles import SOFT_BACKGROUNDS

STYLES = {"a": "micah", "b": "adventurer"}
MOST, MOST_TESTS = 2000, 1000  # so that there are enough different vectors

# The DiceBear options of each style for the values of each attribute.
_HAIR = {
    "long": ("full", "long17"),
    "bob": ("pixie", "long21"),
    "quiff": ("fonze", "short11"),
    "fringe": ("dannyPhantom", "short01"),
    "mohawk": ("mrT", "short15"),
}
_MOUTH = {
    "laughing": ("laughing", "variant26"),
    "frown": ("frown", "variant04"),
    "surprised": ("surprised", "variant15"),
    "teeth": ("nervous", "variant11"),
}
_EYES = {"open": ("eyes", "variant24"), "closed": ("smiling", "variant20")}
_GLASSES = {"none": None, "round": ("round", "variant04"), "square": ("square", "variant02")}
_HAIR_COLOUR = {
    "black": "#2b2b2b",
    "brown": "#6b3a1e",
    "red": "#c0392b",
    "grey": "#b9b9b9",
    "blue": "#3b5fc0",
}
_SKIN = {"yellow": "#ffd90f", "peach": "#f5c9a0", "tan": "#c68a3a", "brown": "#8a5a30"}
_BACKGROUND = dict(
    zip(("sky", "mint", "rose", "lilac", "sand", "steel"), SOFT_BACKGROUNDS, strict=True)
)
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "hair": tuple(_HAIR),
    "mouth": tuple(_MOUTH),
    "eyes": tuple(_EYES),
    "glasses": tuple(_GLASSES),
    "hair_colour": tuple(_HAIR_COLOUR),
    "skin": tuple(_SKIN),
    "background": tuple(_BACKGROUND),
}
FIXED: dict[str, dict[str, Any]] = {
    "a": {
        "earringsProbability": 0,
        "facialHairProbability": 0,
        "eyebrowsVariant": ["up"],
        "noseVariant": ["curve"],
        "earsVariant": ["attached"],
        "clothesVariant": ["crew"],
        "shirtColor": ["#ffffff"],
        "glassesColor": ["#111111"],
    },
    "b": {
        "earringsProbability": 0,
        "detailsProbability": 0,
        "eyebrowsVariant": ["variant10"],
        "flip": ["horizontal"],
        "scale": 1.15,
    },
}
_COUNTS = tuple(len(values) for values in ATTRIBUTES.values())
_OWNERS = ("test", "a", "a", "b", "b")  # the set of a vector, by its index in a shuffled list
Owner = Literal["test", "a", "b"]
Law = Literal["uniform", "skewed"]


@dataclass(frozen=True)
class CartoonPair(PairSource):
    """``n`` training faces of each style, and ``tests`` held-out faces drawn in both.

    The vectors of one style's training faces do not occur in the other style or in the tests, so no
    training face has a counterpart. ``paired``: the training faces of the second style are the
    counterparts of the first style's instead, in the same order, for methods that learn from pairs.
    ``law``: the distribution of attribute values. "uniform": all values of an attribute are equally
    frequent. "skewed": the k-th value is 1/k as frequent as the first, so that an exchange of two
    values would change the distribution.

    A larger set starts with the smaller one. Labels: ``domain`` ("a" or "b") and the seven
    attributes. Held-out image k of "a" is the counterpart of held-out image k of "b".
    """

    n: int = 1000
    tests: int = 300
    size: int = 64
    law: Law = "uniform"
    paired: bool = False

    has_truth: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)
        if not 2 <= self.n <= MOST or not 2 <= self.tests <= MOST_TESTS:
            raise UserError(
                f"CartoonPair(n={self.n}, tests={self.tests}): expected n from 2 to {MOST} and "
                f"tests from 2 to {MOST_TESTS}"
            )
        if not 8 <= self.size <= 1024:
            raise UserError(f"CartoonPair(size={self.size}): expected a size from 8 to 1024")

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set from the cache; drawn first if needed, 2 to 6 ms an image at 64 px.

        ``progress`` is called with (images done, images in total).
        """
        codes, domains, held_out = self._plan()
        rules: dict[str, Any] = {
            "source": "DiceBear pair",
            "n": self.n,
            "tests": self.tests,
            "size": self.size,
            "law": self.law,
            "paired": self.paired,
            "options": [FIXED, *(_variants(code) for code in np.ndindex(*_COUNTS[:4]))],
            "colours": [_HAIR_COLOUR, _SKIN, _BACKGROUND],
            "packages": {p: version(p) for p in ("dicebear-core", "dicebear-styles", "resvg-py")},
        }
        entry = cache.made(f"cartoon-pair-{self.size}px-{self.n}", rules)
        if not entry.exists():
            artists = {side: PairArtist(side) for side in STYLES}
            with cache.draft(entry, self.size) as draft:
                for done, (code, side) in enumerate(zip(codes, domains, strict=True), 1):
                    draft.add(artists[side].draw(code, self.size)[None])
                    if progress:
                        progress(done, len(codes))
                draft.finish(
                    name="cartoon-pair",
                    credit="\n".join(artist.credit for artist in artists.values()),
                    labels={DOMAIN: domains} | labels_of(codes),
                    held_out=held_out,
                    rules=rules,
                )
        return cache.open_entry(entry)

    def _plan(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every image: its vector (N, 7), its style, and whether it is held out."""
        tests = vectors("test", self.tests, self.law)
        ours = vectors("a", self.n, self.law)
        theirs = ours if self.paired else vectors("b", self.n, self.law)
        codes = np.concatenate([ours, tests, theirs, tests])
        domains = np.repeat(["a", "b"], self.n + self.tests)
        held_out = np.tile(np.arange(self.n + self.tests) >= self.n, 2)
        return codes, domains, held_out


def vectors(owner: Owner, n: int, law: Law) -> np.ndarray:
    """The first ``n`` different attribute vectors of a set, int64 (n, 7).

    They are drawn from the distribution ``law``, restricted to the vectors of the set. Two fifths
    of all vectors belong to each style, one fifth to the tests.
    """
    total = prod(_COUNTS)
    order = torch.randperm(total, generator=generator("cartoon-pair", "owners")).numpy()
    mine = np.array([whose == owner for whose in _OWNERS])[order % len(_OWNERS)]
    rng = generator("cartoon-pair", owner, law)
    found: dict[int, None] = {}
    while len(found) < n:
        columns = [
            torch.multinomial(_weights(k, law), total, replacement=True, generator=rng).numpy()
            for k in _COUNTS
        ]
        places = np.ravel_multi_index(columns, _COUNTS)
        found |= dict.fromkeys(places[mine[places]].tolist())
    return np.stack(np.unravel_index(list(found)[:n], _COUNTS), 1)


def _weights(k: int, law: Law) -> torch.Tensor:
    return torch.ones(k) if law == "uniform" else 1 / torch.arange(1.0, k + 1)


def labels_of(codes: np.ndarray) -> dict[str, np.ndarray]:
    """Attribute -> names of the values (N,), for vectors (N, 7)."""
    columns = zip(ATTRIBUTES.items(), codes.T, strict=True)
    return {name: np.array(values)[column] for (name, values), column in columns}


class PairArtist:
    """Draws any attribute vector in one of the two styles."""

    def __init__(self, side: str) -> None:
        self.side, self.artist = side, Artist(STYLES[side])
        self.credit = self.artist.credit

    def draw(self, code: np.ndarray, size: int) -> np.ndarray:
        """The face of one vector (7,): uint8 (3, size, size)."""
        forced = {**FIXED[self.side], **_options(code, "ab".index(self.side))}
        return self.artist.draw(0, size, **forced)[0]


def _options(code: Any, side: int) -> dict[str, Any]:
    """The DiceBear options of one style for a vector."""
    hair, mouth, eyes, glasses = (told and told[side] for told in _variants(code))
    colours = zip((_HAIR_COLOUR, _SKIN, _BACKGROUND), code[4:], strict=True)
    hair_colour, skin, background = ([list(known.values())[k]] for known, k in colours)
    return {
        "hairVariant": [hair],
        "mouthVariant": [mouth],
        "eyesVariant": [eyes],
        "glassesProbability": 100 if glasses else 0,
        **({"glassesVariant": [glasses]} if glasses else {}),
        "hairColor": hair_colour,
        ("baseColor", "skinColor")[side]: skin,
        "backgroundColor": background,
    }


def _variants(code: Any) -> list[tuple[str, str] | None]:
    """The variants of the first four attributes, each as (a, b); None for no glasses."""
    parts: tuple[dict[str, Any], ...] = (_HAIR, _MOUTH, _EYES, _GLASSES)
    return [list(part.values())[k] for part, k in zip(parts, code, strict=False)]
