"""How the fakes are distributed over the labels of a user's own image set.

A reader (:mod:`bascule.attributes.own_labels`) reads the fakes, and the held-out images in their
place, which gives the floor. Both are compared with what is known of the training images. So errors
of the reader are in the number and in its floor. They do not cancel where fakes look like no image
of the set, so a number says how well its reader reads held-out images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bascule.attributes.own_labels import (
    LEAST_HELD_OUT,
    VERSION,
    LabelReader,
    OwnLabel,
    digest_of,
    label_reader,
    own_labels,
)
from bascule.data.images import ImageSet
from bascule.features.extractor import Extractor
from bascule.metrics.categories import beside_floor, missing, total_variation
from bascule.metrics.metric import Measured

LEAST_FAKES = 50
RELIABLE = 0.9  # balanced accuracy
SHOWN = 6  # values in a note


@dataclass(frozen=True)
class OfLabel:
    """What is found of one label.

    name      of the number: "TV of folder"
    spec      what its scale must name beside the extractor
    measured  the total variation between fakes and training images, or why there is none
    notes     the shares of the values, and how well they are read
    """

    name: str
    spec: str
    measured: Measured | str
    notes: tuple[str, ...] = ()


def of_labels(
    images: ImageSet, extractor: Extractor, real: np.ndarray, fake: np.ndarray, seed: int
) -> Iterator[OfLabel]:
    """What is found of each label of ``images`` that may be read.

    ``real``, ``fake``: features (N, d) of all images and of the fakes by ``extractor``.
    """
    for label in own_labels(images):
        name = f"TV of {attribute(label)}"
        spec = f"label reader v{VERSION},{digest_of(label)}"
        train, held_out = label.known(images, "train"), label.known(images, "held_out")
        if len(held_out) < LEAST_HELD_OUT:
            why = f"needs {LEAST_HELD_OUT} held-out images with the label, and has {len(held_out)}"
            yield OfLabel(name, spec, why)
        elif len(fake) < LEAST_FAKES:
            yield OfLabel(name, spec, f"needs {LEAST_FAKES} fakes, {len(fake)} are given")
        else:
            reader = label_reader(label, images, extractor, real)
            least = (1 + 1 / len(label.values)) / 2
            if reader.balanced < least:
                why = (
                    f"cannot be read by {extractor.name}: {_accuracy(reader)}, and half-way from "
                    f"guessing to reading all would be {least:.0%}"
                )
                yield OfLabel(name, spec, why)
                continue
            given, read = label.codes[train], reader.read(real[held_out])
            made = reader.read(fake)
            found = beside_floor(
                lambda codes, given=given: total_variation(codes, given),  # type: ignore[misc]
                made,
                read,
                len(train),
                seed,
            )
            yield OfLabel(name, spec, found, tuple(_notes(reader, made, read, given)))


def attribute(label: OwnLabel) -> str:
    """The name of a label in the name of a number."""
    return re.sub(r"\W+", "_", label.name)


def _accuracy(reader: LabelReader) -> str:
    return (
        f"{reader.accuracy:.0%} of {reader.tested:,} held-out images are read right, "
        f"{reader.balanced:.0%} in the mean over values"
    )


def _notes(
    reader: LabelReader, made: np.ndarray, read: np.ndarray, given: np.ndarray
) -> Iterator[str]:
    values, name = reader.label.values, reader.label.name
    shares = np.stack([np.bincount(x, minlength=len(values)) / len(x) for x in (made, read, given)])
    order = np.argsort(-shares[2], kind="stable")
    told = "; ".join(
        f"{values[k]} " + ", ".join(f"{share:.0%}" for share in shares[:, k]) for k in order[:SHOWN]
    )
    more = f"; and {len(values) - SHOWN} more values" if len(values) > SHOWN else ""
    yield (
        f"{name}, as read of fakes and of held-out images, and as given for training images: "
        f"{told}{more}"
    )
    absent = missing(made, given)
    if absent.categories:
        kinds = ", ".join(values[int(str(k))] for k in absent.categories)
        chance = f"by chance, {absent.by_chance:.2g} would be missing"
        yield f"no fake is read as {name} {kinds} ({chance})"
    trust = "not reliable" if reader.balanced < RELIABLE else "reliable"
    yield f"the reading of {name} is {trust}: {_accuracy(reader)}"
