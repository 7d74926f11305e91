"""CycleGAN's step against the equations, one call a term, on nets that can be counted by hand."""

import copy

import pytest
import torch
from torch import nn

from bascule.core.context import StepContext, generator
from bascule.gan.objectives import loss_D, loss_G
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.step import CycleRules, Translation, _pooled, cycle_step

NOW = StepContext(0, 0, 0)


def pictures(seed: int, n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, 32, 32, generator=generator("pictures", seed)) * 2 - 1


def game(pools=None) -> Translation:
    nets = CycleGAN(4, 1, 32, width_D=4, halvings=2).players(generator("nets"))
    optimizers = [
        torch.optim.SGD([p for net in pair for p in net.parameters()], 0.1)
        for pair in (nets[:2], nets[2:])
    ]
    return Translation(*nets, *optimizers, torch.device("cpu"), pools or {})


def plainly(g: Translation, a, b, cycle, identity):
    """The equations of the paper, a call for each term, and their gradients by autograd."""
    l1 = nn.L1Loss()
    fake_b, fake_a = g.G_AB(a), g.G_BA(b)
    fooled = [((g.D_B(fake_b) - 1) ** 2).mean(), ((g.D_A(fake_a) - 1) ** 2).mean()]
    cycled = [l1(g.G_BA(fake_b), a), l1(g.G_AB(fake_a), b)]
    same = [l1(g.G_BA(a), a), l1(g.G_AB(b), b)]
    total = sum(fooled) + cycle * sum(cycled) + cycle * identity * sum(same)
    of_G = torch.autograd.grad(total, [*g.G_AB.parameters(), *g.G_BA.parameters()])
    judged = [
        ((D(real) - 1) ** 2).mean() / 2 + (D(fake.detach()) ** 2).mean() / 2
        for D, real, fake in ((g.D_A, a, fake_a), (g.D_B, b, fake_b))
    ]
    of_D = torch.autograd.grad(sum(judged), [*g.D_A.parameters(), *g.D_B.parameters()])
    return fooled, cycled, same, judged, of_G, of_D


@pytest.mark.parametrize("identity", [0.5, 0.0])
def test_calls_together_are_the_equations_term_by_term(identity):
    played = game()
    a, b = pictures(0), pictures(1)
    fooled, cycled, same, judged, of_G, of_D = plainly(copy.deepcopy(played), a, b, 10.0, identity)
    before = {
        name: [p.detach().clone() for p in getattr(played, name).parameters()]
        for name in ("G_AB", "G_BA", "D_A", "D_B")
    }
    found = cycle_step(played, a, b, NOW, CycleRules(identity=identity, pool=0))
    expected = dict(zip(("loss_G_AB", "loss_G_BA"), fooled, strict=True))
    expected |= dict(zip(("cycle_A", "cycle_B"), cycled, strict=True))
    if identity:
        expected |= dict(zip(("identity_A", "identity_B"), same, strict=True))
    expected |= dict(zip(("loss_D_A", "loss_D_B"), judged, strict=True))
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5), name
    for names, slopes in ((("G_AB", "G_BA"), of_G), (("D_A", "D_B"), of_D)):
        weights = [p for name in names for p in getattr(played, name).parameters()]
        olds = [p for name in names for p in before[name]]
        for context, old, slope in zip(weights, olds, slopes, strict=True):
            assert torch.allclose(old - context, 0.1 * slope, atol=1e-5)


def test_the_non_saturating_losses_are_those_of_a_gan_on_every_patch():
    rules = CycleRules("non-saturating")
    real, fake = torch.randn(2, 5), torch.randn(2, 5)
    assert rules.real(fake).item() == pytest.approx(loss_G(fake).item())
    both = rules.real(real) + rules.fake(fake)
    assert both.item() == pytest.approx(loss_D(real, fake).item())


def test_the_pool_fills_and_then_shows_the_old_half_of_the_time():
    played = game()
    new = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 2, 2)
    assert torch.equal(_pooled(played, "A", new, 4, NOW), _first(new, 5, played))
    assert played.pools["A"][:, 0, 0, 0].tolist()[:4] != []
    shown_old = stored = 0
    for step in range(2000):
        fresh = torch.full((1, 3, 2, 2), 100.0 + step)
        before = played.pools["A"].clone()
        (shown,) = _pooled(played, "A", fresh, 4, StepContext(0, 0, step + 1))
        if torch.equal(shown, fresh[0]):
            assert torch.equal(played.pools["A"], before)
            continue
        shown_old += 1
        assert any(torch.equal(shown, old) for old in before)
        stored += bool((played.pools["A"] == fresh[0]).flatten(1).all(1).sum() == 1)
        assert not any(torch.equal(shown, kept) for kept in played.pools["A"])
    assert stored == shown_old and abs(shown_old - 1000) < 4 * 500**0.5
    assert len(played.pools["A"]) == 4


def _first(new, n, played):
    """While the pool of 4 fills, what D sees is what came; the fifth may be swapped."""
    pool = played.pools["A"]
    fifth = new[4] if torch.equal(pool, new[:4]) else _gone(new, pool)
    return torch.cat([new[:4], fifth[None]])[:n]


def _gone(new, pool):
    return next(x for x in new[:4] if not any(torch.equal(x, kept) for kept in pool))


def test_without_a_pool_nothing_is_kept():
    played = game()
    assert torch.equal(_pooled(played, "B", pictures(0), 0, NOW), pictures(0))
    assert not played.pools
