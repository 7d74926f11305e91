"""The recipe of a GAN that uses sparse deep predictive coding. It trains in stages.

First, dictionaries are learnt from the training images alone. Then, if G is a generator of codes, G
and a critic of codes can be trained on codes. Last, G and D are trained on pixels, like any
GANRecipe. All stages are epochs of one run, so they are shown, saved, resumed and measured like
other epochs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from bascule.core.context import Services, StepContext, generator
from bascule.core.errors import UserError
from bascule.data.batches import as_float
from bascule.gan import recipe as gan
from bascule.gan.game import Game
from bascule.gan.penalties import R1
from bascule.gan.step import Rules, gan_step
from bascule.interventions import Compose, InstanceNoise
from bascule.models.dcgan import DCGAN
from bascule.sdpc.hybrid.model import (
    LEVEL,
    LOUD,
    SDPCGAN,
    CodeGenerator,
    CodeJudge,
    CodesOf,
    SDPCCritic,
    check_geometry,
)
from bascule.sdpc.model import Inference, Network, infer, step_sizes
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.standard import Standardise
from bascule.sdpc.recipe import SDPCRecipe, SDPCTrainer
from bascule.sdpc.step import Learner
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Working

AT_ONCE = 32  # images per batch of inference
MEASURED = 512  # training images that fix the scale of a critic's features


@dataclass(frozen=True)
class HybridRecipe(gan.GANRecipe):
    """One complete run of a hybrid of GAN and SDPC.

    With a DCGAN, the dictionaries are not used in its training. Its fakes can be settled in them,
    to compare it with hybrids.

    coding           the recipe of the dictionaries, with its own number of epochs. Its data, seed,
                     batch, threads and device are those of the run.
    code_epochs      epochs of training on codes that follow (only for a generator of codes).
    code_rates       factor of both learning rates in the training on codes.
    code_noise       standard deviation of noise on the input of the critic of codes, for real and
                     generated codes. Real codes contain exact zeros, by which the critic could
                     recognise them. Codes have a root mean square of 1/2.
    code_r1          gamma of that critic's gradient penalty (R1). Without it G ignores z.
    lr_dictionaries  learning rate of G's dictionaries in the training on pixels, as a factor of
                     G's learning rate; 0: they are fixed.
    anchor           weight of the reconstruction error of G's dictionaries in G's loss: 1/2 |x -
                         up(low) - D1^T g1|² + 1/2 |v1 g1 - D2^T g2|², in means over pixels and
                         positions. g are the codes of the training images at the end of dictionary
                         learning.
    innovation_price weight of the mean of |u| in G's loss.
    """

    model: SDPCGAN | SDPCCritic | DCGAN = SDPCGAN()  # type: ignore[assignment]
    coding: SDPCRecipe = SDPCRecipe(epochs=4)
    code_epochs: int = 0
    code_rates: float = 0.25
    code_noise: float = 0.3
    code_r1: float = 10.0
    lr_dictionaries: float = 0.1
    anchor: float = 1.0
    innovation_price: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.coding.preprocess
        split = len(steps) == 2 and isinstance(steps[0], Bands) and steps[1] == Standardise()
        if not split:
            raise UserError(
                f"coding.preprocess={steps}: a hybrid decodes to pixels; expected (Bands(...), "
                "Standardise())"
            )
        self._expect("code_epochs", self.code_epochs >= 0, "a whole number >= 0")
        for name in (
            *("code_rates", "code_noise", "code_r1"),
            *("lr_dictionaries", "anchor", "innovation_price"),
        ):
            self._expect(name, 0 <= getattr(self, name) < float("inf"), "a number >= 0")
        self._expect("compile", not self.compile, "False: a hybrid has several training stages")
        self._expect("space", self.space == "rgb", "rgb")
        if self.model.size != self.coding.model.size:
            raise UserError(
                f"model.size={self.model.size} and coding.model.size={self.coding.model.size}: "
                "expected the same"
            )
        if self.pixels_from >= self.epochs:
            raise UserError(
                f"epochs={self.epochs}: {self.coding.epochs} for dictionaries and "
                f"{self.code_epochs} for codes leave none for pixels; expected at least "
                f"{self.pixels_from + 1}"
            )
        if isinstance(self.model, SDPCGAN) and self.sparsity:
            raise UserError(
                f"sparsity={self.sparsity}: not for SDPCGAN; set it to 0 and use innovation_price"
            )
        if isinstance(self.model, SDPCGAN) and self.augment:
            raise UserError(
                f"augment={self.augment}: codes are computed once, for the training images "
                "without augmentation; use interventions=DiffAugment()"
            )
        if self.code_epochs and not isinstance(self.model, SDPCGAN):
            raise UserError(
                f"code_epochs={self.code_epochs}: G of {self.model} generates no codes; set it to 0"
            )
        name = type(self.model).__name__
        check_geometry(name, self.model.size, self.coding.model, self._split.low)

    @property
    def scalars(self) -> tuple[str, ...]:
        drawn = ("innovation", "code_active") if isinstance(self.model, SDPCGAN) else ()
        codes = ("code_loss_D", "code_loss_G") if self.code_epochs else ()
        return (*super().scalars, "cost", *codes, *drawn)

    @property
    def pixels_from(self) -> int:
        """The first epoch, counted from 0, of the training on pixels."""
        return self.coding.epochs + self.code_epochs

    @property
    def dictionaries(self) -> SDPCRecipe:
        """The recipe of the first stage."""
        return self.coding.replace(
            data=self.data, seed=self.seed, threads=self.threads, device=self.device
        )

    @property
    def _split(self) -> Bands:
        return cast(Bands, self.coding.preprocess[0])

    @property
    def code_layers(self) -> int:
        return len(self.coding.model.layers)

    def for_trial(self) -> Recipe:
        # Its own steps begin with dictionaries. Its networks have the layers of a DCGAN.
        width = self.model.width
        model = DCGAN(width=width, size=self.model.size, norm_D="spectral")
        return gan.GANRecipe(
            data=self.data,
            model=model,
            threads=self.threads,
            device=self.device,
            channels_last=self.channels_last,
        )

    def check_processes(self, n: int) -> None:
        Recipe.check_processes(self, n)  # without the check for GANs: it has several stages

    def build(self) -> HybridTrainer:
        dictionaries = self.dictionaries.build()
        learner = dictionaries.learner
        given: list[Any] = [self.coding.model, self._split.rise(self.model.size).float()]
        if isinstance(self.model, SDPCCritic):
            given.append(learner.network)
        if isinstance(self.model, DCGAN):
            given.clear()

        def make(rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
            return self.model.players(rng, *given)

        game = HybridGame(**vars(gan.networks(self, make)), learner=learner)
        game.fresh = lambda rng: game.equipped(make(rng))
        if isinstance(self.model, SDPCGAN):
            self._add_codes(game)
        return HybridTrainer(self, game, dictionaries)

    def _add_codes(self, game: HybridGame) -> None:
        """Add the networks and optimisers of the training on codes, and G's extra loss."""
        assert isinstance(self.model, SDPCGAN)
        G = cast(CodeGenerator, game.G)
        parts = (G.trunk, G.to_codes, G.to_low)
        heads = [weight for part in parts for weight in part.parameters()]
        new = [] if G.innovation is None else list(G.innovation.parameters())
        slow = {"params": list(G.dictionaries), "share": self.lr_dictionaries}
        game.opt_G = gan.adam(self, [{"params": heads + new}, slow], self.lr_G)
        game.extra_generator_loss = lambda: price(self, game)
        critic = self.model.critic(generator(self.seed, "critic of codes"), self.coding.model)
        critic.to(game.device).train()
        slower = {"share": self.code_rates}
        game.latent = Game(
            *(CodesOf(G), critic),
            gan.adam(self, [slower | {"params": heads}], self.lr_G),
            gan.adam(self, [slower | {"params": [*critic.parameters()]}], self.lr_D),
            z_dim=self.z_dim,
            device=game.device,
            precision=self.precision,
        )


def price(recipe: HybridRecipe, game: HybridGame) -> Tensor:
    """The extra loss of a generator of codes: the penalty on innovation, and the anchor."""
    G, batch = cast(CodeGenerator, game.G), game.batch
    assert batch is not None, "a step of this game"
    paid: Tensor = G.dictionaries[0].new_zeros(())
    if "u" in G.last:
        paid = paid + recipe.innovation_price * G.last["u"].float().abs().mean()
    if recipe.anchor and recipe.lr_dictionaries:
        left = (
            batch.band - G.synthesis(0, batch.g1),
            G.gain * batch.g1 - G.synthesis(1, batch.g2),
        )
        paid = paid + recipe.anchor / 2 * sum(e.square().mean() for e in left)
    return paid


@dataclass
class Codebook:
    """Training images and their codes, in units of pixels in [-1, 1].

    The fields are the low-pass (N, 3, low, low), the band above it (N, 3, H, W), and the codes g1
    (N, K1, h1, h1) and g2 (N, K2, h, h).
    """

    low: Tensor
    band: Tensor
    g1: Tensor
    g2: Tensor

    def of(self, indices: Tensor) -> Codebook:
        at = indices.to(self.low.device)
        return Codebook(*(part[at].float() for part in vars(self).values()))

    def rms(self) -> Tensor:
        """The root mean square of g2."""
        parts = [part.float().square().mean() for part in self.g2.split(AT_ONCE)]
        return torch.stack(parts).mean().sqrt()


def settled(
    recipe: SDPCRecipe, network: Network, images: Tensor, how: Inference, working: Working
) -> Codebook:
    """The codes of images, uint8 (N, 3, H, W), stored with 16 bits per number."""
    found: list[tuple[Tensor, ...]] = []
    for part in images.split(AT_ONCE):
        y, kept = recipe.prepared(part.to(network.dictionaries[0].device))
        deviation = kept[1]["std"]
        maps = infer(network, y, how).maps
        large = (y, *maps)
        found.append((kept[0]["low"], *((x * deviation).half() for x in large)))
        working("settling the training images", min(AT_ONCE * len(found), len(images)), len(images))
    return Codebook(*(torch.cat(parts) for parts in zip(*found, strict=True)))


@dataclass(kw_only=True)
class HybridGame(Game):
    """G and D, the learner of the dictionaries, and the Game of the training on codes.

    ``rates``: step sizes of inference, once the dictionaries are learnt. ``book``: the codes of the
    training images. ``batch``: those of the current step. The last two are not saved in
    checkpoints.
    """

    learner: Learner
    latent: Game | None = None
    rates: tuple[float, ...] | None = None
    book: Codebook | None = None
    batch: Codebook | None = None

    def equipped(self, players: tuple[nn.Module, nn.Module]) -> tuple[nn.Module, nn.Module]:
        """``players`` with the dictionaries, scales and step sizes of this game's G and D."""
        for player in players:
            if isinstance(player, CodeGenerator):
                player.take(self.learner.network)
                player.scale.copy_(cast(CodeGenerator, self.G).scale)
            if isinstance(player, CodeJudge):
                player.rates.copy_(cast(CodeJudge, self.D).rates)
                player.deviation.copy_(cast(CodeJudge, self.D).deviation)
        return players

    @torch.no_grad()
    def coding(self) -> Learner:
        """The learner whose dictionaries encode and decode images.

        These are G's dictionaries if G has any, else those of the first stage.
        """
        G = self.drawing()
        if isinstance(G, CodeGenerator):
            network = self.learner.network
            for mine, drawn in zip(network.dictionaries, G.dictionaries, strict=True):
                mine.copy_(drawn)
        return self.learner

    def state_dict(self) -> dict[str, Any]:
        saved = super().state_dict()
        saved |= {"learner": self.learner.state_dict(), "rates": self.rates}
        if self.latent is not None:  # it shares this game's G
            latent = self.latent.state_dict()
            saved["latent"] = {name: part for name, part in latent.items() if name != "G"}
        return saved

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        super().load_state_dict(saved)
        self.learner.load_state_dict(saved["learner"])
        self.rates = saved["rates"]
        if self.latent is not None:
            self.latent.load_state_dict(saved["latent"] | {"G": self.latent.G.state_dict()})


class HybridTrainer(gan.GANTrainer[HybridRecipe]):
    """Trains in stages: dictionaries, then codes, then pixels."""

    game: HybridGame

    def __init__(self, recipe: HybridRecipe, game: HybridGame, dictionaries: SDPCTrainer) -> None:
        super().__init__(recipe, game)
        self.dictionaries = dictionaries

    def step(self, batch: Batch) -> dict[str, Tensor]:
        recipe, game = self.recipe, self.game
        if batch.epoch < recipe.coding.epochs:
            told = self.dictionaries.step(batch)
            game.equipped((game.G, game.drawing()))
            return told
        self._settle(batch)
        if game.latent is not None:
            assert game.book is not None
            game.batch = game.book.of(batch.indices)
            if batch.epoch < recipe.pixels_from:
                return self._play_codes(batch, game.latent, game.batch)
        told = super().step(batch)
        if isinstance(game.G, CodeGenerator):
            game.G.normalise()
            told |= {
                "innovation": game.G.innovated(),
                "code_active": (game.G.last["g2"] > 0).float().mean(),
            }
        return told

    def _play_codes(self, at: Batch, latent: Game, batch: Codebook) -> dict[str, Tensor]:
        """One step of the training on codes; its scalars begin with "code_"."""
        recipe, game = self.recipe, self.game
        services = Services(latent.memory, latent.last_metrics)
        context = StepContext(recipe.seed, at.epoch, at.step, device=self.device, services=services)
        self.set_rates(latent, context)
        real = torch.cat([batch.g2 / cast(CodeGenerator, game.G).scale, LOUD * batch.low], 1)
        noise = Compose((InstanceNoise(recipe.code_noise),) if recipe.code_noise else ())
        paid = (R1(recipe.code_r1),) if recipe.code_r1 else ()
        rules = Rules(recipe.objective, paid, critic_steps=recipe.critic_steps)
        scalars = gan_step(latent, real, context, noise, rules, None)
        self.average(len(real), context)
        return {f"code_{name}": value for name, value in scalars.items()}

    def _settle(self, batch: Batch) -> None:
        """Compute the codes of the training images, once the dictionaries are learnt."""
        recipe, game, images = self.recipe, self.game, batch.images
        if isinstance(game.D, CodeJudge) and game.rates is None:
            some = images[:MEASURED].split(AT_ONCE)
            game.D.measure([as_float(part.to(self.device)) for part in some])
            game.rates = tuple(game.D.rates.tolist())
        if not isinstance(game.G, CodeGenerator):
            return
        if game.rates is None:
            size = (recipe.model.size, recipe.model.size)
            game.rates = step_sizes(game.learner.network, size, recipe.coding.settle)
        if game.book is None:
            how = recipe.coding.settle.replace(step_sizes=game.rates)
            network = game.learner.network
            game.book = settled(recipe.dictionaries, network, images, how, batch.working)
            for player in (game.G, game.drawing()):
                cast(CodeGenerator, player).scale.copy_(game.book.rms() / LEVEL)

    def coding(self) -> SDPCTrainer:
        """The trainer that encodes and decodes images: see :meth:`HybridGame.coding`."""
        return SDPCTrainer(self.recipe.dictionaries, self.game.coding())
