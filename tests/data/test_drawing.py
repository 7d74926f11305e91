"""Faces drawn by several processes are those that one draws."""

import subprocess

import numpy as np
import pytest

from bascule.data import drawing
from bascule.data.artist import Artist
from bascule.data.drawing import parts_of


@pytest.fixture(scope="module")
def artist() -> Artist:
    return Artist("dylan")


def drawn(artist: Artist, monkeypatch: pytest.MonkeyPatch, cores: int):
    monkeypatch.setattr(drawing, "cores", lambda: cores)
    monkeypatch.setattr(drawing, "WORTH", 5)
    monkeypatch.setattr(drawing, "AT_ONCE", 4)
    parts = list(parts_of(artist, 16, 3, 18))
    assert [len(pixels) for pixels, _ in parts] == [4, 4, 4, 4, 2]
    labels = [label for _, told in parts for label in told]
    return np.concatenate([pixels for pixels, _ in parts]), labels


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_any_number_of_processes_draws_the_same(artist, monkeypatch, cores):
    pixels, labels = drawn(artist, monkeypatch, cores)
    for k, (face, told) in enumerate(zip(pixels, labels, strict=True)):
        alone, of_alone = artist.draw(3 + k, 16)
        assert (face == alone).all() and told == of_alone


def test_what_a_process_that_dies_owes_is_drawn_here(artist, monkeypatch):
    whole = drawn(artist, monkeypatch, 1)[0]
    begun = drawing._started

    def dying(*words):
        helper = begun(*words)
        if words[2].start == 7:
            helper.kill()
            helper.wait()
        return helper

    monkeypatch.setattr(drawing, "_started", dying)
    assert (drawn(artist, monkeypatch, 3)[0] == whole).all()


def test_where_no_process_may_be_started_this_one_draws(artist, monkeypatch):
    def refused(*words, **more):
        raise PermissionError

    whole = drawn(artist, monkeypatch, 1)[0]
    monkeypatch.setattr(subprocess, "Popen", refused)
    assert (drawn(artist, monkeypatch, 3)[0] == whole).all()


def test_they_end_with_the_one_who_asked(artist, monkeypatch):
    monkeypatch.setattr(drawing, "cores", lambda: 2)
    started = []
    begun = drawing._started

    def keep(*words):
        started.append(begun(*words))
        return started[-1]

    monkeypatch.setattr(drawing, "_started", keep)
    parts = parts_of(artist, 64, 0, 1000)
    next(parts)
    parts.close()
    assert len(started) == 2 and all(helper.poll() is not None for helper in started)
