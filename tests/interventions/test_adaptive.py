"""The probability of the adaptive rules, against one reckoned by hand."""

import pytest

from bascule.interventions.adaptive import adapted
from moments import moment


def told(r_ts, target=0.6, pace=0.25, memory=None):
    """p after each step, given r_t of the step before it (None: there was none)."""
    memory = {} if memory is None else memory
    seen = [{} if r_t is None else {"r_t": r_t} for r_t in r_ts]
    return [adapted(moment(memory=memory, **s), target, pace) for s in seen]


def test_p_goes_up_above_the_target_down_below_it_and_rests_on_it():
    assert told([None, 0.75, 1.0, 0.5, -1.0, 0.75, 0.5], target=0.5) == [
        *(0.0, 0.25, 0.5),
        *(0.5, 0.25),  # r_t = target changes nothing
        *(0.5, 0.5),
    ]


def test_p_stays_a_probability():
    assert told([1.0] * 6) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert told([-1.0] * 2 + [1.0]) == [0.0, 0.0, 0.25]
    assert told([1.0, 1.0, -1.0], pace=0.7) == pytest.approx([0.7, 1.0, 0.3])


def test_p_is_remembered_as_one_number_and_goes_on_from_there():
    memory = {}
    told([1.0, 1.0], memory=memory)
    assert {name: value.item() for name, value in memory.items()} == {"rule/p": 0.5}
    assert memory["rule/p"].shape == ()
    assert told([1.0], memory=memory) == [0.75]


def test_small_paces_add_up_without_drift():
    """As of a long run: 64 of 500,000 images a step."""
    memory = {}
    told([1.0] * 5000, pace=64 / 500_000, memory=memory)
    assert memory["rule/p"].item() == pytest.approx(0.64, rel=1e-12)
