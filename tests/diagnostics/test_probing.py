"""Questions are answered as the players play, and leave no trace."""

import copy

import pytest
import torch

from bascule.core.context import StepContext, generator
from bascule.data.batches import as_float, as_uint8
from bascule.diagnostics.probing import as_drawn, gradient_norms, logits
from bascule.gan.objectives import loss_D, loss_G
from bascule.interventions import InstanceNoise
from bascule.models.dcgan import DCGAN
from bascule.training.state import begin

NOW = StepContext(seed=0, epoch=3, step=12)


def pictures(n: int, name: str = "a test's pictures") -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 32, 32), generator=generator(name), dtype=torch.uint8)


@pytest.fixture(params=["batch", "spectral"])
def played(request, tiny):
    """A recipe and its game, after gradients and moments exist."""
    recipe = tiny.replace(model=DCGAN(width=4, z_dim=8, size=32, norm_D=request.param))
    game = begin(recipe).trainer.game
    fake = game.G(torch.randn(8, 8, generator=generator("z")))
    (loss_D(game.D(as_float(pictures(8))), game.D(fake)) + loss_G(game.D(fake))).backward()
    game.opt_D.step()
    game.opt_G.step()
    return recipe, game


def everything(game):
    """All that a question might touch: states, gradients, flags and the global generator."""
    gradients = [None if p.grad is None else p.grad.clone() for p in game.D.parameters()]
    gradients += [None if p.grad is None else p.grad.clone() for p in game.G.parameters()]
    flags = [(m.training, getattr(m, "track_running_stats", None)) for m in game.D.modules()]
    flags += [p.requires_grad for p in game.D.parameters()]
    state = copy.deepcopy(game.state_dict())
    return [state, gradients, flags, torch.random.get_rng_state()]


def test_no_question_leaves_a_trace(played, same):
    recipe, game = played
    before = everything(game)
    z = torch.randn(16, 8, generator=generator("z"))
    fakes = as_drawn(game, z, recipe, batch=8)
    logits(game, fakes, pictures(16), recipe, NOW, batch=8)
    logits(game, fakes, pictures(16), recipe.replace(concat=True), NOW, batch=8)
    gradient_norms(game, pictures(8), z[:8], recipe, NOW)
    assert same(before, everything(game))


def test_d_answers_as_it_does_in_training(played):
    """Batch by batch: what BatchNorm of a copy in training mode says of the same bytes."""
    recipe, game = played
    x = pictures(16)
    told = logits(game, x, x, recipe, NOW, batch=8)
    D = copy.deepcopy(game.D)
    for m in D.modules():  # the power iteration stands still; the statistics are the batch's
        if type(m).__name__ == "_SpectralNorm":
            m.eval()
    with torch.no_grad():
        expected = torch.cat([D(as_float(x[:8])), D(as_float(x[8:]))])
    torch.testing.assert_close(told, expected, rtol=1e-4, atol=1e-5)


def test_fakes_are_bytes_of_what_g_draws_in_training(played):
    recipe, game = played
    z = torch.randn(16, 8, generator=generator("z"))
    G = copy.deepcopy(game.G)
    with torch.no_grad():
        expected = as_uint8(torch.cat([G(z[:8]), G(z[8:])]))
    fakes = as_drawn(game, z, recipe, batch=8)
    assert fakes.dtype == torch.uint8
    assert (fakes.int() - expected.int()).abs().max() <= 1


def test_one_pass_and_the_view_of_the_rules_are_asked_for(tiny):
    """With BatchNorm and ``concat``, company matters; with instance noise, so does the moment."""
    game = begin(tiny).trainer.game
    x = pictures(8)
    together = tiny.replace(concat=True)
    beside_itself = logits(game, x, x, together, NOW, batch=8)
    beside_others = logits(game, x, pictures(8, "others") // 2, together, NOW, batch=8)
    assert not torch.equal(beside_itself, beside_others)
    assert torch.equal(
        logits(game, x, x, tiny, NOW, 8), logits(game, x, pictures(8, "others"), tiny, NOW, 8)
    )
    noisy = tiny.replace(interventions=InstanceNoise(0.5, from_epoch=3))
    assert not torch.equal(logits(game, x, x, tiny, NOW, 8), logits(game, x, x, noisy, NOW, 8))
    earlier = StepContext(seed=0, epoch=2, step=11)
    assert torch.equal(logits(game, x, x, tiny, NOW, 8), logits(game, x, x, noisy, earlier, 8))


def test_colour_space_is_the_games(tiny):
    game = begin(tiny).trainer.game
    x = pictures(8)
    assert not torch.equal(
        logits(game, x, x, tiny, NOW, 8), logits(game, x, x, tiny.replace(space="hsv"), NOW, 8)
    )


def test_gradient_norms_are_those_of_backward(tiny):
    game = begin(tiny).trainer.game
    z, real = torch.randn(8, 8, generator=generator("z")), pictures(8)
    told = gradient_norms(game, real, z, tiny, NOW)
    D, G = copy.deepcopy(game.D), copy.deepcopy(game.G)
    fake = G(z)
    loss_D(D(as_float(real)), D(fake.detach())).backward()
    norm_D = sum(p.grad.square().sum() for p in D.parameters()) ** 0.5
    loss_G(D(fake)).backward()
    norm_G = sum(p.grad.square().sum() for p in G.parameters()) ** 0.5
    assert told == pytest.approx((norm_D.item(), norm_G.item()), rel=1e-3)


def test_players_without_weights_have_no_gradient(tiny):
    game = begin(tiny).trainer.game
    game.G = Flat()
    assert gradient_norms(game, pictures(8), torch.zeros(8, 8), tiny, NOW)[1] == 0.0


class Flat(torch.nn.Module):
    def forward(self, z):
        return z[:, :3, None, None].expand(-1, -1, 32, 32)
