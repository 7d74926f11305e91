"""Classifiers that recognise the parts and colours of a cartoon face from its pixels.

The renderer of the built-in faces gives exact labels, so a network can be trained on renders and
tested on unseen ones. It then classifies the faces of a generator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.damage import IMPOSTORS, imperfect
from bascule.attributes.kept import kept
from bascule.attributes.learning import (
    BATCH,
    Accuracy,
    accuracies,
    adding_up,
    encoded,
    learn,
    logits,
)
from bascule.attributes.network import Reader
from bascule.attributes.reading import VERSION, AttributeClassifier, Reading, doubts, reading_of
from bascule.attributes.renders import FRESH, LEARNT_FROM, draw
from bascule.core.context import generator
from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.data.images import ImageSet, Progress
from bascule.data.places import root
from bascule.data.styles import OPTIONS

TRUSTED = 0.95  # an attribute is used only with this accuracy, plain and balanced
REFUSED = 0.05  # share of fresh renders, clean and damaged, that are called out of vocabulary
IMPOSTOR_RENDERS = 300
SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Budget:
    """How much training and testing a classifier gets.

    renders  training renders, at least 50
    epochs   passes through them, at least 1
    fresh    unseen renders for its accuracy and for floors, at least 50

    The default takes about five minutes on one core at 64 px, and less on several.
    """

    renders: int = 6000
    epochs: int = 12
    fresh: int = 5000

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.renders, self.fresh) < 50 or self.epochs < 1:
            raise UserError(f"{self}: expected at least 50 renders, 50 fresh ones and 1 epoch")


def classifier(
    style: str, size: int, progress: Progress | None = None, budget: Budget | None = None
) -> AttributeClassifier:
    """The classifier of ``style`` at ``size`` px: as shipped, from the cache, or newly trained.

    One that is trained is kept in the cache. That of micah at 64 px comes with the package, so that
    its numbers can be compared between machines.

    ``progress`` is called with (images drawn or trained on so far, in all). Raises UserError for an
    unknown style, a size outside 8 to 1024, a damaged file, a cache that cannot be written, and if
    no attribute reaches the accuracy ``TRUSTED``.
    """
    if style not in OPTIONS:
        raise unknown("style of faces", style, OPTIONS)
    if not 8 <= size <= 1024:
        raise UserError(f"a classifier of faces of {size} px: expected a size from 8 to 1024")
    rules = budget or Budget()
    return kept(
        "attribute classifier",
        _place(style, size, rules),
        lambda: _trained(style, size, rules, progress),
        _plain,
        lambda told: _opened(told, style, size),
    )


def is_ready(style: str, size: int) -> bool:
    """Whether :func:`classifier` finds this one, without minutes of training."""
    return _place(style, size, Budget()).exists()


def style_of(images: ImageSet) -> str | None:
    """The style of the built-in faces in ``images``; None for any other set."""
    styles = {f"faces-{style}": style for style in OPTIONS}
    return styles.get(images.name)


def _trained(
    style: str, size: int, budget: Budget, progress: Progress | None
) -> AttributeClassifier:
    impostors = min(IMPOSTOR_RENDERS, budget.fresh)
    learning = budget.epochs * (budget.renders - budget.renders % min(BATCH, budget.renders))
    tell = adding_up(progress, budget.renders + learning + budget.fresh + impostors)
    lessons = draw(style, size, LEARNT_FROM, budget.renders, enriched=True, drawn=tell)
    known = {name: np.unique(values).tolist() for name, values in lessons.labels.items()}
    categories = {name: tuple(values) for name, values in known.items() if len(values) > 1}
    reader = rounded(learn(lessons, categories, budget.epochs, tell))
    return _tested(reader, categories, style, size, budget, tell)


def rounded(reader: Reader) -> Reader:
    """``reader`` with weights that half precision holds, which makes its file half as large."""
    for number in (*reader.parameters(), *reader.buffers()):
        if number.is_floating_point():
            number.data = number.data.half().float()
    return reader


def _tested(
    reader: Reader,
    categories: dict[str, tuple[str, ...]],
    style: str,
    size: int,
    budget: Budget,
    tell: Callable[[int], None],
) -> AttributeClassifier:
    """The classifier of a trained ``reader``, tested on fresh renders and impostors."""
    impostors = min(IMPOSTOR_RENDERS, budget.fresh)
    fresh = draw(style, size, FRESH, budget.fresh, drawn=tell)
    clean = logits(reader, fresh.pixels)
    damaged = logits(reader, fresh.pixels, lambda x, at: imperfect(x, generator("damaged", at)))
    accuracy = accuracies(clean, damaged, fresh, categories)
    used = tuple(n for n, a in accuracy.items() if min(a.accuracy, a.balanced) >= TRUSTED)
    if not used:
        best = max(accuracy, key=lambda name: accuracy[name].balanced)
        raise UserError(
            f"no attribute of {style} at {size} px can be read after {budget.renders} renders; the "
            f"best, {best}, is right in {accuracy[best].balanced:.0%}: choose larger images"
        )

    def of_used(told: list[Tensor]) -> dict[str, Tensor]:
        return {n: one for n, one in zip(categories, told, strict=True) if n in used}

    both = torch.cat([doubts(of_used(told).values()) for told in (clean, damaged)])
    threshold = float(torch.quantile(both, 1 - REFUSED))
    detected = {
        kind: float((doubts(of_used(told).values()) > threshold).float().mean())
        for kind, told in _impostors(style, reader, fresh.pixels[:impostors], tell)
    }
    return AttributeClassifier(
        style=style,
        size=size,
        accuracy=accuracy,
        used=used,
        categories=categories,
        renders=budget.renders,
        detected=detected,
        fresh=reading_of(of_used(clean), categories, threshold),
        threshold=threshold,
        reader=reader,
    )


def _impostors(
    style: str, reader: Reader, faces: np.ndarray, tell: Callable[[int], None]
) -> Iterator[tuple[str, list[Tensor]]]:
    """Each kind of impostor, with the logits of ``reader`` for some hundred of them."""
    for kind, changed in IMPOSTORS.items():
        rng = generator("impostors", kind)
        yield kind, logits(reader, faces, _each(changed, rng))
    other = next(name for name in OPTIONS if name != style)
    drawn = draw(other, faces.shape[-1], FRESH, len(faces), drawn=tell)
    yield f"another style ({other})", logits(reader, drawn.pixels)


def _each(
    changed: Callable[[Tensor, torch.Generator], Tensor], rng: torch.Generator
) -> Callable[[Tensor, int], Tensor]:
    return lambda x, _: changed(x, rng)


def _place(style: str, size: int, budget: Budget) -> Path:
    rules = {
        "version": VERSION,
        "style": style,
        "size": size,
        "options": OPTIONS[style],
        "budget": asdict(budget),
        "packages": {p: version(p) for p in ("dicebear-core", "dicebear-styles", "resvg-py")},
    }
    digest = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]
    name = f"{style}-{size}px-{digest}.pt"
    shipped = SHIPPED / name
    return shipped if shipped.exists() else root() / "attributes" / name


def _plain(made: AttributeClassifier) -> dict[str, Any]:
    """The classifier as tensors and plain values, which load with ``weights_only=True``."""
    codes = encoded(made.fresh.labels, {name: made.categories[name] for name in made.used})
    return {
        "accuracy": {name: asdict(accuracy) for name, accuracy in made.accuracy.items()},
        "used": list(made.used),
        "categories": {name: list(known) for name, known in made.categories.items()},
        "renders": made.renders,
        "detected": made.detected,
        "fresh": codes.to(torch.uint8),
        "fresh_out_of_vocabulary": torch.from_numpy(made.fresh.out_of_vocabulary),
        "threshold": made.threshold,
        "weights": {
            name: value.half() if value.is_floating_point() else value
            for name, value in made.reader.state_dict().items()
        },
    }


def _opened(told: dict[str, Any], style: str, size: int) -> AttributeClassifier:
    categories = {name: tuple(known) for name, known in told["categories"].items()}
    reader = Reader([len(known) for known in categories.values()], generator("reader weights"))
    reader.load_state_dict(told["weights"])
    columns = zip(told["used"], told["fresh"].T.numpy(), strict=True)
    return AttributeClassifier(
        style=style,
        size=size,
        accuracy={name: Accuracy(**of) for name, of in told["accuracy"].items()},
        used=tuple(told["used"]),
        categories=categories,
        renders=told["renders"],
        detected=told["detected"],
        fresh=Reading(
            {name: np.array(categories[name])[column] for name, column in columns},
            told["fresh_out_of_vocabulary"].numpy(),
        ),
        threshold=told["threshold"],
        reader=reader.to(memory_format=torch.channels_last).eval(),
    )
