"""Hybrids of GAN and SDPC: their stages, what each leaves to the next, and how they go on."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.data.augment import Flip
from bascule.gan.objectives import TopK
from bascule.gan.penalties import R1
from bascule.interventions import DiffAugment, FakesAmongReals
from bascule.models.dcgan import DCGAN
from bascule.runs import codec
from bascule.sdpc.coder import Coder
from bascule.sdpc.hybrid import recipe as hybrid
from bascule.sdpc.hybrid.model import SDPCGAN, SDPCCritic
from bascule.sdpc.hybrid.recipe import settled
from bascule.sdpc.model import Inference
from bascule.sdpc.preprocess.standard import Standardise
from bascule.training.loop import Callback, Stopped, train
from bascule.training.state import State, begin

CRITIC = SDPCCritic(width=2, z_dim=8, size=32, steps=2)


def pixels_of(recipe):
    images = recipe.data.load()
    return torch.from_numpy(np.array(images.pixels[images.indices("train")]))


class Rows(Callback):
    def __init__(self):
        self.rows = []

    def on_epoch_end(self, record):
        self.rows.append(record.row)


def played(recipe, until=None):
    """The state after ``until`` epochs, and the rows."""
    state, seen = begin(recipe), Rows()
    train(state, pixels_of(recipe), [seen], until)
    return state, seen.rows


def same(one, other):
    """Whether two nested states are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return one == other


def test_the_stages_follow_each_other_in_one_run(tiny_hybrid):
    _, rows = played(tiny_hybrid)
    kinds = [{"cost", "code_loss_D", "loss_D"} & row.keys() for row in rows]
    assert kinds == [{"cost"}, {"code_loss_D"}, {"loss_D"}, {"loss_D"}]
    assert 0 <= rows[3]["innovation"] <= 1 and 0 <= rows[3]["code_active"] <= 1
    assert set(tiny_hybrid.scalars) <= set().union(*rows)


def test_dictionaries_are_those_that_sdpc_learns_alone(tiny_hybrid):
    state, _ = played(tiny_hybrid, until=1)
    alone = tiny_hybrid.dictionaries
    learnt = begin(alone)
    train(learnt, pixels_of(tiny_hybrid))
    assert same(state.trainer.game.learner.state_dict(), learnt.trainer.state_dict())
    for mine, theirs in zip(
        state.trainer.game.G.dictionaries, learnt.trainer.network.dictionaries, strict=True
    ):
        assert torch.equal(mine, theirs)
    assert torch.equal(state.trainer.game.G.gain, learnt.trainer.network.gain(1))


@pytest.mark.parametrize("model, code_epochs", [(None, 1), (CRITIC, 0)])
@pytest.mark.parametrize("stop", [1, 3, 4, 8])
def test_it_goes_on_exactly_from_any_stage(tiny_hybrid, model, code_epochs, stop):
    recipe = tiny_hybrid.replace(
        model=model or tiny_hybrid.model,
        code_epochs=code_epochs,
        ema_half_life=50.0,
        interventions=DiffAugment(),
    )
    whole, _ = played(recipe)
    pixels = pixels_of(recipe)
    state = begin(recipe)
    with pytest.raises(Stopped):
        train(state, pixels, must_stop=lambda: state.step == stop)
    again = begin(recipe)
    again.load_state_dict(state.state_dict())
    train(again, pixels)
    assert same(again.state_dict(), whole.state_dict())


def test_settling_is_watched_and_may_be_stopped(tiny_hybrid, monkeypatch):
    monkeypatch.setattr(hybrid, "AT_ONCE", 8)
    pixels = pixels_of(tiny_hybrid)
    told = []

    class Watch(Callback):
        def on_progress(self, what, done, of):
            told.append((what, done, of))

    state = begin(tiny_hybrid)
    with pytest.raises(Stopped):
        train(state, pixels, [Watch()], must_stop=lambda: len(told) == 2)
    n = len(pixels)
    assert told == [("settling the training images", done, n) for done in (8, 16)]
    assert state.epoch == tiny_hybrid.coding.epochs
    again = begin(tiny_hybrid)
    again.load_state_dict(state.state_dict())
    train(again, pixels, [Watch()])
    assert told[-1][1:] == (n, n)
    assert same(again.state_dict(), played(tiny_hybrid)[0].state_dict())


def test_codes_of_training_images_are_those_of_the_coder(tiny_hybrid):
    state, _ = played(tiny_hybrid, until=1)
    network, recipe = state.trainer.game.learner.network, tiny_hybrid.dictionaries
    pixels = pixels_of(tiny_hybrid)[:7]
    book = settled(recipe, network, pixels, recipe.settle, lambda *told: None)
    coder = Coder(recipe, State(state.trainer.dictionaries))
    again = coder.decode(coder.encode(pixels.numpy()), layer=1)
    band = F.conv_transpose2d(book.g1.float(), network.dictionaries[0], stride=4, padding=2)
    up = recipe.preprocess[0].up(book.low, 32, 32)
    mine = ((up + band).clamp(-1, 1) + 1) * 127.5
    assert np.abs(mine.numpy() - again.astype(float)).max() < 1.0  # rounding, and 16 bits
    part = book.of(torch.tensor([5, 2]))
    torch.testing.assert_close(part.low, book.low[[5, 2]])
    assert book.rms().item() == pytest.approx(book.g2.float().square().mean().sqrt().item(), 1e-4)


def test_the_critic_of_codes_sees_reals_and_fakes_at_one_scale(tiny_hybrid):
    state, _ = played(tiny_hybrid, until=2)
    G, book = state.trainer.game.G, state.trainer.game.book
    assert G.scale.item() == pytest.approx(2 * book.rms().item(), rel=1e-5)
    assert torch.equal(state.trainer.game.drawing().scale, G.scale)


def test_the_game_on_codes_has_rates_and_a_penalty_of_its_own(tiny_hybrid):
    state, rows = played(tiny_hybrid.replace(code_rates=0.5, code_r1=2.0, lr_D=3e-4), until=2)
    latent = state.trainer.game.latent
    assert latent.opt_D.param_groups[0]["lr"] == pytest.approx(1.5e-4)
    assert latent.opt_G.param_groups[0]["lr"] == pytest.approx(tiny_hybrid.lr_G / 2)
    assert rows[-1]["code_R1"] > 0
    _, rows = played(tiny_hybrid.replace(code_r1=0.0), until=2)
    assert "code_R1" not in rows[-1]


def test_a_critic_of_several_heads_plays_under_every_rule(tiny_hybrid):
    recipe = tiny_hybrid.replace(model=CRITIC, code_epochs=0, top_k=TopK(), concat=True)
    _, rows = played(recipe.replace(interventions=FakesAmongReals(t=2), penalties=(R1(),)))
    assert np.isfinite(rows[-1]["loss_G"]) and 0 < rows[-1]["D_x"] < 1


def test_dictionaries_rest_or_move_with_norm_1(tiny_hybrid):
    def moved(share):
        state, _ = played(tiny_hybrid.replace(lr_G=5e-3, lr_dictionaries=share))
        learnt = state.trainer.game.learner.network.dictionaries
        for D in state.trainer.game.G.dictionaries:
            torch.testing.assert_close(D.flatten(1).norm(dim=1), torch.ones(len(D)))
        return sum(
            (D - at_first).norm().item()
            for D, at_first in zip(state.trainer.game.G.dictionaries, learnt, strict=True)
        )

    assert moved(0.0) < 1e-5 < moved(0.1) < moved(1.0)


def test_anchored_dictionaries_explain_the_training_images_better(tiny_hybrid):
    def unexplained(anchor):
        recipe = tiny_hybrid.replace(epochs=8, lr_G=5e-3, lr_dictionaries=1.0, anchor=anchor)
        game = played(recipe)[0].trainer.game
        book = game.book.of(torch.arange(30))
        return (book.band - game.G.synthesis(0, book.g1)).square().mean().item()

    assert unexplained(1e4) < 0.9 * unexplained(0.0)


def test_innovation_has_a_price(tiny_hybrid):
    longer = tiny_hybrid.replace(epochs=8, lr_G=5e-3, lr_dictionaries=0.0)

    def mean_u(price):
        state, _ = played(longer.replace(innovation_price=price))
        return state.trainer.game.G.last["u"].abs().mean().item()

    assert mean_u(100.0) < 0.5 * mean_u(0.0)


def test_what_only_pictures_need_is_no_part_of_a_checkpoint(tiny_hybrid):
    state, _ = played(tiny_hybrid, until=3)
    saved = state.trainer.game.state_dict()
    assert "book" not in saved and "G" not in saved["latent"]
    assert saved["rates"] == state.trainer.game.rates


def test_a_dcgan_beside_dictionaries_plays_without_them(tiny_hybrid):
    model = DCGAN(width=2, z_dim=8, size=32)
    state, rows = played(tiny_hybrid.replace(model=model, code_epochs=0))
    assert "loss_D" in rows[-1] and "innovation" not in rows[-1]
    other = tiny_hybrid.coding.replace(settle=Inference(k_fb=0.0, tolerance=0.5))
    again, _ = played(tiny_hybrid.replace(model=model, code_epochs=0, coding=other))
    assert same(state.trainer.game.G.state_dict(), again.trainer.game.G.state_dict())
    assert not same(
        state.trainer.game.learner.state_dict(), again.trainer.game.learner.state_dict()
    )


def test_a_new_D_looks_through_what_was_learnt(tiny_hybrid):
    state, _ = played(tiny_hybrid.replace(model=CRITIC, code_epochs=0))
    _, fresh = state.trainer.game.fresh(torch.Generator().manual_seed(1))
    assert torch.equal(fresh.deviation, state.trainer.game.D.deviation) and fresh.deviation != 1
    assert torch.equal(fresh.rates, state.trainer.game.D.rates)


def test_pictures_are_drawn_at_every_stage(tiny_hybrid):
    for epochs in (1, 2, 3):
        state, _ = played(tiny_hybrid, until=epochs)
        drawn = state.trainer.sample(torch.randn(3, 8))
        assert drawn.shape == (3, 3, 32, 32) and drawn.dtype == torch.uint8


def test_it_survives_its_file(tiny_hybrid):
    for recipe in (tiny_hybrid, tiny_hybrid.replace(model=CRITIC, code_epochs=0)):
        assert codec.decode(codec.encode(recipe)) == recipe
    changed = codec.changed(tiny_hybrid, {"coding.settle.k_fb": "0", "model.width": "3"})
    assert changed.coding.settle.k_fb == 0 and changed.model.width == 3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epochs": 2}, "1 for dictionaries and 1 for codes leave none for pixels; .* at least 3"),
        ({"code_epochs": -1}, "code_epochs=-1"),
        ({"code_noise": -0.1}, "code_noise=-0.1"),
        ({"code_rates": -0.1}, "code_rates=-0.1"),
        ({"code_r1": float("inf")}, "code_r1=inf"),
        ({"anchor": float("nan")}, "anchor=nan"),
        ({"lr_dictionaries": -1.0}, "lr_dictionaries=-1.0"),
        ({"compile": True}, "compile=True"),
        ({"space": "hsv"}, "space='hsv'"),
        ({"augment": (Flip(),)}, r"augment=.*codes are computed once.*DiffAugment\(\)"),
        ({"model": CRITIC}, "code_epochs=1: G of SDPCCritic.* generates no codes; set it to 0"),
        ({"sparsity": 0.1}, "sparsity=0.1: not for SDPCGAN; .* use innovation_price"),
        ({"model": SDPCGAN(size=64)}, "images are 32 px and the model draws 64 px"),
    ],
)
def test_what_cannot_be_is_refused(tiny_hybrid, change, message):
    with pytest.raises(UserError, match=message):
        tiny_hybrid.replace(**change)


def test_preprocessing_that_gives_no_pixels_back_is_refused(tiny_hybrid):
    with pytest.raises(
        UserError, match=r"coding.preprocess=.*expected \(Bands\(...\), Standardise"
    ):
        tiny_hybrid.replace(coding=tiny_hybrid.coding.replace(preprocess=(Standardise(),)))


def test_it_plays_in_one_process(tiny_hybrid):
    with pytest.raises(UserError, match="torchrun with a HybridRecipe"):
        tiny_hybrid.check_processes(2)
