"""What is too few, in words."""

from bascule.metrics.least import Sizes, too_few


def test_what_is_lacking_is_told_by_kind():
    least = Sizes(fakes=20, held_out=40, train=100)
    assert least.lacks(least) == "" == least.lacks(Sizes(99, 99, 999))
    assert least.lacks(Sizes(20, 9, 100)) == "needs 40 held-out images, this set holds out 9"
    assert least.lacks(Sizes(2, 40, 45)) == (
        "needs 20 fakes, 2 are given, and 100 training images, this set has 45"
    )


def test_only_what_lacks_something_is_left_out():
    least = {"a": Sizes(2, 5, 5), "b": Sizes(2, 0, 0), "c": Sizes(2, 6, 0)}
    found = too_few(least, Sizes(9, 5, 9))
    assert found == {"c": "needs 6 held-out images, this set holds out 5"}
