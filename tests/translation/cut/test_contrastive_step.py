"""CUT's step against the equations written out, place by place."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from bascule.core.context import StepContext, generator
from bascule.translation.cut.model import CUT
from bascule.translation.cut.step import Contrast, ContrastRules, contrast, contrastive_step

NOW = StepContext(0, 0, 0)
TAPS = ("rgb", "down1", "res0")


def pictures(seed: int, n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, 32, 32, generator=generator("pictures", seed)) * 2 - 1


def game() -> Contrast:
    model = CUT(4, 1, 32, width_D=4, halvings=2, taps=TAPS, features=8)
    G, D, heads = model.players(generator("nets"))
    with torch.no_grad():  # so that heads tell places apart
        for weight in heads.parameters():
            weight.mul_(20)
    opt_G = torch.optim.SGD([*G.parameters(), *heads.parameters()], 0.1)
    return Contrast(G, D, heads, opt_G, torch.optim.SGD(D.parameters(), 0.1), torch.device("cpu"))


def by_hand(asked, answers, temperature):
    """- log of the softmax at the own place, one place and one picture at a time."""
    found = []
    for q, k in zip(asked, answers, strict=True):
        each = []
        for p in range(len(q)):
            likeness = [math.exp(float(q[p] @ other) / temperature) for other in k]
            each.append(-math.log(likeness[p] / sum(likeness)))
        found.append(sum(each) / len(each))
    return found


def test_the_contrast_is_its_definition():
    q, k = (F.normalize(torch.randn(2, 5, 3, generator=generator(s)), dim=2) for s in "qk")
    assert contrast(q, k, 0.5).tolist() == pytest.approx(by_hand(q, k, 0.5), rel=1e-5)
    same = torch.ones(1, 7, 1)
    assert contrast(same, same, 0.07).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize("flips", [False, True])
def test_a_step_is_the_equations(identity, flips):
    played = game()
    rules = ContrastRules(
        taps=TAPS, contrast=2.0, identity=identity, flips=flips, patches=40, temperature=0.3
    )
    context = next(
        at
        for at in (StepContext(0, 0, step) for step in range(9))
        if not flips or torch.rand((), generator=at.rng("flip")) < 0.5
    )
    g, a, b = copy.deepcopy(played), pictures(0), pictures(1)
    mirrored = (lambda x: x.flip(-1)) if flips else (lambda x: x)
    fake = g.G(mirrored(a))
    loss_D = (((g.D(mirrored(b)) - 1) ** 2).mean() + (g.D(fake.detach()) ** 2).mean()) / 2
    of_D = torch.autograd.grad(loss_D, list(g.D.parameters()))
    with torch.no_grad():
        for weight, slope in zip(g.D.parameters(), of_D, strict=True):
            weight -= 0.1 * slope
    loss_G = ((g.D(fake) - 1) ** 2).mean()
    wide = [38 * 38, 32 * 32, 8 * 8]  # the halving by blurs comes after the convolution
    places = [
        torch.randperm(n, generator=context.rng(f"places {k}"))[:40] for k, n in enumerate(wide)
    ]

    def compared(x, y):
        asked = g.heads([mirrored(h) for h in g.G.features(y, TAPS)], places)
        answers = [v.detach() for v in g.heads(g.G.features(x, TAPS), places)]
        logits = [torch.bmm(q, k.mT) / 0.3 for q, k in zip(asked, answers, strict=True)]
        return sum(-one.log_softmax(2).diagonal(dim1=1, dim2=2).mean() for one in logits) / 3

    far = compared(a, fake)
    total = (far + compared(b, g.G(mirrored(b)))) / 2 if identity else far
    weights = [*g.G.parameters(), *g.heads.parameters()]
    of_G = torch.autograd.grad(loss_G + 2.0 * total, weights)
    before = [p.detach().clone() for p in [*played.G.parameters(), *played.heads.parameters()]]

    found = contrastive_step(played, a, b, context, rules)
    assert found["loss_D"].item() == pytest.approx(loss_D.item(), rel=1e-5)
    assert found["loss_G"].item() == pytest.approx(loss_G.item(), rel=1e-5)
    assert found["contrast"].item() == pytest.approx(far.item(), rel=1e-4)
    assert ("contrast_same" in found) == identity
    after = [*played.G.parameters(), *played.heads.parameters()]
    for new, old, slope in zip(after, before, of_G, strict=True):
        assert torch.allclose(old - new, 0.1 * slope, atol=2e-5)
    for new, expected in zip(played.D.parameters(), g.D.parameters(), strict=True):
        assert torch.allclose(new, expected, atol=1e-6)


def test_places_are_different_and_no_more_than_there_are():
    played = game()
    rules = ContrastRules(taps=TAPS, patches=10_000)
    found = contrastive_step(played, pictures(0), pictures(1), NOW, rules)
    assert all(value.isfinite() for value in found.values())
