"""Whatever of a run is damaged: each verb refuses with one line, or does its work; others go on.

The long version is `benchmarks/bad_input.py`.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.runs.execute import execute
from bascule.runs.store import Run, Store


def other_value(file: str, *keys, value):
    """A JSON file with another value at one place."""

    def change(folder: Path) -> None:
        path = folder / file
        text = path.read_text("utf-8")
        told = json.loads(text.splitlines()[-1] if path.suffix == ".jsonl" else text)
        inner = told
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        path.write_text(json.dumps(told) + "\n")

    return change


def content(file: str, what: bytes):
    return lambda folder: (folder / file).write_bytes(what)


def gone(file: str):
    return lambda folder: (folder / file).unlink()


def cut(file: str):
    def change(folder: Path) -> None:
        whole = (folder / file).read_bytes()
        (folder / file).write_bytes(whole[: len(whole) // 2])

    return change


def copied(file: str, name: str):
    return lambda folder: shutil.copy(folder / file, (folder / file).with_name(name))


def other_state(file: str, *keys, value):
    """A checkpoint with another value at one place; None: without it."""

    def change(folder: Path) -> None:
        saved = torch.load(folder / file, weights_only=True)
        inner = saved
        for key in keys[:-1]:
            inner = inner[key]
        if value is None:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        torch.save(saved, folder / file)

    return change


LAST, KEPT = "checkpoints/last.pt", "checkpoints/epoch-0002.pt"
GRID, REPLAY = "samples/epoch-0002.png", "replay/epoch-0001.npy"
NEVER = "-"  # no verb needs that file

# name -> damage, and a part of the line of those verbs that refuse; others do their work
DAMAGES = {
    "run.json gone": (gone("run.json"), "run.json"),
    "run.json empty": (content("run.json", b""), "run.json"),
    "run.json of a fork of a number": (other_value("run.json", "name", value=3), "run.json"),
    "run.json with a number for a machine": (
        other_value("run.json", "machine", value=1.5),
        "machine is no object",
    ),
    "recipe.json gone": (gone("recipe.json"), "unknown run"),
    "recipe.json of another model": (
        other_value("recipe.json", "model", "width", value=6),
        "does not fit recipe.json",
    ),
    "recipe.json of another seed": (other_value("recipe.json", "seed", value="x"), "seed"),
    "status.json empty": (content("status.json", b""), "status.json"),
    "status.json of a list": (content("status.json", b"[]"), "status.json"),
    "scalars gone": (gone("scalars.jsonl"), "scalars.jsonl"),
    "scalars cut": (cut("scalars.jsonl"), "scalars.jsonl"),
    "scalars of other epochs": (
        other_value("scalars.jsonl", "epoch", value=7),
        "scalars.jsonl",
    ),
    "scalars of words": (other_value("scalars.jsonl", "loss_D", value="x"), "scalars.jsonl"),
    "diagnostics without an epoch": (
        content("diagnostics.jsonl", b'{"drift": 1.0}\n'),
        "diagnostics.jsonl",
    ),
    "metrics of words": (
        content("metrics.json", b'{"evaluations": [{"values": 3}]}'),
        "metrics.json",
    ),
    "last checkpoint empty": (content(LAST, b""), "last.pt"),
    "last checkpoint gone": (gone(LAST), NEVER),
    "last checkpoint of nothing": (lambda f: torch.save([], f / LAST), "last.pt"),
    "checkpoint without a game": (other_state(LAST, "game", value=None), "last.pt"),
    "checkpoint without a D": (other_state(LAST, "game", "D", value=None), "does not fit"),
    "checkpoint with another optimiser": (
        other_state(LAST, "game", "opt_D", "state", 0, "exp_avg", value=torch.zeros(3)),
        "does not fit",
    ),
    "checkpoint with a word for the epoch": (other_state(LAST, "epoch", value="x"), "last.pt"),
    "kept checkpoint cut": (cut(KEPT), "epoch-0002.pt"),
    "kept checkpoint of another epoch": (other_state(KEPT, "epoch", value=4), "epoch-0002.pt"),
    "a copy under a name of one's own": (copied(KEPT, "epoch-0002-best.pt"), NEVER),
    "a copy under a number in Arabic": (copied(KEPT, "epoch-\u0663.pt"), NEVER),
    "a copy under a number below 0": (copied(KEPT, "epoch--001.pt"), NEVER),
    "a picture under a name of one's own": (copied(GRID, "epoch-best.png"), NEVER),
    "a picture cut": (cut(GRID), "epoch-0002.png"),
    "a picture of text": (content(GRID, b"no picture"), "epoch-0002.png"),
    "old fakes empty": (content(REPLAY, b""), "epoch-0001.npy"),
    "old fakes of numbers": (lambda f: np.save(f / REPLAY, np.zeros(3)), "epoch-0001.npy"),
    "old fakes under a name of one's own": (copied(REPLAY, "epoch-old.npy"), NEVER),
}
VERBS = (
    ("list",),
    ("check", "damaged"),
    ("generate", "damaged", "-n", "2", "-o", "drawn"),
    ("generate", "damaged", "-n", "2", "-o", "drawn at 2", "--epoch", "2"),
    ("export", "damaged", "-o", "weights.pt"),
    ("draw", "film", "damaged", "-o", "film.webp"),
    ("rm", "damaged", "--yes"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny) -> Path:
    """A folder of two runs that were interrupted in their last epoch."""
    store = Store(tmp_path_factory.mktemp("trained"))
    for name, seed in (("damaged", 0), ("whole", 1)):
        one = tiny.replace(seed=seed)
        run = store.create(one, name, one.data.load().digest)
        steps = iter(range(99))
        execute(run, store, must_stop=lambda steps=steps: next(steps) > 12)
    return store.root


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_verb_refuses_in_one_line_or_does_its_work(damage, trained, bascule, store):
    shutil.copytree(trained, store.root)
    (folder,) = store.root.glob("*-damaged-*")
    (whole,) = store.root.glob("*-whole-*")
    before = {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    change, told = DAMAGES[damage]
    change(folder)
    refusals = []
    for words in VERBS:
        code, out, err = bascule(*(folder.name if word == "damaged" else word for word in words))
        assert code in (0, 2), (words, err)
        refused = out + err if words[0] == "check" else err
        if code == 2:
            lines = [line for line in refused.splitlines() if told in line]
            assert lines, (words, refused)
            assert words[0] == "check" or err.count("bascule: ") == 1
            refusals.append(words[0])
    assert bool(refusals) is (told != NEVER), refusals
    assert {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()} == before
    assert code == 0 or damage == "recipe.json gone"
    assert not folder.exists() or damage == "recipe.json gone"


@pytest.mark.parametrize("damage", [d for d in DAMAGES if "checkpoint" in d or "fakes" in d])
def test_a_run_goes_on_or_says_why_it_cannot(damage, trained, store):
    shutil.copytree(trained, store.root)
    (folder,) = store.root.glob("*-damaged-*")
    change, told = DAMAGES[damage]
    change(folder)
    try:
        assert execute(Run(folder), store) == "finished"
    except UserError as error:
        assert told in str(error) and "\n" not in str(error)
