"""Lessons: their games are those of the diagnoses, and what is shown of a played one is true."""

import pytest
import torch

from bascule.board.export import stories
from bascule.core.errors import UserError
from bascule.data.batches import as_float
from bascule.data.faces import Faces
from bascule.diagnostics.advice import ADVICE
from bascule.diagnostics.rules import NAMES as DIAGNOSES
from bascule.lessons import cli
from bascule.lessons.lesson import LESSONS, Lesson, healthy, lesson
from bascule.lessons.networks import Collapsed, Copies, OnBrightness


def test_every_lesson_has_a_name_for_the_command_line_and_a_diagnosis():
    assert tuple(each.name for each in LESSONS) == cli.NAMES
    for each in LESSONS:
        assert each.finding in DIAGNOSES and each.finding in ADVICE
        assert each.recipe.data == healthy.data and each.recipe.threads == 1
        assert "RUN" in each.then and lesson(each.name) is each


def test_the_site_with_stories_trains_the_same_games():
    assert stories.ARMS["healthy"] == lesson("healthy").recipe
    assert stories.ARMS["D too strong"] == lesson("d-too-strong").recipe


def test_an_unknown_lesson_is_one_line():
    with pytest.raises(UserError, match="did you mean mode-collapse"):
        lesson("mode-colapse")


def test_a_collapsed_g_draws_few_kinds():
    G, D = Collapsed(width=4, modes=3).players(torch.Generator().manual_seed(0))
    x = G.eval()(torch.randn(40, 100, generator=torch.Generator().manual_seed(1))).flatten(1)
    near = (torch.cdist(x, x) < 0.5 * torch.cdist(x, x).max()).double()
    assert torch.linalg.matrix_rank(near) == 3  # three blocks of alike pictures
    assert D(x.view(-1, 3, 32, 32)).shape == (40,)


def test_a_copying_g_shows_training_images_alone():
    faces = Faces(n=40, size=32)
    G, _ = Copies(faces=faces, sigma=0.0).players(torch.Generator())
    images = faces.load()
    known = as_float(torch.from_numpy(images.pixels[images.indices("train")])).flatten(1)
    fakes = G(torch.randn(30, 100)).flatten(1)
    assert torch.cdist(fakes, known).min(1).values.max() < 0.1  # other faces are 10 away


def test_a_g_of_brightness_changes_brightness_and_d_sees_nothing_else():
    G, D = OnBrightness(theta=0.2).players(torch.Generator())
    z = torch.randn(8, 100)
    brighter = G(z)
    torch.nn.init.zeros_(G.theta)
    torch.testing.assert_close(brighter, G(z) + 0.2)
    torch.nn.init.ones_(D.psi)
    torch.testing.assert_close(D(brighter), D(brighter.flip(2).roll(3, 3)))


@pytest.fixture
def quick(monkeypatch):
    """Lessons in seconds: the same games, of four epochs on few faces."""
    shorter = {"epochs": 4, "sample_every_epochs": 4, "keep_every_epochs": 4}
    few = healthy.replace(data=Faces(n=600, size=32), **shorter)
    found = lesson("d-too-strong")
    shown = {f: getattr(found, f) for f in Lesson.__dataclass_fields__}
    shown["recipe"] = few.replace(lr_G=1e-6)
    monkeypatch.setattr("bascule.lessons.lesson.healthy", few)
    monkeypatch.setattr("bascule.lessons.lesson.LESSONS", (Lesson(**shown),))


def test_a_lesson_is_played_told_and_not_trained_again(quick, bascule, store, capsys):
    code, out, _ = bascule("show", "d-too-strong")
    assert code == 0
    runs = {run.recipe.lr_G: run for run in store.runs()}
    assert set(runs) == {1e-3, 1e-6}
    strong = runs[1e-6]
    assert strong.id in out and "Answer: G learns from" in out and "epoch-0004.png" in out
    told = next(line for line in out.splitlines() if " D_Gz " in line)
    means = [sum(r["D_Gz"] for r in runs[lr].rows()) / 4 for lr in (1e-3, 1e-6)]
    assert [f"{m:.2g}" for m in means] == [cell.strip() for cell in told.split("│")[2:4]]
    bascule("show", "d-too-strong")
    assert len(store.runs()) == 2

    import bascule as bl

    page = bl.show("d-too-strong", runs=store.root)._repr_html_()
    assert page.count("<img") == 2 and "Micah Lanier" in page and strong.id in page
