"""The recipe of a network of SDPC: what it refuses, and how its images come and go."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.runs import codec
from bascule.sdpc.model import SDPC, Layer
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.local_contrast import LocalContrast
from bascule.sdpc.preprocess.standard import Standardise
from bascule.training.hardware import resolve_auto
from bascule.training.loop import train
from bascule.training.state import begin


def test_it_survives_its_file(tiny_sdpc):
    recipe = tiny_sdpc.replace(preprocess=(LocalContrast(), Standardise()), lr_D=(1e-3, 1e-2))
    assert codec.decode(codec.encode(recipe)) == recipe
    changed = codec.changed(recipe, {"settle.k_fb": "4.0", "preprocess": "[Bands(4)]"})
    assert changed.settle.k_fb == 4 and changed.preprocess == (Bands(4),)
    assert resolve_auto(recipe) == recipe


def test_pictures_come_back_from_what_the_network_sees(tiny_sdpc):
    pixels = torch.from_numpy(np.array(tiny_sdpc.data.load().pixels[:5]))
    y, kept = tiny_sdpc.prepared(pixels)
    torch.testing.assert_close(y.std((1, 2, 3)), torch.ones(5))
    assert np.array_equal(
        ((tiny_sdpc.restored(y, kept) + 1) * 127.5).round().to(torch.uint8), pixels
    )
    grey = tiny_sdpc.replace(space="grey", model=SDPC(tiny_sdpc.model.layers, channels=1, size=32))
    assert grey.prepared(pixels)[0].shape == (5, 1, 32, 32)


def test_every_layer_has_its_own_rate_or_all_have_one(tiny_sdpc):
    one, two = (
        begin(tiny_sdpc).trainer.learner,
        begin(tiny_sdpc.replace(lr_D=(0.1, 0.2))).trainer.learner,
    )
    assert [group["lr"] for group in one.opt_D.param_groups] == [3e-3, 3e-3]
    assert [group["lr"] for group in two.opt_D.param_groups] == [0.1, 0.2]
    assert torch.equal(one.network.dictionaries[1], two.network.dictionaries[1])
    assert tiny_sdpc.scalars[:4] == ("cost", "iterations", "error_1", "error_2")


def test_an_untaught_network_stays_as_it_was_drawn(tiny_sdpc):
    def moved(recipe):
        state = begin(recipe)
        network = state.trainer.network
        before = [*(D.clone() for D in network.dictionaries), network.gain(1).clone()]
        train(state, torch.from_numpy(np.array(recipe.data.load().pixels)))
        after = [*network.dictionaries, network.gain(1)]
        return max((a - b).abs().max().item() for a, b in zip(after, before, strict=True))

    assert moved(tiny_sdpc.untaught()) < 1e-5 < 1e-3 < moved(tiny_sdpc)


def test_it_draws_its_dictionaries(tiny_sdpc):
    picture = begin(tiny_sdpc).trainer.preview()
    # 8 atoms of 8 px over 12 of 20 px, enlarged to 32 and 40 px, two white pixels apart
    assert picture.size == (16 * 42 - 2, 32 + 8 + 40)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"batch": 0}, "batch=0: expected at least 1 image"),
        ({"lr_D": (0.1, 0.1, 0.1)}, "lr_D=.* expected one rate, or 2, one per layer"),
        ({"lr_D": (0.0,)}, "lr_D=.* between 0 and 10"),
        ({"lr_v": -1.0}, "lr_v"),
        ({"momentum": 1.0}, "momentum"),
        ({"redraw_after": 0}, "redraw_after=0: expected at least 1 step, or None"),
        ({"epochs": 0}, "epochs=0"),
        ({"space": "grey"}, "1 channels in space='grey' and the model 3: set model.channels=1"),
        ({"model": SDPC((Layer(4, 4, 4),), size=64)}, "images are 32 px and the model takes 64 px"),
        ({"interventions": ()}, "unknown recipe field 'interventions'"),
        ({"lr": 1.0}, "unknown recipe field 'lr'"),
    ],
)
def test_what_cannot_be_is_refused(tiny_sdpc, change, message):
    with pytest.raises(UserError, match=message):
        tiny_sdpc.replace(**change)
