"""A refusal of an unknown name says what was given, what is near and what exists."""

import pytest

from bascule.core.errors import UserError, unknown


def test_the_nearest_name_is_suggested_and_all_are_listed_in_order():
    refusal = unknown("recipe field", "epoch", ["seed", "epochs", "batch"])
    assert isinstance(refusal, UserError)
    assert str(refusal) == (
        "unknown recipe field 'epoch': did you mean epochs? known: batch, epochs, seed"
    )


def test_nothing_is_suggested_when_nothing_is_near():
    assert str(unknown("preset", "zzz", {"dcgan64": 0})) == "unknown preset 'zzz': known: dcgan64"


@pytest.mark.parametrize("known", [[], (), {}, iter(())])
def test_no_names_at_all(known):
    assert str(unknown("run", "x", known)) == "unknown run 'x': known: none"


@pytest.mark.parametrize("given", ["été", "完璧なG", "two\nlines", ""])
def test_any_name_makes_one_line(given):
    said = str(unknown("arm", given, ["plain", "été 2", "完璧な G"]))
    assert "\n" not in said
    assert repr(given) in said
