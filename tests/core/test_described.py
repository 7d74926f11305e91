"""Fields in words, taken from the class itself."""

from dataclasses import dataclass, field
from typing import Literal

from bascule.core.described import Described, described
from bascule.core.errors import UserError


@dataclass(frozen=True)
class Rule:
    """A rule.

    share, rest  how much of it
    kind         ``"one"`` or another,
                 in two lines
    other lines that name nothing
    """

    share: float
    rest: float = 0.5
    kind: Literal["one", "two"] = "one"
    both: bool = False
    many: tuple[int, ...] = field(default_factory=tuple)
    hidden: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.share < 0:
            raise UserError(f"Rule(share={self.share}): expected a share >= 0")


def test_fields_are_told_by_type_default_range_docstring_and_choices():
    assert described(Rule) == [
        Described("share", "float", None, "a share >= 0", "how much of it"),
        Described("rest", "float", "0.5", "", "how much of it"),
        Described(
            *("kind", "'one' | 'two'", "'one'", "", '"one" or another, in two lines'),
            ("'one'", "'two'"),
        ),
        Described("both", "bool", "False", choices=("False", "True")),
        Described("many", "tuple[int, ...]", "()"),
    ]


def test_a_line_has_type_default_and_range():
    share, rest, *_ = map(str, described(Rule))
    assert share == "float, required; a share >= 0" and rest == "float = 0.5"


def test_a_base_class_tells_of_the_fields_of_all_its_kinds():
    class Kind(Rule):
        """A kind of rule.

        rest  what is left
        """

    about = {f.name: f.about for f in described(Kind)}
    assert about["share"] == "how much of it" and about["rest"] == "what is left"
