"""Chains of transforms: order, round trips, images that do not know of each other, refusals."""

from dataclasses import FrozenInstanceError, dataclass

import pytest
import torch

from bascule.core.errors import UserError
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.chain import prepared, restored
from bascule.sdpc.preprocess.local_contrast import LocalContrast
from bascule.sdpc.preprocess.standard import Standardise
from bascule.sdpc.preprocess.whitening import Whiten
from bascule.sdpc.preprocess.window import Window

EVERY = [
    Whiten(),
    Whiten(floor=0.05),
    Whiten(layout="published"),
    LocalContrast(size=5),
    LocalContrast(size=5, layout="published"),
    Standardise(),
    Window(),
    Bands(low=4),
]
PUBLISHED_ORDER = (Whiten(), LocalContrast(), Standardise(), Window())
THERE_AND_BACK = (Bands(low=4), Whiten(floor=0.05), Standardise())


def images(n: int = 4, channels: int = 3, height: int = 24, width: int = 32, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, height, width, generator=rng) * 2 - 1


@dataclass(frozen=True)
class Scale:
    by: float
    invertible: bool = True

    def apply(self, x):
        return x * self.by, {"by": torch.full((len(x),), self.by)}

    def undo(self, y, kept):
        return y / kept["by"].view(-1, 1, 1, 1)


@dataclass(frozen=True)
class Shift:
    by: float
    invertible: bool = True

    def apply(self, x):
        return x + self.by, {}

    def undo(self, y, kept):
        return y - self.by


@pytest.mark.parametrize("step", EVERY, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_does_not_know_its_batch_mates(step, channels):
    x = images(channels=channels)
    y, kept = step.apply(x)
    assert y.shape == x.shape and y.dtype == x.dtype
    assert (y - x).abs().max() > 0.01  # it does something
    others = x.clone()
    others[:2] = 100 * images(2, channels, seed=1)  # images 2 and 3 in very other company
    y_of_others, kept_of_others = step.apply(others)
    assert torch.equal(y_of_others[2:], y[2:])
    alone, kept_alone = step.apply(x[3:])
    assert torch.allclose(alone, y[3:], atol=1e-5)
    for name in kept:
        assert len(kept[name]) == len(x)
        assert torch.equal(kept_of_others[name][2:], kept[name][2:])
        assert torch.allclose(kept_alone[name], kept[name][3:], atol=1e-6)


@pytest.mark.parametrize("step", EVERY, ids=str)
def test_each_step_comes_back_or_says_that_it_cannot(step):
    x = images()
    y, kept = step.apply(x)
    if step.invertible:
        assert torch.allclose(step.undo(y, kept), x, atol=1e-5)
    else:
        with pytest.raises(UserError, match=rf"^{type(step).__name__}\(.*cannot be undone: \w.*$"):
            step.undo(y, kept)


@pytest.mark.parametrize("step", EVERY, ids=str)
def test_steps_are_frozen_and_equal_by_value(step):
    assert step == type(step)(**vars(step))
    with pytest.raises(FrozenInstanceError):
        step.invertible = True


def test_steps_act_in_order_and_are_undone_in_reverse():
    """(x + 1) * 2, and back as y / 2 - 1."""
    steps = (Shift(1.0), Scale(2.0))
    x = images()
    y, kept = prepared(x, steps)
    assert torch.allclose(y, (x + 1) * 2)
    assert list(map(list, kept)) == [[], ["by"]]
    assert torch.allclose(restored(y, kept, steps), x, atol=1e-6)
    ones = torch.ones_like(x)  # what is brought back need not be what was prepared
    assert torch.allclose(restored(ones, kept, steps), torch.tensor(-0.5))


def test_a_chain_of_no_steps_changes_nothing():
    x = images()
    y, kept = prepared(x, ())
    assert torch.equal(y, x) and kept == () and torch.equal(restored(y, kept, ()), x)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_invertible_chain_gives_the_pixels_back(channels):
    x = images(channels=channels)
    y, kept = prepared(x, THERE_AND_BACK)
    assert torch.allclose(y.std(dim=(1, 2, 3)), torch.ones(4), atol=1e-5)
    assert torch.allclose(restored(y, kept, THERE_AND_BACK), x, atol=1e-5)


def test_the_published_chain_ends_windowed_and_cannot_come_back():
    y, kept = prepared(images(), PUBLISHED_ORDER)
    assert torch.isfinite(y).all()
    assert y[..., 0, :].abs().max() == 0 and y.abs().max() > 1
    with pytest.raises(UserError, match=r"^step 1 of 4, Whiten\(.*\), cannot be undone"):
        restored(y, kept, PUBLISHED_ORDER)
    steps = (Standardise(), Window())
    y, kept = prepared(images(), steps)
    with pytest.raises(UserError, match=r"^step 2 of 2, Window\(power=10\), cannot be undone"):
        restored(y, kept, steps)


def test_a_constant_image_is_refused_after_whitening_too():
    """Whitened, it is 0 and no noise: neither z-scores nor contrasts make a picture of that."""
    x = images(3, height=25, width=35)
    x[1] = torch.tensor([0.1, -0.3, 0.7]).view(3, 1, 1)
    for then in (Standardise(), LocalContrast(5)):
        with pytest.raises(UserError, match="image 1 is constant"):
            prepared(x, (Whiten(), then))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_pixels_that_are_no_numbers_are_refused_with_their_image(bad):
    x = images(6)
    x[2, 1, 3, 4] = x[5, 0, 0, 0] = bad
    with pytest.raises(
        UserError, match=r"^image 2 has NaN or infinite pixels \(2 of 6.*remove it.*$"
    ):
        prepared(x, ())


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.zeros(3, 8, 8), r"got float32 \(3, 8, 8\)"),
        (torch.zeros(2, 4, 8, 8), r"got float32 \(2, 4, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "expected floats.*got uint8"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(x, said):
    with pytest.raises(UserError, match=said):
        prepared(x, (Window(),))


def test_what_was_kept_for_another_chain_is_refused():
    y, kept = prepared(images(), (Standardise(),))
    with pytest.raises(UserError, match="2 steps to undo but 1 kept"):
        restored(y, kept, (Standardise(), Standardise()))
