"""Walks: ends, lengths and angles by hand."""

import math

import pytest
import torch

from bascule.latents.paths import linear, slerp, walk

A, B = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])


@pytest.mark.parametrize("between", [linear, slerp])
def test_a_walk_begins_and_ends_at_its_ends(between):
    a, b = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)).unbind()
    torch.testing.assert_close(between(a, b, 0.0), a)
    torch.testing.assert_close(between(a, b, 1.0), b)


@pytest.mark.parametrize("t", [0.0, 0.25, 1 / 3, 0.5, 1.0])
def test_an_arc_keeps_its_length_and_turns_evenly(t):
    found = slerp(A, B, t)
    expected = [2 * math.cos(t * math.pi / 2), 2 * math.sin(t * math.pi / 2), 0.0]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_line_cuts_the_corner():
    assert linear(A, B, 0.5).norm().item() == pytest.approx(math.sqrt(2))


def test_where_there_is_no_one_arc_it_is_the_line():
    assert slerp(A, 3 * A, 0.5).tolist() == pytest.approx([4.0, 0.0, 0.0])
    assert slerp(A, -A, 0.25).tolist() == pytest.approx([1.0, 0.0, 0.0])


@pytest.mark.parametrize("kind", ["slerp", "linear"])
def test_a_round_trip_passes_its_stops_and_takes_even_steps(kind):
    stops = torch.eye(3) * 2
    path = walk(stops, frames=4, kind=kind)
    assert path.shape == (12, 3)
    torch.testing.assert_close(path[::4], stops)
    steps = (path.roll(-1, 0) - path).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(12), rtol=1e-5, atol=1e-6)
