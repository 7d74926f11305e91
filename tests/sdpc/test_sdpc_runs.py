"""Runs of SDPC: they stop and resume exactly, and their networks encode again."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.runs.execute import execute
from bascule.runs.fork import fork
from bascule.runs.generate import generate
from bascule.sdpc.load import coder_of


def final(run):
    rows = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")} for row in run.rows()
    ]
    return run.load_checkpoint(), rows


@pytest.mark.parametrize("stop_after", [1, 3, 7])
def test_stop_and_resume_equals_no_stop(tiny_sdpc, make_run, store, same, stop_after):
    recipe = tiny_sdpc.replace(redraw_after=2)
    whole, stopped = make_run(recipe, "whole"), make_run(recipe, "stopped")
    assert execute(whole, store) == "finished"
    calls = iter(range(1, 1000))
    assert execute(stopped, store, must_stop=lambda: next(calls) == stop_after) == "interrupted"
    assert execute(stopped, store) == "finished"
    assert same(final(whole), final(stopped))
    assert whole.sample(4).read_bytes() == stopped.sample(4).read_bytes()
    costs = [row["cost"] for row in whole.rows()]
    assert costs[-1] < costs[0]


def test_a_fork_learns_on_under_another_feedback(tiny_sdpc, make_run, store, same):
    parent = make_run(tiny_sdpc)
    execute(parent, store)
    other = tiny_sdpc.replace(settle=tiny_sdpc.settle.replace(k_fb=4.0))
    branch = fork(store, parent, 2, other, "branch")
    execute(branch, store)
    assert [row["cost"] for row in branch.rows()[:2]] == [row["cost"] for row in parent.rows()[:2]]
    assert branch.rows()[2]["cost"] != parent.rows()[2]["cost"]


def test_the_coder_of_a_run_is_the_one_that_was_trained(tiny_sdpc, make_run, store):
    run = make_run(tiny_sdpc)
    with pytest.raises(UserError, match="no checkpoint yet"):
        coder_of(run)
    execute(run, store)
    pictures = tiny_sdpc.data.load().pixels[:6]
    last, early = coder_of(run), coder_of(run, 2)
    assert early.state.epoch == 2 and last.state.epoch == 4
    a, b = last.encode(pictures), early.encode(pictures)
    assert not np.array_equal(a.codes.maps[0], b.codes.maps[0])
    with pytest.raises(UserError, match="keeps no checkpoint of epoch 3"):
        coder_of(run, 3)


def test_kinds_of_runs_are_not_mixed_up(tiny, tiny_sdpc, make_run, store):
    gan, sdpc = (
        make_run(tiny.replace(epochs=1), "gan"),
        make_run(tiny_sdpc.replace(epochs=1), "sdpc"),
    )
    for run in (gan, sdpc):
        execute(run, store)
    with pytest.raises(UserError, match="has no dictionaries"):
        coder_of(gan)
    with pytest.raises(UserError, match="has no G that draws fakes"):
        generate(sdpc, 4)
    with pytest.raises(UserError, match="keeps its parent's model"):
        fork(store, sdpc, 1, tiny.replace(epochs=2, data=tiny_sdpc.data), "mixed")
