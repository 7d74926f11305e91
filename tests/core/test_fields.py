"""Fields are what their annotations say, however a value was written."""

from dataclasses import dataclass
from math import inf, nan
from typing import Literal

import pytest

from bascule.core import fields
from bascule.core.errors import UserError
from bascule.core.fields import check_fields, hints


@dataclass(frozen=True)
class Inner:
    n: int = 1

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Outer:
    count: int = 1
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    on: bool = True
    some: int | None = None
    inner: Inner = Inner()
    pair: tuple[float, float] = (0.0, 1.0)
    parts: tuple[Inner, ...] = ()

    def __post_init__(self):
        check_fields(self)


def test_equal_values_have_equal_form():
    made = Outer(rate=1, pair=[1, 2], parts=Inner(3))
    assert (type(made.rate), made.pair, made.parts) == (float, (1.0, 2.0), (Inner(3),))
    assert repr(made) == repr(Outer(rate=1.0, pair=(1.0, 2.0), parts=(Inner(3),)))
    assert Outer(parts=(Inner(k) for k in range(2))).parts == (Inner(0), Inner(1))


@pytest.mark.parametrize(
    "wrong",
    [
        *({"count": value} for value in (1.5, 1.0, "1", True, None, nan)),
        *({"rate": value} for value in ("0.5", True, None, nan, inf)),
        *({"kind": value} for value in ("c", 1)),
        *({"on": value} for value in (1, "yes")),
        *({"some": "3"}, {"inner": 3}, {"inner": Inner}, {"pair": (1.0,)}, {"pair": "01"}),
        *({"parts": 3}, {"parts": [Inner(), 3]}),
    ],
    ids=str,
)
def test_a_wrong_kind_is_refused_in_one_line(wrong):
    name = next(iter(wrong))
    with pytest.raises(UserError, match=f"^{name}=.* in Outer: ") as refusal:
        Outer(**wrong)
    assert "\n" not in str(refusal.value)


def test_hints_are_the_fields_that_a_class_takes():
    assert hints(Inner) == {"n": int}


def test_what_a_hint_asks_is_worked_out_once(monkeypatch):
    @dataclass(frozen=True)
    class Twice:
        a: Literal["once and for all", "never"] = "never"
        b: Literal["once and for all", "never"] = "never"

        def __post_init__(self):
            check_fields(self)

    built = []
    adapter = fields.TypeAdapter
    monkeypatch.setattr(
        fields, "TypeAdapter", lambda hint, **words: built.append(hint) or adapter(hint, **words)
    )
    for _ in range(3):
        Twice()
    with pytest.raises(UserError, match=r"^a='later' in Twice"):
        Twice("later")
    assert len(built) == 1


@dataclass(frozen=True)
class IntFirst:
    x: int | bool = 0

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class BoolFirst:
    x: bool | int = 0

    def __post_init__(self):
        check_fields(self)


def test_unions_of_another_order_are_refused_in_their_own_words():
    for cls, first in ((IntFirst, "integer"), (BoolFirst, "boolean")):
        with pytest.raises(
            UserError, match=f"^x='no' in {cls.__name__}: Input should be a valid {first}"
        ):
            cls("no")
