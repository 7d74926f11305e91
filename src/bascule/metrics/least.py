"""The least numbers of images that a statistic needs to be meaningful."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Sizes:
    """Numbers of images of each kind: available ones, or the least that a statistic needs."""

    fakes: int
    held_out: int
    train: int

    def lacks(self, there: Sizes) -> str:
        """Why ``there`` is not enough: "needs 40 held-out images, this set holds out 9".

        The empty string if it is enough.
        """
        found = []
        for field in fields(self):
            least, have = getattr(self, field.name), getattr(there, field.name)
            if have < least:
                what, told = _WORDS[field.name]
                found.append(f"{least} {what}, {told.format(have)}")
        return f"needs {', and '.join(found)}" if found else ""


_WORDS = {
    "fakes": ("fakes", "{} are given"),
    "held_out": ("held-out images", "this set holds out {}"),
    "train": ("training images", "this set has {}"),
}


def too_few(least: Mapping[str, Sizes], there: Sizes) -> dict[str, str]:
    """The statistics in ``least`` (statistic -> sizes it needs) that lack images, and why."""
    found = {name: sizes.lacks(there) for name, sizes in least.items()}
    return {name: why for name, why in found.items() if why}
