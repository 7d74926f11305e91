"""A recipe: everything that decides what a run computes, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

from torch import Tensor

from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.core.schedules import Anneal, Cosine, Rate
from bascule.data.images import ImageSet
from bascule.data.source import Data
from bascule.gan.objectives import Objective
from bascule.interventions import Intervention
from bascule.training.trainer import Trainer

MOST_EPOCHS = 10_000_000
MOST_THREADS = 1024


@dataclass(frozen=True)
class Recipe:
    """What recipes of every kind have. A kind is a frozen dataclass with fields of its own.

    data     the images, or two sets of them
    model    the networks
    epochs   passes through the training images; ``batch``: images a step
    seed     of all that is drawn at random
    threads  of the CPU; None: every core
    device   "cpu", "cuda", "cuda:0", or "auto"
    sample_every_epochs, keep_every_epochs   how often a preview, and a checkpoint, is kept

    A kind says by the members below what it is able to do; nobody asks for its class.
    """

    data: Data
    model: Any
    epochs: int = 100
    batch: int = 64
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    sample_every_epochs: int = 5
    keep_every_epochs: int = 20

    # What a preview shows, in words; how many of its rows, from the top, tell arms apart.
    sample_caption: ClassVar[str] = "pictures drawn for the same 64 latents"
    preview_rows: ClassVar[int] = 1
    # What an evaluation of a run measures, and how many image sets it learns from.
    evaluates: ClassVar[Literal["fakes", "translations", "codes"]] = "fakes"
    image_sets: ClassVar[int] = 1
    # Fields that matter only together with the number of epochs.
    length_fields: ClassVar[tuple[str, ...]] = ()

    def build(self) -> Trainer[Any]:
        """What trains, before its first step, drawn from the seed alone.

        The recipe must be settled (:func:`bascule.training.hardware.resolve_auto`).
        """
        raise NotImplementedError

    @property
    def scalars(self) -> tuple[str, ...]:
        """The names of what steps measure and notes show."""
        raise NotImplementedError

    @property
    def change(self) -> tuple[Intervention, ...]:
        """The changed rules of its game."""
        return ()

    @property
    def precision(self) -> str:
        return "fp32"

    @property
    def space(self) -> str:
        """The colour space in which the networks see images."""
        return "rgb"

    @property
    def z_dim(self) -> int | None:
        """How many numbers a latent has; None where nothing draws from latents."""
        return getattr(self.model, "z_dim", None)

    @property
    def code_layers(self) -> int:
        """How many layers of codes pictures have in it; 0 where it encodes nothing."""
        return 0

    @property
    def gan_objective(self) -> Objective | None:
        """What a G and a D of images play for; None where no such two play."""
        return None

    @property
    def is_diagnosable(self) -> bool:
        """Whether its D can be asked about images while it trains."""
        return False

    @property
    def round_steps(self) -> int:
        """After how many steps everything that is not done in each step was done equally often."""
        return 1

    @property
    def depends_on_length_from(self) -> int | None:
        """The first epoch, from 0, whose steps depend on how many epochs there are in all."""
        return None

    def uses_held_out(self) -> bool:
        """Whether held-out images are learnt from: then none is left to measure with."""
        return False

    def labels_of(self, images: ImageSet) -> Tensor | None:
        """What networks are told of each training image, (N,) from 0; None where nothing is."""
        return None

    def check_processes(self, n: int) -> None:
        """Refuse to train on ``n`` processes where this kind, or its fields, cannot."""
        if n > 1:
            kind = type(self).__name__
            raise UserError(
                f"torchrun with a {kind}: only the game of G and D runs on many processes"
            )

    def for_drawing(self) -> Self:
        """The same for whoever only draws or measures with it."""
        return self

    def replace(self, **differences: Any) -> Self:
        """The same recipe with some fields replaced."""
        known = [f.name for f in fields(self)]
        for name in differences:
            if name not in known:
                raise unknown("recipe field", name, known)
        return replace(self, **differences)

    def __getattr__(self, name: str) -> Any:
        more = ": it is called replace() now" if name == "but" else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{more}")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise UserError(f"{name}={getattr(self, name)!r}: expected {expected}")

    def _check(self) -> None:
        """Check the fields that every kind has; call it first in ``__post_init__``."""
        check_fields(self)
        for name in ("epochs", "sample_every_epochs", "keep_every_epochs"):
            self._expect(name, getattr(self, name) >= 1, "a whole number >= 1")
        self._expect("epochs", self.epochs <= MOST_EPOCHS, f"at most {MOST_EPOCHS:,}")
        self._expect("threads", self.threads is None or self.threads >= 1, "at least 1, or None")
        self._expect("threads", (self.threads or 1) <= MOST_THREADS, f"at most {MOST_THREADS:,}")

    def _check_rate(self, name: str) -> None:
        """Check a learning rate, at its first epoch and at its last."""
        first, last = ends(getattr(self, name))
        self._expect(name, 0 < first < 1 and 0 <= last < 1, "a number between 0 and 1")

    def _check_size(self, does: str) -> None:
        """Check that the model is made for such images; ``does``: what it does with them."""
        if self.data.size != self.model.size:
            raise UserError(
                f"the images are {self.data.size} px and the model {does} {self.model.size} px: "
                "set data.size and model.size to the same number"
            )


def as_recipe(value: Any, where: str) -> Recipe:
    """``value``, where it is a recipe of any kind; else raises :class:`UserError`: ``where``."""
    if isinstance(value, Recipe):
        return value
    raise UserError(where)


def ends(rate: Rate) -> tuple[float, float]:
    """A rate at its first epoch and at its last."""
    return (rate.start, rate.end) if isinstance(rate, Anneal | Cosine) else (rate, rate)
