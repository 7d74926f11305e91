"""Blind judging: two pictures without names, answers and undo in the files of judges."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from bascule.data.faces import Faces
from bascule.experiments.judgments import PICTURES, Pair, Sheet, keep, sheet_of
from bascule.runs.execute import execute
from bascule.runs.generate import generate


@pytest.fixture
def two(tiny, store, make_run):
    """Two finished runs whose pictures differ."""
    runs = []
    for seed in (0, 1):
        run = make_run(tiny.replace(seed=seed, lr_G=0.05), f"seed-{seed}")
        execute(run, store)
        runs.append(run)
    return runs


def pixels(data_url):
    kind, _, told = data_url.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(told))).convert("RGB")).transpose(
        2, 0, 1
    )


def following(client, runs, judge="Ann"):
    answer = client.get("/judging/next", params={"run": [run.id for run in runs], "judge": judge})
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(client, path, runs, **more):
    told = {"runs": [run.id for run in runs], "judge": "Ann", **more}
    return client.post(path, content=json.dumps(told))


def test_two_runs_are_shown_on_addressed_sides_and_answers_are_kept(client, two, store):
    pair = Pair.better(*two)
    by_id = {run.id: run for run in two}
    fakes = [generate(by_id[name], PICTURES).pictures for name in pair.runs]
    sheet, lefts = Sheet(pair, "Ann"), set()
    told = following(client, two)
    for count in range(8):
        assert told["count"] == count and told["most"] == PICTURES
        sides = [pixels(told["left"]), pixels(told["right"])]
        first, second = sides if sheet.is_left() else sides[::-1]
        number = sheet.picture()
        assert (first == fakes[0][number]).all() and (second == fakes[1][number]).all()
        lefts.add(sheet.is_left())
        chosen = {"left": count % 3 == 0, "seconds": 1.5}
        sheet = sheet.answered(**chosen)
        told = post(client, "/do/judge", two, count=count, **chosen).json()
    assert lefts == {True, False}
    kept = sheet_of(store.root, pair, "Ann").judgments
    assert [(j.picture, j.left, j.first) for j in kept] == [
        (j.picture, j.left, j.first) for j in sheet.judgments
    ]
    assert not any(run.id in json.dumps(told) for run in two)  # nothing tells which is which


def test_fakes_stand_beside_held_out_reals(client, two):
    images, run = Faces(n=40, size=32).load(), two[0]
    held_out = images.pixels[images.held_out]
    sheet = Sheet(Pair.real(run), "Ann")
    told = following(client, [run])
    sides = [pixels(told["left"]), pixels(told["right"])]
    fake, real = sides if sheet.is_left() else sides[::-1]
    assert (fake == generate(run, PICTURES).pictures[sheet.picture()]).all()
    assert (held_out == real).all((1, 2, 3)).sum() == 1


def test_to_look_changes_nothing_and_undo_takes_back(client, two, store):
    first = following(client, two)
    assert following(client, two) == first and not (store.root / "judgments").exists()
    post(client, "/do/judge", two, count=0, left=True, seconds=1)
    again = post(client, "/do/unjudge", two, count=1).json()
    assert again == first
    assert not list((store.root / "judgments").iterdir())
    assert "no answer to take back" in post(client, "/do/unjudge", two, count=0).json()["error"]


def test_an_answer_to_pictures_of_another_moment_is_refused(client, two):
    answered = {"left": True, "seconds": 1}
    assert post(client, "/do/judge", two, count=0, **answered).status_code == 200
    refused = post(client, "/do/judge", two, count=0, **answered)
    assert refused.status_code == 400 and "reload this page" in refused.json()["error"]
    assert following(client, two)["count"] == 1


def test_the_result_is_that_of_all_judges_with_an_exact_interval(client, two, board):
    asked = {"run": [run.id for run in two]}
    assert client.get("/judging/result", params=asked).json()["n"] == 0
    pair = Pair.better(*two)
    for judge, hits in (("Ann", 9), ("Ben", 5)):
        sheet = Sheet(pair, judge)
        for k in range(12):
            sheet = sheet.answered(sheet.is_left() == (k < hits), 1.0)
        keep(board.root, sheet)
    told = client.get("/judging/result", params=asked).json()
    expected = stats.binomtest(14, 24).proportion_ci(method="exact")
    assert told["n"] == 24 and told["judges"] == 2
    assert told["share"] == pytest.approx([14 / 24, expected.low, expected.high])


def test_a_judge_who_has_seen_all_is_told(client, two, board):
    sheet = Sheet(Pair.real(two[0]), "Ann")
    for _ in range(PICTURES):
        sheet = sheet.answered(True, 1.0)
    keep(board.root, sheet)
    told = following(client, two[:1])
    assert told["count"] == PICTURES and told["left"] is None
    more = post(client, "/do/judge", two[:1], count=PICTURES, left=True, seconds=1)
    assert more.status_code == 400 and "judged all" in more.json()["error"]


def test_an_unfinished_run_is_refused(client, two):
    run = two[0]
    run.checkpoint().write_bytes(run.checkpoint(2).read_bytes())
    answer = client.get("/judging/next", params={"run": run.id, "judge": "Ann"})
    assert answer.status_code == 400 and "2 of 4 epochs" in answer.json()["error"]


@pytest.mark.parametrize(
    "more", [{"left": 1}, {"left": None}, {"seconds": -1}, {"seconds": "x"}, {"seconds": True}]
)
def test_wrong_answers_are_refused(client, fake, more):
    run = fake()
    told = {"count": 0, "left": True, "seconds": 1.0, **more}
    answer = post(client, "/do/judge", [run], **told)
    assert answer.status_code == 400 and "expected left" in answer.json()["error"]


def test_wrong_questions_are_refused(client, fake):
    runs = [fake(f"run-{k}").id for k in range(3)]
    for path, names, said in (
        ("/judging", [], "expected one run"),
        ("/judging", runs, "expected one run"),
        ("/judging", [runs[0]] * 2, "two different runs"),
        ("/judging/result", [".."], "there is no run"),
        ("/judging/next", runs[:1], "the judge's name"),
    ):
        answer = client.get(path, params={"run": names})
        assert answer.status_code == 400 and said in answer.json()["error"], path
    page = client.get("/judging", params={"run": runs[:2]})
    assert page.status_code == 200 and "Which picture is better?" in page.text
    assert "Which picture is real?" in client.get("/judging", params={"run": runs[:1]}).text
