"""Augmentation of all that D sees: what was done to each image is found again, and its law."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.interventions import AdaptiveAugment, DiffAugment
from moments import FAKE, FROM, REAL, moment

RNG = torch.Generator().manual_seed(1)
MANY = torch.rand(1500, 3, 8, 8, generator=RNG, dtype=torch.float64) * 2 - 1


def looks(law, values) -> bool:
    return stats.kstest(np.asarray(values), law.cdf).pvalue > 1e-3


def assert_linear_adjoint(rule, context):
    """The view of one moment is affine, and its gradient is the adjoint of its linear part."""
    x, dx, w = torch.randn(3, 16, 3, 24, 24, dtype=torch.float64, generator=FROM.rng("probe"))
    x.requires_grad_()
    y = rule.augment(x, context)
    (gradient,) = torch.autograd.grad((w * y).sum(), x)
    moved = rule.augment(x.detach() + dx, context) - y.detach()
    assert gradient.abs().max() > 0
    torch.testing.assert_close((gradient * dx).sum(), (w * moved).sum(), rtol=1e-9, atol=1e-7)


# DiffAugment


def test_colour_is_brightness_saturation_and_contrast_each_uniform():
    """The three numbers of each image are found from it, and then explain every pixel."""
    x, y = MANY, DiffAugment("colour").augment(MANY, FROM)
    grey, grey_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    mean, mean_y = x.mean((1, 2, 3), keepdim=True), y.mean((1, 2, 3), keepdim=True)

    def slope(a, b):
        return (a * b).sum((1, 2, 3), keepdim=True) / (a * a).sum((1, 2, 3), keepdim=True)

    brightness = mean_y - mean  # saturation and contrast leave the mean alone
    contrast = slope(grey - mean, grey_y - mean_y)  # saturation leaves the grey alone
    saturation = slope(x - grey, y - grey_y) / contrast
    explained = mean + brightness + contrast * (grey - mean + saturation * (x - grey))
    torch.testing.assert_close(y, explained, rtol=0, atol=1e-6)
    found = [v.flatten().numpy() for v in (brightness, saturation, contrast)]
    laws = [stats.uniform(-0.5, 1), stats.uniform(0, 2), stats.uniform(0.5, 1)]
    assert all(looks(law, values) for law, values in zip(laws, found, strict=True))
    assert np.abs(np.corrcoef(found) - np.eye(3)).max() < 5 / math.sqrt(len(x))


def test_translation_is_a_pad_and_a_crop_by_an_eighth_of_the_side_at_most():
    x = torch.rand(600, 3, 24, 24, generator=RNG)
    y = DiffAugment("translation").augment(x, FROM).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)))
    moves = []
    for image, wide in zip(y, padded, strict=True):
        fits = [
            (3 - i, 3 - j)
            for i in range(7)
            for j in range(7)
            if np.array_equal(image, wide[:, i : i + 24, j : j + 24])
        ]
        assert len(fits) == 1
        moves += fits
    down, right = np.array(moves).T + 3
    for way in (down, right):
        assert stats.chisquare(np.bincount(way, minlength=7)).pvalue > 1e-3
    assert abs(np.corrcoef(down, right)[0, 1]) < 5 / math.sqrt(600)


def test_the_hole_of_cutout_is_where_a_square_with_its_centre_anywhere_falls():
    x, side = torch.ones(3000, 3, 24, 24), 24
    y = DiffAugment("cutout").augment(x, FROM)
    assert set(y.unique().tolist()) == {0, 1}
    hole = (y == 0).numpy()
    assert (hole == hole[:, :1]).all()  # in every channel
    hole = hole[:, 0]
    tall, wide = hole.any(2), hole.any(1)
    assert (hole == tall[:, :, None] & wide[:, None, :]).all()  # a rectangle
    assert (np.diff(tall.astype(int), axis=1) == 1).sum(1).max() == 1  # in one piece
    assert tall.sum(1).min() == 6 and tall.sum(1).max() == 12  # half of it at an edge
    # A pixel at r lies in the hole when the centre c ~ U(0, 1) is nearer than 1/4 along both axes.
    r = (np.arange(side) + 0.5) / side
    near = np.minimum(r + 1 / 4, 1) - np.maximum(r - 1 / 4, 0)
    expected = np.outer(near, near)
    error = np.sqrt(expected * (1 - expected) / len(x))
    assert (np.abs(hole.mean(0) - expected) < 5 * error).all()
    assert hole.mean() == pytest.approx((7 / 16) ** 2, abs=0.006)  # the area, in closed form


def test_cutout_leaves_the_rest_of_the_image_alone():
    y = DiffAugment("cutout").augment(REAL, FROM)
    kept = y != 0
    assert 0.5 < kept.float().mean() < 0.95
    assert torch.equal(y[kept], REAL[kept])


def test_kinds_act_in_their_order():
    for kinds in (("colour", "cutout"), ("cutout", "colour"), ("colour", "translation", "cutout")):
        x = REAL
        for kind in kinds:
            x = DiffAugment(kind).augment(x, FROM)
        assert torch.equal(DiffAugment(kinds).augment(REAL, FROM), x)
    cut_last = DiffAugment(("colour", "cutout")).augment(REAL, FROM)
    cut_first = DiffAugment(("cutout", "colour")).augment(REAL, FROM)
    assert (cut_last == 0).any() and not (cut_first == 0).any()  # a hole is coloured too
    assert DiffAugment() == DiffAugment(("colour", "translation", "cutout"))


@pytest.mark.parametrize("kinds", ["colour", "translation", "cutout", DiffAugment().kinds])
def test_the_gradient_goes_through_diff_augment(kinds):
    assert_linear_adjoint(DiffAugment(kinds), FROM)


def test_reals_and_fakes_are_augmented_by_other_draws_and_only_in_the_view():
    rule = DiffAugment()
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    views = [rule.augment(REAL, FROM.within(f"view/{turn}")) for turn in ("D/real", "D/fake")]
    assert not torch.equal(*views)


# AdaptiveAugment


def at(p: float, step: int = 200) -> StepContext:
    return moment(step, memory={"rule/p": torch.tensor(p, dtype=torch.float64)})


def test_without_a_probability_nothing_is_augmented():
    assert AdaptiveAugment().augment(REAL, at(0.0)) is REAL
    assert AdaptiveAugment().augment(REAL, moment()) is REAL  # nothing is remembered yet


def test_p_rises_where_D_over_fits_and_falls_where_it_does_not():
    rule, memory, ps = AdaptiveAugment(target=0.5, speed_images=64), {}, []
    for step, r_t in enumerate((0.6, 0.6, 0.4, 0.6, 0.6, 0.6, 0.6)):
        context = moment(step, memory=memory, r_t=r_t)
        real, fake = rule.discriminator_batch(REAL, FAKE, context)
        assert real is REAL and fake is FAKE
        ps.append(memory["rule/p"].item())
    assert ps == [0.25, 0.5, 0.25, 0.5, 0.75, 1, 1]  # 16 of 64 images a step
    assert not torch.equal(rule.augment(REAL, context), REAL)
    assert memory["rule/p"].item() == 1  # a view asks and does not count


@pytest.mark.parametrize("p", [0.05, 0.2])
def test_each_transform_happens_to_each_image_with_probability_p(p):
    """An image stays as it is when nothing happens, or a mirror or a move that does nothing."""
    x = torch.rand(3000, 3, 8, 8, generator=RNG, dtype=torch.float64)
    y = AdaptiveAugment().augment(x, at(p))
    same = ((x - y).abs().amax((1, 2, 3)) < 1e-5).double().mean().item()
    # A mirror is drawn half of the time; a move of U(-1, 1) pixels rounds to none by half, twice.
    expected = (1 - p / 2) * (1 - p * (1 - 0.5**2)) * (1 - p) ** 5
    assert abs(same - expected) < 4 * math.sqrt(expected * (1 - expected) / len(x))


def colours(context: StepContext, n: int):
    """Brightness, contrast and saturation of n images, found from flat ones; (n, 1, 1, 1) each."""
    shape = (n, 3, 4, 4)
    black, white = (
        AdaptiveAugment().augment(torch.full(shape, c, dtype=torch.float64), context)
        for c in (0.0, 1.0)
    )
    tint = torch.tensor([0.5, -0.5, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    tinted = AdaptiveAugment().augment(tint.expand(shape), context)
    contrast = (white - black)[:, :1, :1, :1]
    saturation = ((tinted - tinted.mean(1, keepdim=True)) / tint)[:, :1, :1, :1] / contrast
    return black[:, :1, :1, :1] / contrast, contrast, saturation


def test_colours_have_the_papers_laws():
    brightness, contrast, saturation = colours(at(1.0), 2000)
    assert looks(stats.norm(0, 0.2), brightness.flatten())
    assert looks(stats.norm(0, 0.5), contrast.flatten().log2())
    assert looks(stats.norm(0, 1), saturation.flatten().log2())


def test_motions_have_the_papers_laws():
    """Images that show their own coordinates say where each pixel came from."""
    n, side, context = 800, 64, at(1.0)
    place = torch.arange(side, dtype=torch.float64) + 0.5 - side / 2
    down, right = torch.meshgrid(place, place, indexing="ij")
    x = torch.stack([right, down, 0 * right]).expand(n, 3, side, side)
    y = AdaptiveAugment().augment(x, context)
    brightness, contrast, saturation = colours(context, n)
    grey = y.mean(1, keepdim=True)
    came = grey / contrast - brightness + (y - grey) / (contrast * saturation)  # colours undone
    came = came[:, :2, 31:33, 31:33]  # about the centre: nothing is reflected there
    centre = came.mean((2, 3))
    along_x = (came[..., 1] - came[..., 0]).mean(2)
    along_y = (came[:, :, 1] - came[:, :, 0]).mean(2)
    turned = torch.stack([along_x, along_y], dim=2)  # came = centre + turned @ (right, down)

    mirrored = torch.linalg.det(turned) < 0
    assert abs(mirrored.double().mean() - 0.5) < 4 * math.sqrt(0.25 / n)
    turned[mirrored, 0] *= -1
    centre[mirrored, 0] *= -1

    zoom = torch.linalg.det(turned).rsqrt()
    assert looks(stats.norm(0, 0.2), zoom.log2())
    turn = turned * zoom[:, None, None]
    unit = torch.eye(2, dtype=torch.float64).expand(n, 2, 2)
    torch.testing.assert_close(turn @ turn.mT, unit, rtol=0, atol=1e-4)  # no slant
    angle = torch.atan2(turn[:, 0, 1], turn[:, 0, 0])
    assert looks(stats.uniform(-math.pi, 2 * math.pi), angle)

    moves = -torch.linalg.solve(turned, centre[..., None])[..., 0]
    torch.testing.assert_close(moves, moves.round(), rtol=0, atol=1e-3)  # whole pixels
    shares = np.array([0.5, *[1.0] * 15, 0.5]) / 16  # U(-8, 8), rounded
    for way in moves.round().int().T:
        seen = np.bincount(way + 8, minlength=17)  # refuses a move beyond an eighth of the side
        assert stats.chisquare(seen, shares * n).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_the_gradient_goes_through_adaptive_augment(p):
    assert_linear_adjoint(AdaptiveAugment(), at(p))


def test_another_step_is_another_draw():
    views = [AdaptiveAugment().augment(REAL, at(1.0, step)) for step in (200, 201)]
    assert not torch.equal(*views)
    assert torch.equal(views[0], AdaptiveAugment().augment(REAL, at(1.0)))


# refusals


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DiffAugment("blur"), r"kinds=\('blur',\) in DiffAugment: .*'cutout'"),
        (lambda: DiffAugment(from_epoch=-1), r"DiffAugment\(from_epoch=-1\): expected an epoch"),
        (lambda: AdaptiveAugment(speed_images=0), r"AdaptiveAugment\(speed_images=0\): expected"),
        (lambda: AdaptiveAugment(target="high"), r"target='high' in AdaptiveAugment: "),
        (lambda: AdaptiveAugment(from_epoch=-1), r"AdaptiveAugment\(from_epoch=-1\): expected an"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)
