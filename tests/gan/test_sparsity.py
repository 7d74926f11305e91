"""A price on what G's hidden layers do: the mean of |activation|, summed over layers."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.training.loop import train
from bascule.training.state import begin
from bascule.training.trainer import Batch


def pixels_of(recipe):
    images = recipe.data.load()
    return torch.from_numpy(np.array(images.pixels[images.indices("train")]))


def activity(G, z):
    """By hand: through the layers one after the other."""
    found, x = 0.0, z
    for layer in G.layers:
        x = layer(x)
        if isinstance(layer, torch.nn.ReLU):
            found += x.abs().mean().item()
    return found


def test_it_is_the_mean_activation_of_each_hidden_layer(tiny):
    recipe = tiny.replace(sparsity=0.25)
    game = begin(recipe).trainer.game
    z = torch.randn(8, recipe.z_dim)
    game.generate(z)
    assert game.extra_generator_loss().item() == pytest.approx(0.25 * activity(game.G, z), rel=1e-5)
    assert begin(tiny).trainer.game.extra_generator_loss is None


def test_a_dear_activation_becomes_rare_and_losses_keep_their_meaning(tiny):
    def after(weight):
        recipe = tiny.replace(sparsity=weight, lr_G=2e-3)
        state = begin(recipe)
        first = state.trainer.step(Batch(pixels_of(recipe), torch.arange(8), 0, 0))
        state = begin(recipe)
        train(state, pixels_of(recipe))
        return first, activity(state.trainer.game.G, torch.randn(16, recipe.z_dim))

    (free, busy), (priced, quiet) = after(0.0), after(100.0)
    assert quiet < 0.8 * busy
    assert all(torch.equal(value, priced[name]) for name, value in free.items())


def test_it_changes_no_older_recipe_and_is_a_number(tiny):
    from bascule.runs import codec

    assert codec.digest(tiny) == codec.digest(tiny.replace(sparsity=0.0))
    assert codec.digest(tiny) != codec.digest(tiny.replace(sparsity=0.1))
    with pytest.raises(UserError, match="sparsity=-1"):
        tiny.replace(sparsity=-1.0)


def test_processes_that_share_a_batch_are_refused(tiny):
    with pytest.raises(UserError, match=r"sparsity=0.1 on several processes is not supported"):
        tiny.replace(sparsity=0.1).check_processes(2)
