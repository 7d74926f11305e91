"""What pictures become when they settle: measured as the pictures themselves would be."""

import numpy as np
import pytest

from bascule.data.faces import Faces
from bascule.features.cache import features_of
from bascule.features.pixels import Pixels
from bascule.metrics.measured import measure
from bascule.sdpc.coder import Coder
from bascule.sdpc.settling import measure_settled


@pytest.fixture
def fitted(tiny_sdpc):
    recipe = tiny_sdpc.replace(data=Faces(n=60, size=32, held_out=0.5), epochs=2)
    images = recipe.data.load()
    return Coder(recipe).fit(np.array(images.pixels[images.indices("train")])), images


def test_each_number_is_that_of_the_decoded_pictures(fitted):
    coder, images = fitted
    fakes = np.array(images.pixels[images.indices("held_out")][:20])[:, :, ::-1].copy()
    told = []
    found = dict(
        measure_settled(
            coder, fakes, images, Pixels(), (0.0, 4.0), tell=lambda *both: told.append(both)
        )
    )
    labels = [name.partition("[")[0] for name in found]
    assert labels == [f"KID of layer {i} at k_fb={k}" for k in (0, 4) for i in (1, 2)]
    assert told[-1] == (40, 40) and told == sorted(told)
    again = coder.decode(coder.encode(fakes, coder.recipe.settle.replace(k_fb=4.0)), 2)
    real = features_of(images, Pixels())
    train, held_out = (real[images.indices(split)] for split in ("train", "held_out"))
    expected = measure("KID", Pixels()(again), train, held_out, 0)["KID"]
    assert list(found.values())[3] == expected
    assert len({value.value for value in found.values()}) == 4
