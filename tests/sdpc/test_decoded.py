"""What comes back from codes, way by way, against the parts it is made of."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.features.pixels import Pixels
from bascule.metrics.paired import pixel_error
from bascule.sdpc.coder import Coder
from bascule.sdpc.decoding import decoded, measure_decoding
from bascule.sdpc.preprocess.whitening import Whiten
from bascule.sdpc.preprocess.window import Window


@pytest.fixture
def fitted(tiny_sdpc):
    recipe = tiny_sdpc.replace(data=Faces(n=60, size=32, held_out=0.5), epochs=2)
    images = recipe.data.load()
    return Coder(recipe).fit(np.array(images.pixels[images.indices("train")])), images


def test_each_way_is_what_it_says(fitted):
    coder, images = fitted
    given = np.array(images.pixels[images.indices("held_out")])
    calls = []
    ways, seconds = decoded(coder, given, lambda *told: calls.append(told))
    assert list(ways) == ["low-pass", "layer 1", "layer 2", "split"]
    assert calls[-1] == (30, 30) and 0 < seconds < 10
    assert np.abs(ways["split"].astype(int) - given).max() <= 1  # exact but for rounding
    coded = coder.encode(given)
    for layer in (1, 2):
        assert np.array_equal(ways[f"layer {layer}"], coder.decode(coded, layer))
    # what is kept of Bands: the mean of each of 8 x 8 cells
    cells = torch.nn.functional.avg_pool2d(torch.from_numpy(given).float(), 4)
    low = torch.nn.functional.avg_pool2d(torch.from_numpy(ways["low-pass"]).float(), 4)
    inside = (cells > 16) & (cells < 239)  # where nothing was clipped
    assert (cells - low)[inside].abs().mean() < 2


def test_more_codes_bring_back_more(fitted):
    coder, images = fitted
    found = dict(measure_decoding(coder, images, 25, Pixels()))
    told = [found[f"paired L1 of {way}[decoded]"].value for way in ("low-pass", "layer 1", "split")]
    assert told[0] > told[1] > told[2] and told[2] < 1 / 255
    assert found["SSIM of split[decoded]"].value > 0.999
    kid = {name.partition("[")[0]: value for name, value in found.items()}
    assert kid["KID of split"].value == pytest.approx(kid["KID of split"].floor, abs=1e-3)
    assert kid["KID of split"].n == 25
    assert kid["KID of low-pass"].value > kid["KID of split"].value
    assert found["milliseconds[decoded]"].value > 0
    given = np.array(images.pixels[images.indices("held_out")][:25])
    by_hand = pixel_error(decoded(coder, given)[0]["layer 2"], given)
    assert found["paired L1 of layer 2[decoded]"].value == pytest.approx(by_hand.mean())
    assert found["paired L1 of layer 2[decoded]"].se == pytest.approx(by_hand.std(ddof=1) / 5)


def test_a_chain_that_cannot_be_undone_is_refused(tiny_sdpc):
    recipe = tiny_sdpc.replace(preprocess=(Whiten(), Window()), epochs=1)
    pixels = np.array(recipe.data.load().pixels)
    coder = Coder(recipe).fit(pixels[:20])
    with pytest.raises(UserError, match="cannot be undone, so nothing can be decoded"):
        decoded(coder, pixels[:4])
