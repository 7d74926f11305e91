"""What may be compared with what."""

import json
from dataclasses import replace
from math import isnan, nan

import pytest

from bascule.core.errors import UserError
from bascule.evaluation.evaluation import Evaluation, LeftOut, Scale, Value, by_reason, one_scale
from bascule.metrics.measured import Measured

SCALE = Scale("KID[net,64px]", "net v1 sha256:0123", "digest", n=200, m=1800)
MEASURED = Measured(value=0.5, floor=0.1, se=0.01, floor_se=nan, n=200, m=1800, repeats=5)
OTHERS = {
    "extractor": "net v2 sha256:0123",
    "images": "other digest",
    "n": 100,
    "m": 900,
    "version": 0,
    "split": "seed 3",
}


def test_numbers_of_one_scale_may_stand_together():
    values = [(name, Value(MEASURED, SCALE, "lower")) for name in "abc"]
    assert one_scale(SCALE.label, values) == SCALE


@pytest.mark.parametrize("field", OTHERS)
def test_every_other_scale_is_refused_with_what_differs(field):
    other = replace(SCALE, **{field: OTHERS[field]})
    values = [
        ("one run", Value(MEASURED, SCALE, "lower")),
        ("two run", Value(MEASURED, other, "lower")),
    ]
    with pytest.raises(UserError, match=f"one run and of two run.*{field} "):
        one_scale(SCALE.label, values)


def test_over_seeds_only_the_split_its_sizes_and_the_seed_of_draws_may_differ():
    one, other = replace(SCALE, split="seed 1"), replace(SCALE, split="seed 2", n=199, m=1801)
    assert one.over_seeds == other.over_seeds != SCALE.over_seeds == SCALE
    assert one.over_seeds != replace(other, images="others").over_seeds
    assert SCALE.over_seeds != replace(SCALE, n=199).over_seeds
    codes = replace(SCALE, extractor="SDPC codes, seed 4")
    assert codes.over_seeds == replace(codes, extractor="SDPC codes, seed 5").over_seeds


def test_an_evaluation_survives_its_file():
    values = (Value(MEASURED, SCALE, "lower"), Value(replace(MEASURED, value=2.0), SCALE, "floor"))
    before = Evaluation("run é", 20, 500, "faces", values, ("a note",), seed=7)
    text = json.dumps(before.plain(), allow_nan=False)
    after = Evaluation.read(json.loads(text))
    assert json.dumps(after.plain()) == text and isnan(after[SCALE.label].measured.floor_se)
    assert after.values[0].measured.value == 0.5 and after.subject == "run é" and after.seed == 7


def test_what_was_left_out_survives_too_and_older_files_know_nothing_of_it():
    why = "needs 40 held-out images, this set holds out 9"
    before = Evaluation("run", 1, 9, "faces", (), ("a note",), (LeftOut("C_T[net]", why),))
    plain = json.loads(json.dumps(before.plain()))
    assert Evaluation.read(plain) == before
    assert before.remarks() == ["a note", f"C_T left out: {why}"]
    assert before.labels == {"C_T[net]"}
    del plain["left_out"], plain["seed"]
    assert Evaluation.read(plain) == replace(before, left_out=())


def test_one_line_a_reason():
    told = {"FD[a]": "needs 5 fakes", "C_T[a]": "needs more", "Vendi[a]": "needs 5 fakes"}
    found = by_reason(told | {"FD[b]": "needs 5 fakes"})
    assert found == [("FD, Vendi", "each needs 5 fakes"), ("C_T", "needs more")]


@pytest.mark.parametrize("plain", [{}, {"values": [{}]}, {"values": 3}, {"values": []}])
def test_what_is_no_evaluation_is_said_to_be_none(plain):
    with pytest.raises(ValueError, match="not an evaluation"):
        Evaluation.read(plain)
