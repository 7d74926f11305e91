"""A frozen player keeps its weights, the other one learns, and the past is unchanged."""

import pytest
import torch

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.recipe import GANRecipe
from bascule.interventions import Freeze
from bascule.models.dcgan import DCGAN
from bascule.training.state import begin
from bascule.training.trainer import Batch

PIXELS = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))


def weights(game, player):
    return torch.cat([p.detach().flatten().clone() for p in getattr(game, player).parameters()])


def play(rule, epochs=4):
    """For each epoch of one step, whether D and G have moved, and all weights."""
    rules = (rule,) if rule else ()
    model = DCGAN(width=4, size=32, z_dim=4)
    recipe = GANRecipe(
        data=Faces(size=32), model=model, batch=8, epochs=epochs, device="cpu", precision="fp32"
    )
    state = begin(recipe.replace(interventions=rules, threads=1))
    told = []
    for epoch in range(epochs):
        before = [weights(state.trainer.game, player) for player in "DG"]
        state.trainer.step(Batch(PIXELS, torch.arange(8), epoch, epoch))
        after = [weights(state.trainer.game, player) for player in "DG"]
        moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        told.append((moved, torch.cat(after)))
    return told


def moves(rule):
    return [moved for moved, _ in play(rule)]


@pytest.mark.parametrize("player", ["D", "G"])
def test_one_player_rests_and_the_other_learns(player):
    told = moves(Freeze(player, 1, 3))
    resting = [player != "D", player != "G"]
    assert told == [[True, True], resting, resting, [True, True]]


def test_without_an_end_it_never_learns_again():
    assert moves(Freeze("D", 2)) == [[True, True]] * 2 + [[False, True]] * 2


def test_before_it_acts_the_game_is_the_same_bit_for_bit():
    plain, frozen = ([weights for _, weights in play(rule)] for rule in (None, Freeze("D", 3)))
    assert all(torch.equal(a, b) for a, b in zip(plain[:3], frozen[:3], strict=True))
    assert not torch.equal(plain[3], frozen[3])


def test_a_forked_game_can_share_the_past():
    assert Freeze("D", 7).first_epoch() == 7


@pytest.mark.parametrize("until", [0, 3])
def test_an_end_before_the_beginning_is_refused(until):
    with pytest.raises(UserError, match=r"until_epoch=.*expected an epoch after from_epoch=3"):
        Freeze("D", 3, until)


def test_other_players_are_refused():
    with pytest.raises(UserError, match="player"):
        Freeze("E")
    with pytest.raises(UserError, match="from_epoch=-1"):
        Freeze("D", -1)
