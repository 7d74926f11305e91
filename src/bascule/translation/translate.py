"""Translate images with the generators of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.batches import as_float, as_uint8
from bascule.data.decoding import NotAPicture, decode, decode_whole
from bascule.data.images import Progress
from bascule.data.sources import open_source
from bascule.runs.generate import load_trainer
from bascule.runs.store import Run
from bascule.translation.recipe import TranslationTrainer

AT_ONCE = 16


@dataclass(frozen=True)
class Translator:
    """A generator of a run, from one domain to the other.

    ``multiple``: sides of images must be multiples of it; other images are padded and cropped
    again.
    """

    trainer: TranslationTrainer[Any, Any]
    net: nn.Module
    multiple: int

    def floats(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1], of any H and W -> translations, same shape, on CPU."""
        height, width = x.shape[-2:]
        below, beside = -height % self.multiple, -width % self.multiple
        x = F.pad(x, (0, beside, 0, below), "replicate")
        made = [
            self.trainer.translate(self.net, part.to(self.trainer.device)).cpu()
            for part in x.split(AT_ONCE)
        ]
        return torch.cat(made)[..., :height, :width]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Images uint8 (N, 3, H, W) -> translations, uint8 of the same shape."""
        return as_uint8(self.floats(as_float(torch.from_numpy(np.array(pictures))))).numpy()


@dataclass(frozen=True)
class Ways:
    """The translators of a run, and its number of epochs. ``back``: None if there is none."""

    there: Translator
    back: Translator | None
    epoch: int


def ways_of(run: Run, epoch: int | None = None) -> Ways:
    """The translators of a run from a kept checkpoint; None: the newest.

    Raises :class:`UserError` for a run without translators.
    """
    if run.recipe.evaluates != "translations":
        kind = type(run.recipe).__name__
        raise UserError(
            f"{run.id} cannot translate: it is a {kind}; train a preset such as cyclegan-light"
        )
    _, state = load_trainer(run, epoch)
    trainer = cast(TranslationTrainer[Any, Any], state.trainer)
    made = [
        None if net is None else Translator(trainer, net.eval(), getattr(net, "side", 4))
        for net in trainer.translators()
    ]
    assert made[0] is not None
    return Ways(made[0], made[1], state.epoch)


@dataclass(frozen=True)
class Done:
    """One image and its translation: paths relative to the folder of the translations.

    ``again``: the translation mapped back by the inverse generator, or None.
    """

    name: str
    given: Path
    made: Path
    again: Path | None


def translate_pictures(
    there: Translator,
    back: Translator | None,
    source: Path,
    folder: Path,
    size: int,
    crop: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Done], list[tuple[str, str]]]:
    """Translate the images of ``source`` into ``folder``; returns the results and (name, error).

    Each image is resized so that its shorter side has ``size`` pixels. With ``crop``, the largest
    centred square is used. For each image, ``folder`` gets ``translated/NAME.png``, the resized
    input in ``input/`` and, with an inverse generator, the image mapped back in ``cycle/``.
    Unreadable images are left out and returned with their error. Files that are not images, by name
    and content, are ignored.
    Raises :class:`UserError` if there is no image, if none can be read, or if the disk is full.
    """
    done: list[Done] = []
    unread: list[tuple[str, str]] = []
    waiting: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
    if source.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"-o {folder}: it lies in the input folder; give another folder")

    def flush(shape: tuple[int, ...]) -> None:
        named = waiting.pop(shape, [])
        if named:
            done.extend(_written(there, back, named, folder))

    prepare = decode if crop else decode_whole
    with open_source(source, single=True) as found:
        names = _names([picture.name for picture in found])
        for number, picture in enumerate(found, 1):
            try:
                pixels = picture.prepared(lambda stored: prepare(stored, size))
            except NotAPicture:
                continue
            except ValueError as error:
                unread.append((picture.name, str(error)))
                continue
            waiting.setdefault(pixels.shape, []).append((names[picture.name], pixels))
            if len(waiting[pixels.shape]) == AT_ONCE:
                flush(pixels.shape)
            if progress:
                progress(number, len(found))
        for shape in list(waiting):
            flush(shape)
    if not done:
        why = f": {unread[0][0]} is {unread[0][1]}" if unread else ""
        raise UserError(f"{source} contains no readable image{why}; expected PNG, JPEG or WebP")
    return sorted(done, key=lambda d: d.name), unread


def _written(
    there: Translator,
    back: Translator | None,
    named: list[tuple[str, np.ndarray]],
    folder: Path,
) -> list[Done]:
    """Translate images of one shape, and write them."""
    given = np.stack([pixels for _, pixels in named])
    made = there(given)
    again = back(made) if back else None
    found = []
    for k, (name, _) in enumerate(named):
        rows = [("input", given), ("translated", made)]
        rows += [("cycle", again)] if again is not None else []
        paths = [folder / inside / name for inside, _ in rows]
        for path, (_, pictures) in zip(paths, rows, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_png(path, Image.fromarray(pictures[k].transpose(1, 2, 0)))
        found.append(Done(name, paths[0], paths[1], paths[2] if back else None))
    return found


def _names(given: list[str]) -> dict[str, str]:
    """A unique .png name for each image; subfolders are kept."""
    stems = [str(PurePosixPath(name).with_suffix("")) for name in given]
    often = Counter(stems)
    return {
        name: f"{stem if often[stem] == 1 else name}.png"
        for name, stem in zip(given, stems, strict=True)
    }
