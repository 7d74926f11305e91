"""The latents page draws what the run's G draws, and finds neighbours as NumPy does."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bascule.board.latents import MOST_STOPS, Gs, Place, sheet
from bascule.core.errors import UserError
from bascule.core.user_code import load_file
from bascule.data.faces import Faces
from bascule.runs.execute import execute
from bascule.runs.latent_space import LatentSpace


@pytest.fixture
def trained(tiny, store, make_run):
    run = make_run(tiny.replace(lr_G=0.05), "one")  # its pictures differ
    execute(run, store)
    return run


def pixels(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).transpose(2, 0, 1)


def test_places_are_texts():
    assert Place.parse("7::1") == Place(7)
    assert Place.parse("7:0,-1.5:0.5") == Place(7, (0.0, -1.5), 0.5)


@pytest.mark.parametrize(
    "text",
    ["", "7", "-1::1", "7:nan:1", "7:0:nan", "7:0:3", "7:x:1", "7:1e9:1", f"{2**60}::1", "7:::1"],
)
def test_other_texts_are_no_places(text):
    with pytest.raises(UserError, match="expected SEED:MOVE"):
        Place.parse(text)


def test_a_sheet_has_its_first_pictures_in_its_first_row():
    pictures = np.arange(6 * 3 * 2 * 2, dtype=np.uint8).reshape(6, 3, 2, 2)
    whole = sheet(pictures, 3)
    assert whole.shape == (3, 4, 6)
    assert (whole[:, :2, 2:4] == pictures[1]).all() and (whole[:, 2:, :2] == pictures[3]).all()


def test_pictures_are_those_of_the_run_moved_and_truncated(client, trained):
    space = LatentSpace.of(trained, 2)
    told = client.get(f"/latents/{trained.id}/about", params={"epoch": 2}).json()
    assert told["epoch"] == 2 and told["space"] == "z" and told["kept"] == [2, 4]
    assert told["shares"] == pytest.approx(space.directions.share.tolist())

    def drawn(place, epoch=2):
        asked = {"place": place, "epoch": epoch}
        return pixels(client.get(f"/latents/{trained.id}/picture.png", params=asked))

    point = space.random(5)
    assert (drawn("5::1") == space.draw(point)[0]).all()
    moved = point + 2 * space.directions.steps[0] - space.directions.steps[2]
    assert (drawn("5:2,0,-1:0.5") == space.draw(moved / 2)[0]).all()
    assert (drawn("5::1", 4) != drawn("5::1", 2)).any()


def test_a_walk_has_a_row_for_each_leg(client, trained):
    space = LatentSpace.of(trained)
    asked = {"place": ["1::1", "2:3:1", "3::0.5"]}
    whole = pixels(client.get(f"/latents/{trained.id}/walk.png", params=asked))
    assert whole.shape == (3, 3 * 32, 24 * 32)
    second = space.directions.moved(space.random(2), torch.tensor([3.0]))
    first_of_row = [space.random(1), second, space.random(3) / 2]
    for row, point in enumerate(first_of_row):
        expected = space.draw(point)[0].astype(int)
        assert np.abs(whole[:, 32 * row : 32 * row + 32, :32] - expected).max() <= 1
    for n in (0, 1, MOST_STOPS + 1):
        refused = client.get(f"/latents/{trained.id}/walk.png", params={"place": ["1::1"] * n})
        assert refused.status_code == 400 and "a walk through" in refused.json()["error"]


def test_the_nearest_are_training_pictures_and_attributes_are_read(client, trained, monkeypatch):
    images = Faces(n=40, size=32).load()
    told = client.get(
        f"/latents/{trained.id}/beside", params={"place": "5::1", "by": "pixels"}
    ).json()

    def small(x):
        return x.reshape(len(x), 3, 16, 2, 16, 2).mean((3, 5)).reshape(len(x), -1) / 255

    train = np.flatnonzero(~images.held_out)
    fake = LatentSpace.of(trained).draw(LatentSpace.of(trained).random(5))
    far = np.sqrt(np.square(small(images.pixels[train]) - small(fake)).sum(1))
    assert [near["index"] for near in told["nearest"]] == train[np.argsort(far)[:4]].tolist()
    assert [near["distance"] for near in told["nearest"]] == pytest.approx(
        np.sort(far)[:4], rel=1e-3
    )
    assert told["labels"] == [] and "bascule evaluate" in told["remark"]  # no reader at 32 px
    index = told["nearest"][0]["index"]
    shown = pixels(client.get(f"/latents/{trained.id}/real/{index}.png"))
    assert (shown == images.pixels[index]).all()
    assert client.get(f"/latents/{trained.id}/real/40.png").status_code == 400


def test_an_open_page_keeps_its_g_and_a_new_one_has_the_newest(trained):
    gs = Gs()
    first = gs.get(trained, None)
    path = trained.checkpoint()
    path.write_bytes(trained.checkpoint(2).read_bytes())
    assert gs.get(trained, None) is first and first.space.epoch == 4
    assert gs.get(trained, None, renew=True).space.epoch == 2


def test_attributes_of_built_in_faces_are_read():
    from bascule.attributes.classifier import is_ready
    from bascule.board.latents import attributes

    images = Faces(n=40, size=64).load()
    assert is_ready("micah", 64) and not is_ready("micah", 33)
    told = attributes(images, images.pixels[:1])
    read = dict(told["labels"])
    same = [read[name] == str(images.labels[name][0]) for name in read]
    assert len(same) > 3 and np.mean(same) > 0.8


def test_refusals_are_one_line(client, fake, make_run, tiny_sdpc, trained):
    name = fake("empty").id
    for path, said in (
        (f"/latents/{name}/about", "no checkpoint"),
        (f"/latents/{make_run(tiny_sdpc, 'codes').id}/about", "has no G that draws fakes"),
        (f"/latents/{trained.id}/about?epoch=x", "expected a whole number"),
        (f"/latents/{trained.id}/about?epoch=3", "keeps no checkpoint of epoch 3"),
        (f"/latents/{trained.id}/picture.png?place=x", "expected SEED:MOVE"),
        (f"/latents/{trained.id}/beside?place=5::1&by=x", "way to compare"),
        ("/latents/..%2f..%2fetc/about", ""),
        ("/latents?run=..", "there is no run"),
        ("/latents", "there is no run"),
    ):
        answer = client.get(path)
        assert answer.status_code in (400, 404), path
        assert said in answer.json()["error"] and "\n" not in answer.json()["error"]


RULE = """
from dataclasses import dataclass
from pathlib import Path
from bascule.interventions import Intervention

@dataclass(frozen=True)
class Dim(Intervention):
    factor: float = 0.5
"""


def test_code_that_came_with_a_run_is_not_executed(client, tiny, store, make_run, tmp_path):
    rules = tmp_path / "rules.py"
    rules.write_text(RULE)
    run = make_run(tiny.replace(interventions=load_file(rules).Dim(), epochs=1), "own")
    execute(run, store)
    assert client.get(f"/latents/{run.id}/about").status_code == 200
    marker = tmp_path / "sprung"
    (run.code_folder / "rules.py").write_text(f"{RULE}\nPath({str(marker)!r}).touch()\n")
    for epoch in ("", "1"):  # loaded already or not
        client.get(f"/latents/{run.id}/about", params={"epoch": epoch})
    answers = [
        client.get(f"/latents/{run.id}/real/0.png"),
        client.get("/judging/next", params={"run": run.id, "judge": "Ann"}),
    ]
    assert [a.status_code for a in answers] == [400, 400] and not marker.exists()
    assert all("--trust" in answer.json()["error"] for answer in answers)
    assert client.get("/latents", params={"run": run.id}).status_code == 200


def test_the_page_names_its_run(client, fake):
    run = fake(title="<b>bold</b>")
    page = client.get("/latents", params={"run": run.id})
    assert page.status_code == 200 and "&lt;b&gt;bold" in page.text and "<b>bold" not in page.text
