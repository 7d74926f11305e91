"""Flips and affine motions: torchvision's geometry, torchvision's laws, one draw per image."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torchvision.transforms import InterpolationMode, RandomAffine
from torchvision.transforms import functional as TF

from bascule.core.errors import UserError
from bascule.data.augment import Affine, Flip, Jitter, Motions, warp


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int, height: int = 32, width: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=seeded(seed)) * 2 - 1


def motion(angle=0.0, dx=0.0, dy=0.0, scale=1.0, shear=0.0) -> Motions:
    return Motions(*(torch.tensor([float(v)]) for v in (angle, dx, dy, scale, shear)))


# --- Flip


def test_each_image_is_flipped_or_left_whole():
    x = images(400)
    y = Flip()(x, seeded())
    flipped = [torch.equal(b, a.flip(-1)) for a, b in zip(x, y, strict=True)]
    kept = [torch.equal(b, a) for a, b in zip(x, y, strict=True)]
    assert all(f != k for f, k in zip(flipped, kept, strict=True))
    assert stats.binomtest(sum(flipped), 400, 0.5).pvalue > 0.001


def test_flip_follows_its_probability():
    x = images(1000, 4, 4)
    y = Flip(0.2)(x, seeded(1))
    flipped = sum(not torch.equal(a, b) for a, b in zip(x, y, strict=True))
    assert stats.binomtest(flipped, 1000, 0.2).pvalue > 0.001
    assert torch.equal(Flip(0.0)(x, seeded()), x)
    assert torch.equal(Flip(1.0)(x, seeded()), x.flip(-1))


# --- Jitter


def test_jitter_cuts_its_windows_from_what_pillow_enlarges():
    x = images(8, 20, 24)
    y = Jitter(1.25)(x, seeded(1))
    assert y.shape == x.shape and y.abs().max() <= 1
    found = []
    for image, cut in zip(x, y, strict=True):
        planes = [Image.fromarray(plane.numpy()) for plane in image]  # 32-bit floats
        large = [plane.resize((30, 25), Image.Resampling.BICUBIC) for plane in planes]
        whole = torch.stack([torch.from_numpy(np.array(plane)) for plane in large]).clamp(-1, 1)
        windows = whole.unfold(1, 20, 1).unfold(2, 24, 1)  # (3, 6, 7, 20, 24)
        far = (windows - cut[:, None, None]).abs().amax((0, 3, 4))
        assert far.min() < 1e-4 and (far < 1e-4).sum() == 1
        found.append(divmod(int(far.argmin()), far.shape[1]))
    assert len(set(found)) > 4


def test_jitter_chooses_every_window_equally_often():
    ramp = torch.linspace(-0.5, 0.5, 8)
    x = ramp.expand(4000, 1, 8, 8).contiguous()
    first = Jitter(1.5)(x, seeded())[:, 0, 0, 0]  # of 5 windows from left to right
    _, counts = first.mul(1e4).round().unique(return_counts=True)
    assert len(counts) == 5 and stats.chisquare(counts.numpy()).pvalue > 0.001


def test_jitter_without_enlargement_changes_nothing():
    x = images(3)
    assert torch.allclose(Jitter(1.0)(x, seeded()), x, atol=1e-6)
    with pytest.raises(UserError, match=r"Jitter\(enlarge=0.9\): expected a factor >= 1"):
        Jitter(0.9)


# --- Affine: geometry

MOTIONS = [
    {"angle": 20},
    {"angle": -75},
    {"dx": 3, "dy": -5},
    {"scale": 1.3},
    {"scale": 0.7},
    {"shear": 15},
    {"angle": 33, "dx": -4, "dy": 2, "scale": 1.2, "shear": -12},
]


@pytest.mark.parametrize("moves", MOTIONS, ids=str)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40)])
def test_warp_moves_as_torchvision_does(moves, height, width):
    x = images(1, height, width)
    m = motion(**moves)
    args = (m.angle.item(), [int(m.dx), int(m.dy)], m.scale.item(), [m.shear.item(), 0.0])
    bilinear = InterpolationMode.BILINEAR
    theirs = TF.affine(x, *args, interpolation=bilinear)
    covered = TF.affine(torch.ones_like(x), *args, interpolation=bilinear) > 0.999
    assert covered.float().mean() > 0.3
    for fill in ("reflection", "border", "black"):
        assert (warp(x, m, fill) - theirs)[covered].abs().max() < 1e-4
    assert (x - theirs)[covered].abs().max() > 0.1  # the motion is one that shows


def test_whole_pixel_shifts_show_what_each_fill_brings_in():
    x = images(1, 4, 6)
    m = motion(dx=2)  # two columns come in from the left
    for fill in ("reflection", "border", "black"):
        assert torch.allclose(warp(x, m, fill)[..., 2:], x[..., :4], atol=1e-5)
    first = warp(x, m, "reflection")[..., :2]
    assert torch.allclose(first, x[..., :2].flip(-1), atol=1e-5)
    assert torch.allclose(warp(x, m, "border")[..., :2], x[..., :1].expand(1, 3, 4, 2), atol=1e-5)
    assert torch.allclose(warp(x, m, "black")[..., :2], torch.tensor(-1.0), atol=1e-5)


def test_every_result_stays_in_range():
    x = torch.where(images(16) > 0, 1.0, -1.0)
    for fill in ("reflection", "border", "black"):
        y = Affine(180, 0.5, (0.5, 2.0), 30, fill)(x, seeded())
        assert y.shape == x.shape and y.abs().max() <= 1 + 1e-5


# --- Affine: laws

# Over 300 seeds the p-values are themselves uniform; with n this large, a law that is wrong by
# a few per cent falls far below this level.
CHANCE = 1e-4
WIDE = Affine(degrees=30, translate=0.25, scale=(0.8, 1.3), shear=10)


def test_motions_follow_torchvisions_laws():
    n = 6000
    ours = WIDE.draw(n, 48, 64, seeded(5))
    theirs = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        for _ in range(n):
            theirs.append(
                RandomAffine.get_params([-30, 30], [0.25, 0.25], [0.8, 1.3], [-10, 10], [64, 48])
            )
    angle, shift, scale, shear = zip(*theirs, strict=True)
    pairs = {
        "angle": (ours.angle, angle),
        "dx": (ours.dx, [s[0] for s in shift]),
        "dy": (ours.dy, [s[1] for s in shift]),
        "scale": (ours.scale, scale),
        "shear": (ours.shear, [s[0] for s in shear]),
    }
    for name, (a, b) in pairs.items():
        assert stats.ks_2samp(a.numpy(), b).pvalue > CHANCE, name


def test_motions_are_uniform_independent_and_whole_in_pixels():
    m = WIDE.draw(20000, 48, 64, seeded(7))
    assert stats.kstest(m.angle.numpy(), "uniform", (-30, 60)).pvalue > CHANCE
    assert stats.kstest(m.scale.numpy(), "uniform", (0.8, 0.5)).pvalue > CHANCE
    assert stats.kstest(m.shear.numpy(), "uniform", (-10, 20)).pvalue > CHANCE
    assert torch.equal(m.dx, m.dx.round()) and (m.dx.min(), m.dx.max()) == (-16, 16)
    assert torch.equal(m.dy, m.dy.round()) and (m.dy.min(), m.dy.max()) == (-12, 12)
    fields = torch.stack([getattr(m, f.name) for f in dataclasses.fields(m)])
    assert (torch.corrcoef(fields) - torch.eye(5)).abs().max() < 0.035


def test_each_image_moves_by_its_own_draw():
    x = images(1).expand(6, 3, 32, 32)
    y = WIDE(x, seeded())
    drawn = WIDE.draw(6, 32, 32, seeded())
    for i in range(6):
        alone = Motions(*(getattr(drawn, f.name)[i : i + 1] for f in dataclasses.fields(drawn)))
        assert torch.allclose(y[i : i + 1], warp(x[:1], alone), atol=1e-6)
    assert len({image.sum().item() for image in y}) == 6


def test_affine_that_does_nothing_is_the_identity():
    x = images(3)
    assert torch.equal(Affine()(x, seeded()), x)
    assert torch.allclose(warp(x[:1], motion()), x[:1], atol=1e-5)


@pytest.mark.parametrize("augment", [Flip(), WIDE], ids=["flip", "affine"])
def test_all_randomness_comes_from_the_generator(augment):
    x, before = images(8), torch.get_rng_state()
    a, again, other = augment(x, seeded(1)), augment(x, seeded(1)), augment(x, seeded(2))
    assert torch.equal(a, again) and not torch.equal(a, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Flip(1.5), "p=1.5"),
        (lambda: Flip(float("nan")), "p=nan"),
        (lambda: Affine(degrees=-5), "degrees=-5"),
        (lambda: Affine(translate=3), "translate=3.*fraction"),
        (lambda: Affine(scale=(1.2, 0.8)), r"scale=\(1.2, 0.8\)"),
        (lambda: Affine(scale=(0.0, 1.0)), "scale"),
        (lambda: Affine(scale=(1.0,)), "scale"),
        (lambda: Affine(shear=90), "shear=90"),
        (lambda: Affine(fill="reflect"), "unknown fill 'reflect'.*did you mean reflection"),
        (lambda: warp(images(1), motion(), "zeros"), "unknown fill 'zeros'"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()
