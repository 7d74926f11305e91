"""Penalties against values by hand, closed forms and finite differences."""

import math

import pytest
import torch
from torch import nn

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Anneal
from bascule.gan.penalties import (
    DRAGAN,
    PENALTIES,
    R1,
    R2,
    Consistency,
    FiniteR1,
    FiniteR2,
    GradientPenalty,
    LeCam,
    LogitCentring,
    Reconstruction,
    Transport,
    Turn,
    TurnOfG,
    squared_slope,
)

NOW = StepContext(seed=0, epoch=2, step=12)
SHAPE = (5, 3, 8, 8)


def images(seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(SHAPE, generator=rng, dtype=torch.float64) * 2 - 1


class Linear(nn.Module):
    """D(x) = w·x, whose slope is w everywhere."""

    def __init__(self, w: torch.Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x):
        return (x * self.w).sum((1, 2, 3))


class Bent(nn.Module):
    """A small smooth D, different at every image."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.a = nn.Parameter(torch.randn(4, 192, generator=rng, dtype=torch.float64) / 5)
        self.b = nn.Parameter(torch.randn(4, generator=rng, dtype=torch.float64))

    def forward(self, x):
        return torch.tanh(x.flatten(1) @ self.a.T) @ self.b


def turn(D: nn.Module, context: StepContext = NOW, asked: list | None = None) -> Turn:
    """D's turn on two batches, its view being none."""
    shown = {"real": images(0).requires_grad_(), "fake": (images(1) * 0.5).requires_grad_()}

    def judge(x, name, side):
        if asked is not None:
            asked.append((name, x.detach()))
        return D(x)

    return Turn(shown, {side: D(x) for side, x in shown.items()}, judge, context)


def slope_by_differences(D: nn.Module, x: torch.Tensor, step: float = 1e-5) -> torch.Tensor:
    """The gradient of D at one image, pixel by pixel."""
    flat = torch.zeros(x.numel(), dtype=torch.float64)
    for k in range(x.numel()):
        moved = torch.zeros(x.numel(), dtype=torch.float64)
        moved[k] = step
        moved = moved.view_as(x)
        with torch.no_grad():
            flat[k] = (D((x + moved)[None]) - D((x - moved)[None]))[0] / (2 * step)
    return flat.view_as(x)


def pays_as_by_differences(penalty, D: nn.Module, step: float = 1e-6) -> None:
    """The penalty's gradient on every weight of D against central differences."""
    found = torch.autograd.grad(penalty(turn(D)), list(D.parameters()))
    for weight, ours in zip(D.parameters(), found, strict=True):
        for k in (0, weight.numel() // 2, weight.numel() - 1):
            at = [[], []]
            for sign in (0, 1):
                with torch.no_grad():
                    weight.view(-1)[k] += step * (1 - 2 * sign)
                at[sign] = penalty(turn(D)).item()
                with torch.no_grad():
                    weight.view(-1)[k] -= step * (1 - 2 * sign)
            expected = (at[0] - at[1]) / (2 * step)
            assert ours.view(-1)[k].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_squared_slope_is_that_of_finite_differences():
    D, x = Bent(), images(0).requires_grad_()
    found = squared_slope(D(x), x)
    expected = [slope_by_differences(D, image.detach()).square().sum().item() for image in x]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (R1(gamma=3.0), 3 / 2 * 4),  # ||w||² = 4
        (R2(gamma=3.0), 3 / 2 * 4),
        (R1(gamma=3.0, every=4), 4 * 3 / 2 * 4),
        (R1(gamma=Anneal(4.0, 0.0, until_epoch=4)), 2 / 2 * 4),  # half way in epoch 2
        (GradientPenalty(weight=10.0), 10 * (2 - 1) ** 2),
        (DRAGAN(weight=7.0), 7 * (2 - 1) ** 2),
        (GradientPenalty(weight=10.0, every=3), 30 * (2 - 1) ** 2),
    ],
    ids=str,
)
def test_slopes_of_a_linear_D_by_hand(penalty, expected):
    w = images(5)[0]
    D = Linear(2 * w / w.norm())
    assert penalty(turn(D)).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("penalty", [R1(1.0), R2(1.0), GradientPenalty(), DRAGAN()], ids=str)
def test_what_D_learns_from_a_slope_is_what_finite_differences_say(penalty):
    pays_as_by_differences(penalty, Bent())


@pytest.mark.parametrize("penalty", [LeCam(), Consistency()], ids=str)
def test_what_D_learns_from_logits_is_what_finite_differences_say(penalty):
    """The averages that LeCam holds D to take no gradient: at decay 1 - 1e-14 they stay put."""
    if isinstance(penalty, LeCam):
        penalty = LeCam(decay=1 - 1e-14)
    pays_as_by_differences(penalty, Bent())


@pytest.mark.parametrize(("finite", "exact"), [(FiniteR1, R1), (FiniteR2, R2)])
@pytest.mark.parametrize("bent", [False, True], ids=["linear", "quadratic"])
def test_finite_differences_have_the_mean_of_the_exact_penalty(finite, exact, bent):
    """Over 600 draws of the noise. With eps, a quadratic D adds eps²/4 E |n|⁴, which fades."""
    w = images(5)[0] / 2

    def D(x):
        return (x * w).sum((1, 2, 3)) + (x.square().sum((1, 2, 3)) / 2 if bent else 0)

    def mean(eps):
        found = [
            finite(3.0, eps=eps, share=1.0)(turn(D, StepContext(0, 2, step))) for step in range(600)
        ]
        return torch.stack(found).mean().item()

    expected = exact(3.0)(turn(D)).item()
    assert mean(1e-4) == pytest.approx(expected, rel=0.06)  # 3 standard errors: sqrt(2/3000)
    far = 3 / 2 * (0.5**2 * (192**2 + 2 * 192) / 4) if bent else 0
    assert mean(0.5) == pytest.approx(expected + far, rel=0.08)


def test_finite_differences_look_at_a_share_of_one_side_with_one_view():
    asked = []
    here = turn(Bent(), asked=asked)
    found = FiniteR2(2.0, eps=0.1, share=0.4, every=3)(here)
    (name, near), (again, at) = asked
    assert name == again == "difference/fake"  # one address: the same augmentation
    assert torch.equal(at, here.images["fake"][:2].detach())
    slope = (Bent()(near) - Bent()(at)) / 0.1
    assert found.item() == pytest.approx((3 * slope.square().mean()).item())
    assert ((near - at) / 0.1).std().item() == pytest.approx(1, rel=0.2)
    assert FiniteR1.differentiates == ()  # so no second derivative


@pytest.mark.parametrize("penalty", [FiniteR1(1.0), LogitCentring()], ids=str)
def test_what_D_learns_without_a_double_backward_is_what_differences_say(penalty):
    pays_as_by_differences(penalty, Bent())


def test_finite_differences_are_taken_in_fp32():
    asked = []

    def judge(x, name, side):
        asked.append(torch.is_autocast_enabled("cpu"))
        return x.mean((1, 2, 3))

    here = Turn({"real": images(0).float()}, {}, judge, NOW)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        FiniteR1()(here)
    assert asked == [False, False]


def test_logit_centring_by_hand():
    logits = {"real": torch.tensor([2.0, 1.0]), "fake": torch.tensor([-1.0, -1.0])}
    here = Turn({}, logits, None, NOW)
    assert LogitCentring(0.5, every=2)(here).item() == pytest.approx(0.5)


def test_transport_is_the_squared_distance_from_the_noise():
    x = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    z = torch.randn(5, 48, generator=torch.Generator().manual_seed(1))
    falls = Transport(Anneal(4.0, 0.0, until_epoch=4))  # 2 in epoch 2
    paid = falls(TurnOfG(z, x, NOW))
    assert paid.item() == pytest.approx(2 * (x.detach().flatten(1) - z).square().sum().item() / 240)
    (slope,) = torch.autograd.grad(paid, x)
    torch.testing.assert_close(slope, 4 * (x.detach() - z.view_as(x)) / 240)
    labelled = torch.cat([z, torch.ones(5, 1)], 1)  # the last number stands for the label
    assert falls(TurnOfG(labelled, x, NOW)).item() == pytest.approx(paid.item())


def test_r1_asks_of_reals_and_r2_of_fakes():
    D = Bent()
    here = turn(D)
    by_hand = {
        side: sum(slope_by_differences(D, x.detach()).square().sum().item() for x in batch) / 5
        for side, batch in here.images.items()
    }
    assert R1(2.0)(here).item() == pytest.approx(by_hand["real"], rel=1e-6)
    assert R2(2.0)(here).item() == pytest.approx(by_hand["fake"], rel=1e-6)
    assert R1.differentiates == ("real",) and R2.differentiates == ("fake",)


def test_the_gradient_penalty_looks_between_each_real_and_its_fake():
    asked = []
    here = turn(Bent(), asked=asked)
    GradientPenalty()(here)
    ((name, u),) = asked
    assert name == "between"
    way = (here.images["fake"] - here.images["real"]).detach()
    share = ((u - here.images["real"].detach()) / way).flatten(1)
    for each in share:  # one share an image
        torch.testing.assert_close(each, each[0].expand_as(each), rtol=1e-6, atol=1e-6)
    assert len({round(float(each[0]), 6) for each in share}) == 5
    assert share.min() >= 0 and share.max() <= 1


def test_dragan_looks_around_the_reals():
    asked = []
    here = turn(Bent(), asked=asked)
    DRAGAN(sigma=0.2)(here)
    ((name, u),) = asked
    off = u - here.images["real"].detach()
    assert name == "around"
    assert off.std().item() == pytest.approx(0.2, rel=0.1) and abs(off.mean()) < 0.03


def test_a_flat_D_makes_no_nan():
    D = Linear(torch.zeros(SHAPE[1:], dtype=torch.float64))
    penalty = GradientPenalty()(turn(D))
    (slope,) = torch.autograd.grad(penalty, D.w)
    assert penalty.item() == pytest.approx(10, rel=1e-5) and slope.isfinite().all()


def test_lecam_holds_each_side_to_the_average_of_the_other():
    """By hand, two calls, decay 1/2: r = 0.5, then 0.75 for logits of 1; f likewise of -3."""
    logits = {"real": torch.tensor([1.0, 1.0]), "fake": torch.tensor([-3.0, -3.0])}
    here = Turn({}, logits, lambda x, name: x, NOW)
    rule = LeCam(weight=2.0, decay=0.5)
    assert rule(here).item() == pytest.approx(2 * ((1 + 1.5) ** 2 + (0.5 + 3) ** 2))
    assert rule(here).item() == pytest.approx(2 * ((1 + 2.25) ** 2 + (0.75 + 3) ** 2))
    # A real below what fakes get, and a fake above what reals get, cost nothing.
    over = Turn({}, {"real": torch.tensor([-9.0]), "fake": torch.tensor([9.0])}, None, NOW)
    NOW.services.memory.clear()
    assert LeCam(decay=0.999)(over).item() == pytest.approx(0, abs=1e-3)
    NOW.services.memory.clear()


def test_lecam_watches_before_it_acts():
    context = StepContext(0, 0, 0)
    logits = {"real": torch.tensor([2.0]), "fake": torch.tensor([-2.0])}
    early = LeCam(decay=0.5, from_epoch=1)(Turn({}, logits, None, context))
    assert early.item() == 0.0
    assert {k: v.item() for k, v in context.services.memory.items()} == {
        "/real": 1.0,
        "/fake": -1.0,
    }


def test_consistency_costs_what_a_move_changes():
    """Nothing for a D that sums, which neither mirror nor move inside a flat border can change."""
    whole = Linear(torch.ones(SHAPE[1:], dtype=torch.float64))
    flat = torch.zeros(SHAPE, dtype=torch.float64)
    flat[:, :, 3:5, 3:5] = images(0)[:, :, 3:5, 3:5]
    here = Turn(
        {"real": flat, "fake": flat},
        {s: whole(flat) for s in ("real", "fake")},
        lambda x, name, side: whole(x),
        NOW,
    )
    assert Consistency()(here).item() == pytest.approx(0, abs=1e-9)
    asked = []
    here = turn(Bent(), asked=asked)
    found = Consistency(weight_real=2.0, weight_fake=3.0)(here)
    told = {name: Bent()(x) for name, x in asked}
    expected = 2 * (here.logits["real"] - told["moved/real"]).square().mean()
    expected = expected + 3 * (here.logits["fake"] - told["moved/fake"]).square().mean()
    assert found.item() == pytest.approx(expected.item())
    assert found > 0 and not torch.equal(*(x for _, x in asked))


def test_moved_images_are_moved_by_whole_pixels():
    asked = []
    here = turn(Bent(), asked=asked)
    Consistency()(here)
    for (_, moved), whole in zip(asked, here.images.values(), strict=True):
        for one, before in zip(moved, whole.detach(), strict=True):
            inner = one[:, 2:-2, 2:-2]
            found = [
                (f, dy, dx)
                for f in (False, True)
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if torch.allclose(
                    inner,
                    (before.flip(-1) if f else before)[:, 2 - dy : 6 - dy, 2 - dx : 6 - dx],
                    atol=1e-6,
                )
            ]
            assert len(found) == 1


def test_a_lazy_penalty_is_due_in_every_nth_step():
    assert [step for step in range(9) if R1(every=4).due(StepContext(0, 0, step))] == [0, 4, 8]
    assert all(R1().due(StepContext(0, 0, step)) for step in range(5))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: R1(gamma=-1.0), r"R1\(gamma=-1.0\): expected a number >= 0"),
        (lambda: R2(every=0), r"R2\(every=0\): expected a whole number of steps >= 1"),
        (lambda: GradientPenalty(weight=math.inf), "weight=inf in GradientPenalty"),
        (lambda: DRAGAN(sigma=-0.1), r"DRAGAN\(sigma=-0.1\)"),
        (lambda: LeCam(decay=1.0), r"LeCam\(decay=1.0\): expected a number in \[0, 1\)"),
        (lambda: Consistency(weight_fake=-1), r"Consistency\(weight_fake=-1.0\)"),
        (lambda: FiniteR1(-1.0), r"FiniteR1\(gamma=-1.0\)"),
        (lambda: FiniteR2(eps=0.0), r"FiniteR2\(eps=0.0\): expected a number > 0"),
        (lambda: FiniteR1(share=1.5), r"FiniteR1\(share=1.5\).*\(0, 1\]"),
        (lambda: LogitCentring(-0.1), r"LogitCentring\(weight=-0.1\)"),
        (lambda: Transport(-0.1), r"Transport\(weight=-0.1\)"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_each_penalty_is_listed():
    assert {p.__name__ for p in PENALTIES} == {
        "R1",
        "R2",
        "FiniteR1",
        "FiniteR2",
        "LogitCentring",
        "GradientPenalty",
        "DRAGAN",
        "LeCam",
        "Consistency",
        "Reconstruction",
    }


def test_reconstruction_sums_the_decoders_errors_and_draws_a_quarter_in_each_step():
    """Two decoders, off by 1 and by 2: 3 (1 + 4), and twice that in every second step."""
    asked = []

    def rebuild(quarter: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(quarter)
        target = torch.zeros(5, 2, 3, 4, 4)
        return target + torch.tensor([1.0, -2.0])[:, None, None, None], target

    D = Linear(images(5)[0])
    for step in range(40):
        now = turn(D, StepContext(0, 0, step))
        now.rebuild = rebuild
        assert Reconstruction(3.0)(now).item() == pytest.approx(15)
    assert set(asked) == {0, 1, 2, 3}
    assert Reconstruction(3.0, every=2)(now).item() == pytest.approx(30)
