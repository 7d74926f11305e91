"""A part of the training images that chooses, and never meets those that judge."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.validation_split import ValidationSplit
from bascule.runs import codec


def test_it_is_made_of_training_images_alone_and_holds_some_of_them_out():
    whole = Faces(n=60, size=32, held_out=0.25).load()
    part = ValidationSplit(Faces(n=60, size=32, held_out=0.25), held_out=0.2).load()
    kept = whole.indices("train")
    assert np.array_equal(part.pixels, whole.pixels[kept])
    assert 0.1 <= part.held_out.mean() <= 0.25
    assert part.name == whole.name and part.digest != whole.digest
    for name, values in whole.labels.items():
        assert np.array_equal(part.labels[name], values[kept])
    judges = {image.tobytes() for image in whole.pixels[whole.indices("held_out")]}
    assert not judges & {image.tobytes() for image in part.pixels}


def test_it_travels_in_a_recipe_and_on_the_command_line():
    part = ValidationSplit(Faces(n=60, size=32), 0.3)
    assert codec.decode(codec.encode(part)) == part
    assert codec.parse("ValidationSplit(Faces(n=60, size=32), 0.3)") == part
    assert part.size == 32


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UserError, match="expected a share between"):
        ValidationSplit(Faces(), share)
