"""What the latents page draws with: a few loaded Gs, training pictures, readers of attributes."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from bascule.core.errors import UserError
from bascule.runs.store import Run

if TYPE_CHECKING:  # the board starts without PyTorch
    from torch import Tensor

    from bascule.data.images import ImageSet
    from bascule.runs.latent_space import LatentSpace

LOADED = 3  # Gs in memory at once
BESIDE = 4  # nearest training pictures
MOST_STOPS, MOST_FRAMES = 12, 32  # of a walk, and of each of its legs
MOST_SEED = 2**53  # whole numbers that JavaScript knows
FARTHEST = 100.0  # standard deviations along a direction
MOST_PSI = 2.0


@dataclass(frozen=True)
class Place:
    """A point of a latent space: a random one, moved along the first principal directions.

    ``by``: standard deviations along each. ``psi``: truncation, 0 to 2; it comes last.
    As text, ``seed:by,by,...:psi``, such as "7:0,-1.5:0.7".
    """

    seed: int
    by: tuple[float, ...] = ()
    psi: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place of a text. Raises :class:`UserError` for another text."""
        try:
            seed, by, psi = text.split(":")
            found = cls(int(seed), tuple(float(x) for x in by.split(",") if x), float(psi))
        except ValueError:
            found = cls(-1)
        near = all(abs(x) <= FARTHEST for x in found.by) and 0 <= found.psi <= MOST_PSI
        if not 0 <= found.seed <= MOST_SEED or not near:  # near is false for NaN, too
            raise UserError(
                f"the place {text[:60]!r}: expected SEED:MOVE,MOVE,...:PSI such as 7:0,-1.5:0.7"
            )
        return found


class Loaded:
    """One G, kept to draw with; one thread draws at a time."""

    def __init__(self, run: Run, epoch: int | None) -> None:
        from bascule.runs.latent_space import LatentSpace

        self.space: LatentSpace = LatentSpace.of(run, epoch)
        self._lock = Lock()

    def about(self) -> dict[str, Any]:
        """What a page needs to know: the space, its epoch, and the share of each direction."""
        with self._lock:
            shares = self.space.directions.share.tolist()
        return {"space": self.space.space, "epoch": self.space.epoch, "shares": shares}

    def draw(self, place: Place) -> np.ndarray:
        """The picture of a place, uint8 (1, 3, H, W)."""
        with self._lock:
            return self.space.draw(self._point(place))

    def walk(self, places: Sequence[Place], frames: int) -> np.ndarray:
        """The pictures of a closed walk, (stops * frames, 3, H, W); its first frame is a stop.

        Raises :class:`UserError` for a walk that is none, or that is too long.
        """
        import torch

        if not 2 <= len(places) <= MOST_STOPS or not 1 <= frames <= MOST_FRAMES:
            raise UserError(
                f"a walk through {len(places)} pictures in {frames} frames each: expected 2 to "
                f"{MOST_STOPS} pictures and 1 to {MOST_FRAMES} frames"
            )
        with self._lock:
            stops = torch.cat([self._point(place) for place in places])
            return self.space.draw(self.space.walk(stops, frames))

    def _point(self, place: Place) -> Tensor:
        import torch

        point = self.space.random(place.seed)
        if any(place.by):
            directions = self.space.directions
            point = directions.moved(point, torch.tensor(place.by[: len(directions.steps)]))
        return self.space.truncated(point, place.psi)


class Gs:
    """The Gs that were asked for last, by run and epoch."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int | None], tuple[int, Loaded]] = OrderedDict()
        self._lock = Lock()

    def get(self, run: Run, epoch: int | None, renew: bool = False) -> Loaded:
        """The G of ``run`` after ``epoch`` epochs; None: its newest checkpoint.

        ``renew``: whether a checkpoint that was written since is loaded. An open page does not ask
        for it, so that its pictures do not change under the hand while the run trains.
        """
        path, key = run.checkpoint(epoch), (run.id, epoch)
        with self._lock:
            written = path.stat().st_mtime_ns if path.exists() else 0
            if key not in self._kept or (renew and self._kept[key][0] != written):
                self._kept[key] = written, Loaded(run, epoch)
            self._kept.move_to_end(key)
            while len(self._kept) > LOADED:
                self._kept.popitem(last=False)
            return self._kept[key][1]


class Reals:
    """The images of the run that was asked for last, to compare fakes with."""

    def __init__(self) -> None:
        self._of = ""
        self._images: ImageSet | None = None
        self._features: dict[str, np.ndarray] = {}
        self._lock = Lock()

    def images(self, run: Run) -> ImageSet:
        """The image set of a run; one that is not on this machine is made anew.

        Raises :class:`UserError` for code that the user does not trust, and for two image sets.
        """
        with self._lock:
            return self._loaded(run)

    def _loaded(self, run: Run) -> ImageSet:
        if self._images is None or self._of != run.id:
            recipe = run.playable
            if recipe.image_sets != 1:
                raise UserError(f"{run.id} is trained on two image sets, so nothing is compared")
            self._images, self._of, self._features = recipe.data.load(), run.id, {}
        return self._images

    def nearest(self, run: Run, picture: np.ndarray, by: str) -> list[tuple[int, float]]:
        """(index, distance) of the training pictures nearest to ``picture`` (1, 3, H, W).

        ``by``: the name of an extractor. Features of all training pictures are taken at the first
        call, unless they are in the cache: with a network, this takes a minute for 10,000.
        """
        from bascule.features.cache import features_of
        from bascule.features.extractors import extractor
        from bascule.metrics.neighbours import nearest

        with self._lock:
            images = self._loaded(run)
            train, space = images.indices("train"), extractor(by)
            if by not in self._features:
                self._features[by] = features_of(images, space)[train]
            far, found = nearest(space(picture), self._features[by], min(BESIDE, len(train)))
        return [(int(train[k]), float(d)) for k, d in zip(found[0], far[0], strict=True)]


def attributes(images: ImageSet, picture: np.ndarray) -> dict[str, Any]:
    """What is read of ``picture`` (1, 3, H, W): ``labels``, pairs of texts, and a ``remark``.

    On the built-in faces alone, and only by a reader that was learnt before.
    """
    from bascule.attributes.classifier import classifier, is_ready, style_of

    style = style_of(images)
    if style is None:
        return {"labels": [], "remark": ""}
    if not is_ready(style, images.size):
        remark = "No reader of such faces is here yet; bascule evaluate learns one."
        return {"labels": [], "remark": remark}
    reading = classifier(style, images.size).read(picture)
    labels = [[name, str(values[0])] for name, values in reading.labels.items()]
    odd = bool(reading.out_of_vocabulary[0])
    return {"labels": labels, "remark": "No renderer would draw this face." if odd else ""}


def png(picture: np.ndarray) -> bytes:
    """PNG of a picture, uint8 (C, H, W)."""
    from bascule.data.decoding import as_picture

    buffer = io.BytesIO()
    as_picture(picture).save(buffer, "PNG")
    return buffer.getvalue()


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (rows * columns, 3, H, W) as one, (3, rows * H, columns * W)."""
    n, channels, height, width = pictures.shape
    rows = pictures.reshape(n // columns, columns, channels, height, width)
    whole: np.ndarray = rows.transpose(2, 0, 3, 1, 4)
    return whole.reshape(channels, n // columns * height, columns * width)
