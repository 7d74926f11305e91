"""A recipe: everything that decides what a run computes, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import floor
from typing import Any, ClassVar, Literal, Self

from PIL import Image
from torch import Tensor

from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.color import from_space
from bascule.data.faces import Faces
from bascule.data.images import ImageSet
from bascule.data.source import Data, DataSource
from bascule.errors import Refusal, unknown
from bascule.game import Game
from bascule.interventions import Intervention
from bascule.laws import Anneal, Cosine, Rate
from bascule.models.dcgan import DCGAN
from bascule.models.model import Model
from bascule.models.shipped import check_start
from bascule.objectives import GANLoss, Objective, TopK
from bascule.penalties import Penalty
from bascule.steps.gan import Rules
from bascule.training import gan
from bascule.training.grid import beside, grid
from bascule.training.state import Players, State
from bascule.typed import check_fields, later

MOST_EPOCHS = 10_000_000
MOST_THREADS = 1024
SHOWN, SHOWN_COLUMNS = 16, 4  # of the pictures that D judged, of each kind


class AnyRecipe:
    """What a recipe of every kind tells, beside fields of its own. A kind is a frozen dataclass.

    ``scalars``: the names of what its steps measure and notes show. ``drawn``: what :meth:`draw`
    draws, in words; ``telling_rows``: how many rows of that, from the top, tell one arm from
    another at a glance.
    """

    drawn: ClassVar[str]
    telling_rows: ClassVar[int] = 1

    __dataclass_fields__: ClassVar[dict[str, Any]]
    data: Data
    model: Any
    space: Any
    epochs: int
    batch: int
    seed: int
    change: tuple[Intervention, ...] = ()
    precision: str
    threads: int | None
    device: str
    sample_every_epochs: int
    keep_every_epochs: int

    @property
    def scalars(self) -> tuple[str, ...]:
        raise NotImplementedError

    def begin(self) -> Players:
        """What learns, before the first step, drawn from the seed alone."""
        raise NotImplementedError

    def play(
        self, state: State, images: Tensor, indices: Tensor, held_out: Tensor | None
    ) -> dict[str, Tensor]:
        """One step on the training images, uint8 (N, 3, H, W), at ``indices``; its scalars."""
        raise NotImplementedError

    def draw(self, players: Any) -> Image.Image:
        """A picture of what was learnt so far: what is drawn for the same 64 latents."""
        return grid(self.sample(players, gan.fixed_z(self, 64)), 8)

    def draw_shown(self, players: Any) -> Image.Image | None:
        """The reals (left) and the fakes (right) that D judged last; None where there is no D."""
        return None

    @property
    def z_dim(self) -> int | None:
        """How many numbers a latent has; None where nothing draws from latents."""
        return getattr(self.model, "z_dim", None)

    def sample(self, players: Any, z: Tensor) -> Tensor:
        """What is drawn for latents (N, z_dim), uint8 RGB (N, 3, H, W) on the CPU."""
        raise NotImplementedError

    def shows_held_out(self) -> bool:
        """Whether held-out images are learnt from: then none is left to measure with."""
        return False

    def labels_of(self, images: ImageSet) -> Tensor | None:
        """What players are told of each training image, (N,) from 0; None where nothing is."""
        return None

    def but(self, **differences: Any) -> Self:
        """The same recipe with some fields replaced."""
        known = [f.name for f in fields(self)]
        for name in differences:
            if name not in known:
                raise unknown("recipe field", name, known)
        return replace(self, **differences)

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise Refusal(f"{name}={getattr(self, name)!r}: expected {expected}")

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
        first, last = _ends(getattr(self, name))
        self._expect(name, 0 < first < 1 and 0 <= last < 1, "a number between 0 and 1")

    def _check_size(self, does: str) -> None:
        """Check that the model is made for such images; ``does``: what it does with them."""
        if self.data.size != self.model.size:
            raise Refusal(
                f"the images are {self.data.size} px and the model {does} {self.model.size} px: "
                "set data.size and model.size to the same number"
            )


@dataclass(frozen=True)
class Recipe(AnyRecipe):
    """One run of the adversarial game, whole.

    A variant names only its difference: ``recipe.but(epochs=60)``.

    The fields below "arithmetic" change the result in the last bits or more, so they belong to
    the recipe: two runs are bit-identical when their recipes are equal and ``threads`` is not
    None. A run records what None and "auto" became on its machine.
    """

    data: DataSource = Faces()
    model: Model = DCGAN()
    epochs: int = 100
    batch: int = 64
    seed: int = 0
    # optimisation (Adam)
    lr_D: Rate = 2e-4
    lr_G: Rate = 2e-4
    beta1: float = 0.5
    beta2: Rate = 0.999
    # what the players see
    augment: tuple[Augmentation, ...] = ()
    space: Literal["rgb", "hsv"] = "rgb"
    concat: bool = False  # D sees reals and fakes in one forward pass
    change: tuple[Intervention, ...] = ()
    top_k: TopK | None = None  # G learns from its best fakes alone
    objective: Objective = later(GANLoss())
    penalties: tuple[Penalty, ...] = later(())
    critic_steps: int = later(1)  # D's turns for one of G
    ema_half_life: Rate | None = later(None)  # in images; G's average draws the pictures
    cool_down: float = later(0.0)  # the last share of the epochs, in which rates fall to 0
    labels: str | None = later(None)  # a label of the set, which both players are told
    sparsity: float = later(0.0)  # price of G's mean absolute activation, summed over layers
    start: str | None = later(None)  # shipped weights to begin with; None: drawn from the seed
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True
    fused_adam: bool = True
    compile: bool = False
    threads: int | None = None  # None: every core
    device: str = "auto"
    # what is kept
    sample_every_epochs: int = 5
    keep_every_epochs: int = 20

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 2, "at least 2 images (BatchNorm needs them)")
        for name in ("lr_D", "lr_G"):
            self._check_rate(name)
        for name in ("beta1", "beta2"):
            self._expect(name, max(_ends(getattr(self, name))) < 1, "a number in [0, 1)")
            self._expect(name, min(_ends(getattr(self, name))) >= 0, "a number in [0, 1)")
        self._expect("critic_steps", self.critic_steps >= 1, "a whole number >= 1")
        if self.ema_half_life is not None:
            self._expect("ema_half_life", min(_ends(self.ema_half_life)) >= 0, "images, >= 0")
        self._expect("cool_down", 0 <= self.cool_down <= 1, "a share of the epochs, 0 to 1")
        self._expect("sparsity", 0 <= self.sparsity < float("inf"), "a number >= 0")
        kinds = [type(penalty).__name__ for penalty in self.penalties]
        self._expect("penalties", len(set(kinds)) == len(kinds), "each kind once")
        if self.top_k and self.objective.paired:
            raise Refusal(
                "top_k picks fakes, and the relativistic loss needs the real beside each: "
                "use one of them"
            )
        self._check_size("draws")
        if self.start is not None:
            check_start(self.start, self.model)
        if bool(self.classes) != (self.labels is not None):
            raise Refusal(
                f"labels={self.labels} and model.classes={self.classes}: expected both or neither, "
                "e.g. labels=hairVariant model.classes=8 (SNGAN, SAGAN and BigGAN take labels)"
            )
        for change in self.change:
            if self.labels and type(change).batches is not Intervention.batches:
                raise Refusal(f"{change} changes which pictures D is shown: not with labels")
            if change.acts_from() >= self.epochs:
                raise Refusal(f"{change} never acts: the run has {self.epochs} epochs")

    drawn = "G on the same 64 latents, so a place in one grid is the same z in every other"

    @property
    def scalars(self) -> tuple[str, ...]:
        return "loss_D", "loss_G", "D_x", "D_Gz"

    @property
    def rules(self) -> Rules:
        """What the players play for."""
        return Rules(self.objective, self.penalties, self.top_k, self.concat, self.critic_steps)

    def begin(self) -> Game:
        return gan.players(self)

    def play(
        self, state: State, images: Tensor, indices: Tensor, held_out: Tensor | None
    ) -> dict[str, Tensor]:
        return gan.play(self, state, images, indices, held_out)

    def sample(self, players: Game, z: Tensor) -> Tensor:
        return gan.sample(players, z, self.space)

    def draw_shown(self, players: Game) -> Image.Image | None:
        if players.shown is None:
            return None
        sides = (as_uint8(from_space(x[:SHOWN].float(), self.space)).cpu() for x in players.shown)
        return beside(*(grid(pictures, SHOWN_COLUMNS) for pictures in sides))

    def shows_held_out(self) -> bool:
        return any(change.shows_held_out() for change in self.change)

    @property
    def cools_from(self) -> int:
        """The first epoch, counted from 0, whose rates ``cool_down`` lowers."""
        return floor(self.epochs * (1 - self.cool_down)) + 1

    def warmth(self, epoch: int) -> float:
        """What ``cool_down`` leaves of both rates, linearly to nothing at the end."""
        cooling = self.cool_down * self.epochs
        return min(1.0, (self.epochs - epoch) / cooling) if cooling else 1.0

    @property
    def classes(self) -> int:
        """How many labels the players tell apart; 0: they are told none."""
        return getattr(self.model, "classes", 0)

    @property
    def z_dim(self) -> int:
        """How many numbers a latent has: those of the model, and one more that says the label."""
        return self.model.z_dim + (self.labels is not None)

    def labels_of(self, images: ImageSet) -> Tensor | None:
        return gan.label_codes(self, images)


def _ends(rate: Rate) -> tuple[float, float]:
    """A rate at its first epoch and at its last."""
    return (rate.start, rate.end) if isinstance(rate, Anneal | Cosine) else (rate, rate)
