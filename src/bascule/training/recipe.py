"""A recipe: everything that decides what a run computes, as plain frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Literal, Self, TypeGuard

from torch import Tensor

from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.core.schedules import Anneal, Cosine, Rate
from bascule.core.shapes import shape_of
from bascule.data.images import ImageSet
from bascule.data.source import Data
from bascule.gan.objectives import Objective
from bascule.interventions import Intervention
from bascule.models.model import fitted
from bascule.training.trainer import Trainer

MOST_EPOCHS = 10_000_000
MOST_THREADS = 1024


@dataclass(frozen=True)
class Recipe:
    """Base of all recipes. Each kind is a frozen dataclass with more fields.

    data     the images: one image set, or two for translation
    model    the networks
    epochs   passes through the training images, >= 1
    batch    images in one step
    seed     of all random draws
    threads  of the CPU, >= 1; None: every core
    device   "cpu", "cuda", "cuda:0", or "auto"
    sample_every_epochs, keep_every_epochs   epochs between kept previews, and kept checkpoints

    The members below say what a kind can do. Other code asks them, never for the class.
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

    # A caption for previews, and how many of their top rows are enough to compare arms.
    sample_caption: ClassVar[str] = "pictures drawn for the same 64 latents"
    preview_rows: ClassVar[int] = 1
    # What an evaluation of a run measures, and how many image sets the run trains on.
    evaluates: ClassVar[Literal["fakes", "translations", "codes"]] = "fakes"
    image_sets: ClassVar[int] = 1
    # Fields that have an effect only relative to the number of epochs.
    length_fields: ClassVar[tuple[str, ...]] = ()

    def build(self) -> Trainer[Any]:
        """The trainer before its first step; its weights depend on the seed alone.

        :func:`bascule.training.state.begin` calls it, and seeds PyTorch's global generator for
        layers that draw from it. "auto" must be resolved first
        (:func:`bascule.training.hardware.resolve_auto`).
        """
        raise NotImplementedError

    @property
    def scalars(self) -> tuple[str, ...]:
        """The names of the scalars that steps measure and notes show."""
        raise NotImplementedError

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """The interventions of the recipe."""
        return ()

    @property
    def precision(self) -> str:
        """The precision of the networks: "fp32", "bf16" or "auto"."""
        return "fp32"

    @property
    def space(self) -> str:
        """The colour space in which the networks see images."""
        return "rgb"

    @property
    def z_dim(self) -> int | None:
        """The dimension of the latents; None if the kind has no latents."""
        return getattr(self.model, "z_dim", None)

    @property
    def evaluations(self) -> int:
        """How many evaluations of the network draw one picture from a latent."""
        return 1

    @property
    def code_layers(self) -> int:
        """How many layers of codes it computes for an image; 0 if it encodes nothing."""
        return 0

    @property
    def gan_objective(self) -> Objective | None:
        """The objective of an image GAN; None for other kinds."""
        return None

    @property
    def saw(self) -> tuple[str, ...]:
        """The feature networks through which its game is trained, by name, sorted.

        These are those that its parts name in a ``saw`` of their own, as a projected D and a
        perceptual loss do. No number of such a network says anything of the run
        (:mod:`bascule.features.judges`).
        """
        return tuple(sorted({name for f in fields(self) for name in _saw(getattr(self, f.name))}))

    @property
    def is_diagnosable(self) -> bool:
        """Whether diagnostics may query its D during training."""
        return False

    @property
    def round_steps(self) -> int:
        """The least number of steps after which the pattern of work repeats.

        E.g. the critic steps for one step of G, or the interval of a lazy penalty.
        """
        return 1

    @property
    def depends_on_length_from(self) -> int | None:
        """The first epoch, from 0, that would differ if ``epochs`` were larger; None: none."""
        return None

    def uses_held_out(self) -> bool:
        """Whether held-out images are used in training; then none are left for evaluation."""
        return False

    def labels_of(self, images: ImageSet) -> Tensor | None:
        """The class of each training image, (N,) from 0; None if the networks see no labels."""
        return None

    def check_processes(self, n: int) -> None:
        """Raise :class:`UserError` if this recipe cannot train on ``n`` processes."""
        if n > 1:
            kind = type(self).__name__
            raise UserError(
                f"torchrun with a {kind}: only a GANRecipe trains on several processes; start it "
                "without torchrun"
            )

    def for_trial(self) -> Recipe:
        """The recipe whose steps on a few random images tell how fast its networks compute.

        It is played for two steps to choose a precision (:mod:`bascule.training.trial`).
        """
        return self

    def for_drawing(self) -> Self:
        """The recipe for use without training, to draw or to measure."""
        return self

    def replace(self, **differences: Any) -> Self:
        """The same recipe with some fields replaced. Unknown names raise :class:`UserError`.

        With images of another shape and no other model, the model follows (:meth:`model_for`).
        """
        known = [f.name for f in fields(self)]
        for name in differences:
            if name not in known:
                raise unknown("recipe field", name, known)
        if "data" in differences and "model" not in differences:
            differences["model"] = self.model_for(differences["data"])
        return replace(self, **differences)

    def model_for(self, data: Any) -> Any:
        """The model for the images of ``data``: another one if they have another shape.

        Raises :class:`UserError` if the model does not come in that shape.
        """
        if any(getattr(part, "size", None) is None for part in (data, self.model)):
            return self.model
        shape = shape_of(data)
        return self.model if shape_of(self.model) == shape else fitted(self.model, shape)

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
        """Check that images and model have one shape and, unless it is RGB, no other space.

        ``does``: the verb of the model, for the error line.
        """
        given, drawn = shape_of(self.data), shape_of(self.model)
        if given != drawn:
            how = (
                "set data.size and model.size to the same number"
                if given.size != drawn.size
                else f"import them at {drawn}, or take a model with the same channels and sides"
            )
            raise UserError(f"the images are {given} and the model {does} {drawn}: {how}")
        self._expect(
            "space", given.channels == 3 or self.space == "rgb", f"rgb for images of {given}"
        )


def is_recipe(value: Any) -> TypeGuard[Recipe]:
    """Whether ``value`` is a recipe, of whatever kind."""
    return isinstance(value, Recipe)


def as_recipe(value: Any, where: str) -> Recipe:
    """``value`` if it is a recipe; otherwise raise :class:`UserError` with the text ``where``."""
    if is_recipe(value):
        return value
    raise UserError(where)


def _saw(part: Any) -> Iterator[str]:
    """What a part of a recipe says that it saw, and what the parts of it say."""
    if isinstance(part, tuple):
        for each in part:
            yield from _saw(each)
    elif is_dataclass(part):
        told = getattr(part, "saw", ())
        yield from (told,) if isinstance(told, str) else told
        for f in fields(part):
            yield from _saw(getattr(part, f.name))


def ends(rate: Rate) -> tuple[float, float]:
    """A rate at its first epoch and at its last."""
    return (rate.start, rate.end) if isinstance(rate, Anneal | Cosine) else (rate, rate)
