"""Fakes of a run."""

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.runs import generate as module
from bascule.runs.generate import generate


@pytest.fixture
def run(tiny, finished_run):
    return finished_run(tiny)


def test_fakes_are_g_of_addressed_latents_and_a_sample_begins_with_a_smaller_one(run, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 8)
    told = []
    drawn = generate(run, 20, progress=lambda *done: told.append(done))
    fakes = drawn.pictures
    assert (
        drawn.epoch == 4
        and drawn.ms > 0
        and fakes.shape == (20, 3, 32, 32)
        and fakes.dtype == np.uint8
    )
    assert told == [(8, 20), (16, 20), (20, 20)]
    assert np.array_equal(generate(run, 11).pictures, fakes[:11])
    assert not np.array_equal(generate(run, 11, seed=1).pictures, fakes[:11])
    assert len(np.unique(fakes.reshape(20, -1), axis=0)) == 20
    assert generator("evaluation z", 0, 0).initial_seed() != generator("fixed z").initial_seed()


def test_a_run_of_another_machine_draws_on_the_cpu(run, tiny, make_run, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    theirs = make_run(tiny.replace(device="cuda:1"), "theirs")
    theirs.save_checkpoint(run.load_checkpoint())
    assert np.array_equal(generate(theirs, 4).pictures, generate(run, 4).pictures)


def test_an_earlier_checkpoint_draws_otherwise(run):
    late, early = generate(run, 4), generate(run, 4, epoch=2)
    assert (late.epoch, early.epoch) == (4, 2)
    assert not np.array_equal(late.pictures, early.pictures)


def test_what_was_not_kept_is_refused(run, tiny, make_run):
    with pytest.raises(UserError, match=r"no checkpoint of epoch 3; kept: 2, 4"):
        generate(run, 4, epoch=3)
    with pytest.raises(UserError, match="train it first"):
        generate(make_run(tiny, "new"), 4)
