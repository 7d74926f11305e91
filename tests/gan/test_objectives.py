"""The losses against PyTorch's binary cross-entropy and against closed forms."""

import math

import pytest
import torch
from torch.nn import BCEWithLogitsLoss

from bascule.core.errors import UserError
from bascule.gan.objectives import GANLoss, TopK, loss_D, loss_G, per_image

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


# top-k


@pytest.mark.parametrize(
    ("epoch", "k"),
    # 64 times 1, 0.99, 0.99^10 = 0.9044, 0.99^68 = 0.5049, and then never less than a half
    [(0, 64), (1, 63), (10, 58), (68, 32), (69, 32), (1000, 32)],
)
def test_ever_fewer_fakes_count_down_to_a_share(epoch, k):
    assert TopK(nu=0.5, gamma=0.99).k(64, epoch) == k


def test_how_many_count_at_the_ends():
    assert TopK(nu=1.0, gamma=0.5).k(64, 9) == 64
    assert TopK(nu=0.25, gamma=1.0).k(64, 9) == 64
    assert TopK(nu=0.01, gamma=0.5).k(8, 99) == 1  # never none
    assert [TopK(nu=0.25, gamma=0.5).k(8, epoch) for epoch in range(4)] == [8, 4, 2, 2]


def test_the_best_count_and_no_other_fake_gets_a_gradient():
    fake = torch.tensor([0.0, -3.0, 2.0, 5.0, -1.0, 1.0, -2.0, 0.5], requires_grad=True)
    rule = TopK(nu=0.25, gamma=0.5)
    assert sorted(rule.best(fake, 1).tolist()) == [0.5, 1.0, 2.0, 5.0]
    loss = loss_G(rule.best(fake, 1))
    loss.backward()
    expected = [math.log1p(math.exp(-x)) for x in (0.5, 1, 2, 5)]
    assert loss.item() == pytest.approx(sum(expected) / 4, rel=1e-6)
    slopes = {2: 2.0, 3: 5.0, 5: 1.0, 7: 0.5}
    by_hand = [-1 / (1 + math.exp(slopes[k])) / 4 if k in slopes else 0.0 for k in range(8)]
    assert fake.grad.tolist() == pytest.approx(by_hand, rel=1e-5)
    assert torch.equal(rule.best(fake, 0).sort().values, fake.sort().values)  # all at first


def test_heads_judge_an_image_by_their_mean_and_play_one_by_one():
    heads = torch.tensor([[3.0, -1.0], [0.0, 4.0], [-2.0, 0.0]])
    assert per_image(heads).tolist() == [1.0, 2.0, -1.0]
    assert torch.equal(per_image(heads[:, 0]), heads[:, 0])
    best = TopK(nu=0.3, gamma=0.5).best(heads, 9)
    assert best.tolist() == [[0.0, 4.0]]
    by_hand = sum(math.log1p(math.exp(-x)) for x in (0.0, 4.0)) / 2
    assert loss_G(best).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"nu": 0}, r"TopK\(nu=0.0\): expected a number in \(0, 1\]"),
        ({"nu": 1.5}, r"TopK\(nu=1.5\): expected"),
        ({"gamma": -0.1}, r"TopK\(gamma=-0.1\): expected"),
        ({"gamma": math.nan}, "gamma=nan in TopK: "),
        ({"nu": "half"}, "nu='half' in TopK: "),
    ],
)
def test_top_k_refuses_what_is_no_share(bad, said):
    with pytest.raises(UserError, match=said) as refusal:
        TopK(**bad)
    assert "\n" not in str(refusal.value)


# the other objectives


def by_finite_differences(loss, x: torch.Tensor, step: float = 1e-6) -> torch.Tensor:
    """Central differences, one logit at a time."""
    slope = torch.empty_like(x)
    for k in range(len(x)):
        moved = torch.zeros_like(x)
        moved[k] = step
        slope[k] = (loss(x + moved) - loss(x - moved)) / (2 * step)
    return slope


KINDS = ["non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic"]
X, Y = torch.tensor([2.0, 0.5, -1.0]).double(), torch.tensor([-3.0, 0.25, 1.5]).double()


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


@pytest.mark.parametrize(
    ("kind", "d", "g"),
    [
        (
            "minimax",
            -sum(log_sigmoid(x) for x in (2, 0.5, -1)) / 3
            - sum(log_sigmoid(-y) for y in (-3, 0.25, 1.5)) / 3,
            sum(log_sigmoid(-y) for y in (-3, 0.25, 1.5)) / 3,
        ),
        (
            "least-squares",
            (1 + 0.25 + 4) / 6 + (9 + 0.0625 + 2.25) / 6,
            (16 + 0.5625 + 0.25) / 6,
        ),
        ("hinge", (0 + 0.5 + 2) / 3 + (0 + 1.25 + 2.5) / 3, -(-3 + 0.25 + 1.5) / 3),
        ("wasserstein", (-3 + 0.25 + 1.5) / 3 - (2 + 0.5 - 1) / 3, -(-3 + 0.25 + 1.5) / 3),
        (
            "relativistic",
            -sum(map(log_sigmoid, (5, 0.25, -2.5))) / 3,
            -sum(map(log_sigmoid, (-5, -0.25, 2.5))) / 3,
        ),
    ],
)
def test_each_objective_by_hand(kind, d, g):
    objective = GANLoss(kind)
    assert objective.D(X, Y).item() == pytest.approx(d, rel=1e-12)
    assert objective.G(Y, X).item() == pytest.approx(g, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_each_objective_are_finite_differences(kind):
    objective = GANLoss(kind)
    real, fake = X.clone().requires_grad_(), Y.clone().requires_grad_()
    on_real, on_fake = torch.autograd.grad(objective.D(real, fake), (real, fake))
    (g,) = torch.autograd.grad(objective.G(fake, X), fake)
    for ours, loss, at in (
        (on_real, lambda x: objective.D(x, Y), X),
        (on_fake, lambda y: objective.D(X, y), Y),
        (g, lambda y: objective.G(y, X), Y),
    ):
        torch.testing.assert_close(ours, by_finite_differences(loss, at), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_D_gains_by_raising_reals_and_G_by_raising_fakes(kind):
    objective = GANLoss(kind)
    real, fake = torch.tensor([0.5]), torch.tensor([0.25])
    assert objective.D(real + 0.1, fake) < objective.D(real, fake)
    assert objective.D(real, fake - 0.1) < objective.D(real, fake)
    assert objective.G(fake + 0.1, real) < objective.G(fake, real)


@pytest.mark.parametrize("kind", KINDS)
def test_where_D_cannot_tell_no_constant_logit_costs_less(kind):
    level, _ = GANLoss(kind).blind
    grid = torch.linspace(-3, 3, 1201, dtype=torch.float64)
    losses = [GANLoss(kind).D(c[None], c[None]).item() for c in grid]
    assert min(losses) == pytest.approx(level, abs=1e-6)
    assert GANLoss("minimax", smooth=0.1).blind is None


def test_the_default_is_the_game_of_2014():
    assert GANLoss().D(X, Y) == loss_D(X, Y) and GANLoss().G(Y) == loss_G(Y)


def test_only_the_relativistic_game_pairs():
    """Of two pairs with one difference each: only there a common shift of both changes nothing."""
    assert [kind for kind in KINDS if GANLoss(kind).paired] == ["relativistic"]
    shifted = GANLoss("relativistic").D(X + 7, Y + 7)
    torch.testing.assert_close(shifted, GANLoss("relativistic").D(X, Y))


def test_smooth_labels_by_hand_and_as_torch_has_them():
    labels = torch.full_like(X, 0.9)
    expected = BCE(X, labels) + BCE(Y, torch.zeros_like(Y))
    assert GANLoss("minimax", smooth=0.1).D(X, Y).item() == pytest.approx(expected.item())
    by_hand = (1.1**2 + 0.4**2 + 1.9**2) / 6 + (9 + 0.0625 + 2.25) / 6
    assert GANLoss("least-squares", smooth=0.1).D(X, Y).item() == pytest.approx(by_hand)
    assert GANLoss(smooth=0.1).G(Y) == loss_G(Y)  # one-sided: G's labels stay


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"kind": "hinges"}, "kind='hinges' in GANLoss: "),
        ({"smooth": 1.0}, r"smooth=1.0: expected a number in \[0, 1\)"),
        ({"kind": "hinge", "smooth": 0.1}, "the hinge loss has no labels; those with labels: non-"),
    ],
)
def test_an_objective_refuses_what_is_none(bad, said):
    with pytest.raises(UserError, match=said) as refusal:
        GANLoss(**bad)
    assert "\n" not in str(refusal.value)
