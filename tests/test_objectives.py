"""The losses against PyTorch's binary cross-entropy and against closed forms."""

import math

import pytest
import torch
from torch.nn import BCEWithLogitsLoss

from bascule.objectives import loss_D, loss_G

BCE = BCEWithLogitsLoss()
RNG = torch.Generator().manual_seed(0)
REAL, FAKE = (torch.randn(2, 33, generator=RNG, dtype=torch.float64) * 6).unbind()


def zeros(n: int = 4) -> torch.Tensor:
    return torch.zeros(n, dtype=torch.float64, requires_grad=True)


def test_loss_D_is_torchs_cross_entropy_of_reals_as_1_and_fakes_as_0():
    expected = BCE(REAL, torch.ones_like(REAL)) + BCE(FAKE, torch.zeros_like(FAKE))
    assert loss_D(REAL, FAKE).item() == pytest.approx(expected.item(), rel=1e-9)


def test_loss_G_is_torchs_cross_entropy_of_fakes_as_1():
    expected = BCE(FAKE, torch.ones_like(FAKE))
    assert loss_G(FAKE).item() == pytest.approx(expected.item(), rel=1e-9)


def test_gradients_are_torchs():
    real, fake = (x.clone().requires_grad_() for x in (REAL, FAKE))
    ours = torch.autograd.grad(loss_D(real, fake), (real, fake))
    theirs = torch.autograd.grad(
        BCE(real, torch.ones_like(real)) + BCE(fake, torch.zeros_like(fake)), (real, fake)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
    (g,) = torch.autograd.grad(loss_G(fake), fake)
    torch.testing.assert_close(g, (fake.sigmoid() - 1).detach() / len(fake), rtol=0, atol=1e-9)


def test_the_definition_in_plain_numbers():
    """Equation 1 at D(x) = 0.8 and 0.4, D(G(z)) = 0.25."""
    logit = torch.logit(torch.tensor([0.8, 0.4, 0.25], dtype=torch.float64))
    expected = -(math.log(0.8) + math.log(0.4)) / 2 - math.log(0.75)
    assert loss_D(logit[:2], logit[2:]).item() == pytest.approx(expected, rel=1e-12)
    assert loss_G(logit[2:]).item() == pytest.approx(-math.log(0.25), rel=1e-12)


def test_values_and_gradients_where_D_cannot_tell():
    """At D = 1/2: loss_D = 2 ln 2, loss_G = ln 2; each logit's gradient is -+1/2 over the batch."""
    real, fake = zeros(), zeros()
    d = loss_D(real, fake)
    d.backward()
    assert d.item() == pytest.approx(2 * math.log(2), rel=1e-12)
    assert real.grad.tolist() == [-1 / 8] * 4
    assert fake.grad.tolist() == [1 / 8] * 4
    z = zeros()
    g = loss_G(z)
    g.backward()
    assert g.item() == pytest.approx(math.log(2), rel=1e-12)
    assert z.grad.tolist() == [-1 / 8] * 4


def test_reals_and_fakes_are_averaged_apart():
    """As many terms as there are reals and fakes: two of one kind do not outweigh the other."""
    one, three = torch.tensor([1.0]), torch.tensor([-2.0, 0.0, 3.0])
    expected = math.log1p(math.exp(-1)) + sum(math.log1p(math.exp(x)) for x in (-2, 0, 3)) / 3
    assert loss_D(one, three).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_overflows_at_extreme_logits(dtype):
    sure, wrong = torch.tensor([1e4], dtype=dtype), torch.tensor([-1e4], dtype=dtype)
    assert loss_D(sure, wrong).item() == 0.0
    assert loss_D(wrong, sure).item() == 2e4
    assert (loss_G(sure).item(), loss_G(wrong).item()) == (0.0, 1e4)


def test_G_still_learns_where_D_is_sure():
    """The point of the non-saturating loss: gradient -1 where log(1 - D) would give 0."""
    fake = torch.tensor([-1e4], requires_grad=True)
    loss_G(fake).backward()
    assert fake.grad.item() == -1.0
