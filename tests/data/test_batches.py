"""Batches as a pure function of (seed, epoch), and bytes that survive the trip to [-1, 1]."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bascule.core.errors import UserError
from bascule.data.batches import AddressedSampler, as_float, as_uint8, epoch_order


def test_an_epoch_shows_each_image_at_most_once_in_full_batches():
    order = epoch_order(n=103, batch=10, seed=1, epoch=0)
    assert order.shape == (10, 10) and order.dtype == torch.int64
    seen = order.flatten().tolist()
    assert len(set(seen)) == 100 and min(seen) >= 0 and max(seen) < 103


def test_a_set_that_divides_is_shown_whole():
    assert sorted(epoch_order(60, 20, seed=3, epoch=4).flatten().tolist()) == list(range(60))
    assert epoch_order(5, 5, seed=0, epoch=0).shape == (1, 5)


def test_order_depends_on_seed_and_epoch_and_nothing_else():
    a = epoch_order(64, 8, seed=1, epoch=2)
    before = torch.get_rng_state()
    assert torch.equal(a, epoch_order(64, 8, seed=1, epoch=2))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(a, epoch_order(64, 8, seed=1, epoch=3))
    assert not torch.equal(a, epoch_order(64, 8, seed=2, epoch=2))
    assert not torch.equal(a.flatten(), torch.arange(64))


def test_first_place_is_fair_over_the_epochs():
    """Over 3000 epochs each of 10 images leads about 300 times (five standard deviations)."""
    firsts = torch.tensor([epoch_order(10, 1, 0, e)[0, 0].item() for e in range(3000)])
    assert (torch.bincount(firsts, minlength=10) - 300).abs().max() < 5 * (300 * 0.9) ** 0.5


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_of_ones_own_gives_the_same_batches(workers):
    images = torch.arange(23)
    sampler = AddressedSampler(n=23, batch=4, seed=9)
    loader = DataLoader(TensorDataset(images), batch_sampler=sampler, num_workers=workers)
    assert len(loader) == 5
    for epoch in (0, 7):
        sampler.set_epoch(epoch)
        got = torch.stack([batch for (batch,) in loader])
        assert torch.equal(got, images[epoch_order(23, 4, seed=9, epoch=epoch)])


@pytest.mark.parametrize("make", [epoch_order, lambda n, batch, *_: AddressedSampler(n, batch, 0)])
def test_refusals_say_both_numbers(make):
    with pytest.raises(UserError, match=r"batch=64.*40 images.*at most 40"):
        make(40, 64, 0, 0)
    with pytest.raises(UserError, match="batch=0"):
        make(40, 0, 0, 0)


def test_all_levels_survive_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    x = as_float(levels)
    assert x.dtype == torch.float32 and x.shape == levels.shape
    assert torch.equal(as_uint8(x), levels)


def test_levels_land_where_the_formula_says():
    x = as_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert torch.allclose(x, torch.tensor([-1.0, -0.6, 1.0]), atol=1e-7)
    assert x[0] == -1 and x[2] == 1


def test_as_uint8_rounds_and_clips():
    x = torch.tensor([-7.0, -1.0, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 0.999, 1.0, 1.5])
    assert as_uint8(x).tolist() == [0, 0, 0, 1, 255, 255, 255]
    assert as_uint8(as_float(torch.tensor([200], dtype=torch.uint8)).double()).item() == 200
