"""Damage of any file of a run is found and named; a whole run has none."""

import random

import pytest

from bascule.core.errors import UserError
from bascule.runs.integrity import problems
from bascule.runs.store import Run


@pytest.fixture
def run(tiny, finished_run) -> Run:
    return finished_run(tiny)


def test_a_whole_run_has_no_problems_and_a_copy_of_a_checkpoint_is_none(run):
    copy = run.checkpoint(2).with_name("epoch-0002-best.pt")
    copy.write_bytes(run.checkpoint(2).read_bytes())
    assert problems(run) == [] and run.kept_epochs() == [2, 4]


def test_no_flipped_bit_of_a_checkpoint_changes_a_number(run, same):
    """PyTorch alone loads other numbers. Bits of the padding between tensors mean nothing."""
    path, draw, refused = run.checkpoint(2), random.Random(0), 0
    whole, saved = path.read_bytes(), run.load_checkpoint(2)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            assert same(run.load_checkpoint(2), saved)
        except UserError as error:
            assert "cannot read the checkpoint" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("recipe.json", "{}"),
        ("scalars.jsonl", '{"epoch": 0}\n{"epo'),
        ("diagnostics.jsonl", "[]\n"),
        ("status.json", "{}"),
        ("metrics.json", '{"evaluations": 3}'),
        ("checkpoints/last.pt", "no archive"),
        ("samples/epoch-0002.png", "no picture"),
        ("replay/epoch-0001.npy", ""),
    ],
)
def test_every_file_is_read(run, file, content):
    (run.folder / file).parent.mkdir(exist_ok=True)
    (run.folder / file).unlink(missing_ok=True)
    (run.folder / file).write_text(content)
    found = problems(Run(run.folder))
    assert found and all(file in line and "\n" not in line for line in found)


def test_the_verb_names_what_is_damaged_and_goes_on(bascule, run, make_run, tiny):
    make_run(tiny.replace(seed=1), "other")
    assert bascule("check")[:2] == (0, "2 runs are whole, 0 are not\n")
    run.checkpoint(4).write_bytes(b"")
    code, out, err = bascule("check")
    assert code == 2 and out.endswith("1 runs are whole, 1 are not\n")
    assert out.startswith(f"{run.id}: cannot read the checkpoint") and not err
    assert bascule("check", "other")[0] == 0
