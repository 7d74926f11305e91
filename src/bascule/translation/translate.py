"""A run's translator, ready for pictures."""

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
    """One way of a run: pictures of one kind to pictures of the other.

    ``multiple``: what the sides of its pictures are multiples of; others are padded on the way.
    """

    trainer: TranslationTrainer[Any, Any]
    net: nn.Module
    multiple: int

    def floats(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1], any H and W -> theirs, on the CPU."""
        height, width = x.shape[-2:]
        below, beside = -height % self.multiple, -width % self.multiple
        x = F.pad(x, (0, beside, 0, below), "replicate")
        made = [
            self.trainer.translate(self.net, part.to(self.trainer.device)).cpu()
            for part in x.split(AT_ONCE)
        ]
        return torch.cat(made)[..., :height, :width]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, 3, H, W) -> theirs."""
        return as_uint8(self.floats(as_float(torch.from_numpy(np.array(pictures))))).numpy()


@dataclass(frozen=True)
class Ways:
    """The translators of a run, and after how many epochs. ``back``: None where there is none."""

    there: Translator
    back: Translator | None
    epoch: int


def ways_of(run: Run, epoch: int | None = None) -> Ways:
    """The translators of a run as a kept checkpoint has them; None: the newest.

    Raises :class:`UserError` for a run that translates nothing.
    """
    if run.recipe.evaluates != "translations":
        kind = type(run.recipe).__name__
        raise UserError(f"{run.id} translates nothing: it is a {kind}; train cyclegan-light first")
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
    """One picture and what became of it: files below the folder of the translations.

    ``again``: what leads back makes of the translation, where there is such a thing.
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
    """Translate the pictures of ``source`` into ``folder``; what was done, and (name, why not).

    The shorter side of each becomes ``size`` pixels and its shape stays, or with ``crop`` the
    largest centred square is taken. In ``folder``, ``translated/`` gets a ``NAME.png`` for each,
    ``input/`` what was given and ``cycle/`` what leads back. Unreadable pictures are left out;
    files that are no pictures, by name and content, are passed over.
    Raises :class:`UserError` where there is no picture, none can be read, or the disk is full.
    """
    done: list[Done] = []
    unread: list[tuple[str, str]] = []
    waiting: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
    if source.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"-o {folder}: the pictures are there; give another folder")

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
        raise UserError(
            f"{source} holds no picture that can be read{why}; expected PNG, JPEG, WebP"
        )
    return sorted(done, key=lambda d: d.name), unread


def _written(
    there: Translator,
    back: Translator | None,
    named: list[tuple[str, np.ndarray]],
    folder: Path,
) -> list[Done]:
    """Translate pictures of one shape, and write them."""
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
    """A .png name for each, different from all others; folders stay."""
    stems = [str(PurePosixPath(name).with_suffix("")) for name in given]
    often = Counter(stems)
    return {
        name: f"{stem if often[stem] == 1 else name}.png"
        for name, stem in zip(given, stems, strict=True)
    }
