"""Two image sets as one."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.images import DOMAIN
from bascule.runs import codec
from bascule.translation.domains import TwoSets

A, B = Faces(n=30, size=32, style="adventurer"), Faces(n=20, size=32)


def test_it_holds_both_with_their_own_held_out_images():
    both, a, b = TwoSets(A, B).load(), A.load(), B.load()
    assert np.array_equal(both.pixels, np.concatenate([a.pixels, b.pixels]))
    assert np.array_equal(both.held_out, np.concatenate([a.held_out, b.held_out]))
    assert list(both.labels[DOMAIN]) == ["a"] * 30 + ["b"] * 20
    assert a.credit in both.credit and b.credit in both.credit
    assert len({both.digest, a.digest, b.digest, TwoSets(B, A).load().digest}) == 4


def test_it_travels_and_refuses_unequal_sizes():
    both = TwoSets(A, B)
    assert codec.decode(codec.encode(both)) == both and both.size == 32
    assert codec.parse("TwoSets(Faces(n=20, size=32), Imported(humans, 32))").b.name == "humans"
    with pytest.raises(UserError, match="TwoSets of 32 and 64 px"):
        TwoSets(A, Faces())


def test_a_set_with_one_training_image_is_refused():
    with pytest.raises(UserError, match="faces-micah has a single training image"):
        TwoSets(A, Faces(n=2, size=32, held_out=0.5)).load()
