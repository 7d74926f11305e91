"""The whole bench with a tiny budget: in this process, in others, and when a job fails."""

import multiprocessing
import os
from functools import partial

import pytest

from bascule.core.errors import UserError
from bascule.theory import bench
from bascule.theory.check import Budget
from bascule.theory.mixtures import Schedule

TINY = Budget(
    "tiny",
    Schedule(steps=3, width_G=4, width_D=4, std=0.1, lr=1e-3, falls=True, generated=20),
    seeds=(0, 1),
    dirac_steps=20,
    long_steps=10,
    gaussian_steps=3,
    noise_steps=1,
)


def times(factor, tell):
    tell(0.5)
    return factor * 2


def fail(tell):
    raise UserError("no luck")


def die(tell):
    os._exit(3)


@pytest.fixture(scope="module")
def measured():
    """(sections, what was told on the way)"""
    told = []
    return bench.measure(TINY, 1, lambda shares: told.append(sum(shares.values()))), told


def test_every_subject_is_measured(measured):
    sections, told = measured
    checks = [c for s in sections for c in s.checks]
    assert len({c.name for c in checks}) == len(checks) > 50
    assert sum(c.word == "reference" for c in checks) == 4
    assert told == sorted(told) and told[-1] == len(bench.jobs(TINY)) == 7


def test_the_numbers_are_the_same_each_time(measured):
    again = bench.measure(TINY, 1)
    for old, new in zip(measured[0], again, strict=True):
        assert [c.measured for c in old.checks] == [c.measured for c in new.checks]


def test_what_needs_no_training_agrees_even_in_a_tiny_bench(measured):
    words = {c.name: c.word for s in measured[0] for c in s.checks}
    exact = ("a product", "gan_step", "the truth", "collapse", "its high quality", "known images")
    told = {name: word for name, word in words.items() if any(e in name for e in exact)}
    assert len(told) == 12 and set(told.values()) == {"agrees"}


def test_processes_return_what_the_jobs_return_by_name():
    told = []
    todo = {"a": partial(times, 3), "b": partial(times, 4)}
    assert bench.in_processes(todo, 1, told.append) == {"a": 6, "b": 8} == bench.here(todo, print)
    assert told[-1] == {"a": 1.0, "b": 1.0}
    assert not multiprocessing.active_children()


def test_jobs_that_fail_end_the_bench():
    with pytest.raises(UserError, match="no luck"):
        bench.here({"bad": fail}, print)
    with pytest.raises(UserError, match="died"):
        bench.in_processes({"bad": die, "b": partial(times, 4)}, 1, lambda shares: None)
    assert not multiprocessing.active_children()


def test_the_published_schedule_is_the_full_one():
    assert bench.FULL.mixtures.steps == 400 * 1000 and bench.FULL.mixtures.lr == 1e-4
    assert bench.TWO_MINUTES.mixtures.steps < 10_000
