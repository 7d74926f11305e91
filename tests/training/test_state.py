"""The state of a run: drawn from the seed alone, and carried through a file bit for bit."""

import copy
import io

import pytest
import torch

from bascule.core.context import Services, StepContext, generator
from bascule.gan.step import gan_step
from bascule.interventions import AdaptiveAugment, Compose, FakeHistory, Intervention, ResetD
from bascule.training.state import State, begin


def real(step: int) -> torch.Tensor:
    return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1


def play(state: State, steps: int) -> None:
    for _ in range(steps):
        context = StepContext(0, state.epoch, state.step)
        for name, value in gan_step(
            state.trainer.game, real(state.step), context, Intervention()
        ).items():
            state.partial.setdefault(name, []).append(value)
        state.step += 1


def through_a_file(saved):
    """Saved and loaded as a checkpoint is."""
    file = io.BytesIO()
    torch.save(saved, file)
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=True)


# the beginning


def test_the_beginning_depends_on_the_seed_alone(tiny, same):
    torch.manual_seed(1)
    first = begin(tiny).state_dict()
    torch.manual_seed(2)
    assert same(begin(tiny).state_dict(), first)
    assert same(
        begin(tiny.replace(epochs=9, lr_D=0.1, batch=4)).state_dict()["game"]["G"],
        first["game"]["G"],
    )
    assert not same(begin(tiny.replace(seed=1)).state_dict(), first)


def test_the_players_are_the_models_own_of_the_addressed_generator(tiny, same):
    game = begin(tiny).trainer.game
    G, D = tiny.model.players(generator(tiny.seed, "players"))
    assert same(dict(game.G.state_dict()), dict(G.state_dict()))
    assert same(dict(game.D.state_dict()), dict(D.state_dict()))


def test_beginning_leaves_the_global_generator_alone(tiny):
    before = torch.get_rng_state()
    begin(tiny)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_begins_at_zero_and_ready_to_learn(tiny):
    state = begin(tiny.replace(precision="bf16"))
    assert (state.epoch, state.step, state.partial) == (0, 0, {})
    assert state.trainer.game.G.training and state.trainer.game.D.training
    assert (state.trainer.game.z_dim, state.trainer.game.precision) == (8, "bf16")
    assert state.trainer.game.device == torch.device("cpu")


def test_each_player_gets_its_own_learning_rate_and_the_betas(tiny):
    game = begin(tiny.replace(lr_D=4e-5, lr_G=4e-4, beta1=0.4, beta2=0.99)).trainer.game
    for optimizer, net, lr in ((game.opt_D, game.D, 4e-5), (game.opt_G, game.G, 4e-4)):
        (group,) = optimizer.param_groups
        assert isinstance(optimizer, torch.optim.Adam)
        assert (group["lr"], group["betas"]) == (lr, (0.4, 0.99))
        assert [id(p) for p in group["params"]] == [id(p) for p in net.parameters()]


@pytest.mark.parametrize("fast", [True, False])
def test_the_arithmetic_of_the_recipe_is_used(tiny, fast):
    game = begin(tiny.replace(channels_last=fast, fused_adam=fast)).trainer.game
    weight = game.D.layers[2].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == fast
    assert weight.is_contiguous() != fast
    assert bool(game.opt_D.param_groups[0]["fused"]) == fast


# there and back


def test_a_state_goes_through_a_file_bit_for_bit(tiny, same):
    state = begin(tiny)
    play(state, 3)
    state.epoch = 2
    saved = copy.deepcopy(state.state_dict())
    other = begin(tiny.replace(seed=5))
    other.load_state_dict(through_a_file(state.state_dict()))
    assert (other.epoch, other.step) == (2, 3)
    assert same(other.state_dict(), saved)
    play(state, 2)
    play(other, 2)
    assert same(other.state_dict(), state.state_dict())
    assert not same(other.state_dict(), saved)


def test_the_scalars_of_an_unfinished_epoch_come_back_one_by_one(tiny):
    state = begin(tiny)
    play(state, 3)
    other = begin(tiny)
    other.load_state_dict(through_a_file(state.state_dict()))
    assert other.partial.keys() == {"loss_D", "loss_G", "D_x", "D_Gz", "r_t"}
    for name, values in state.partial.items():
        assert [v.item() for v in other.partial[name]] == [v.item() for v in values]
        assert all(v.shape == () for v in other.partial[name])


RULES = Compose(
    (
        FakeHistory(size=16),
        AdaptiveAugment(target=-1.0, speed_images=50),
        ResetD(0.5, 0.5, over_steps=2, wait=(0.5, 0.5)),
    )
)


def play_by_rules(state: State, steps: int) -> None:
    """As the loop: what is remembered and seen stands in the game."""
    for _ in range(steps):
        services = Services(state.trainer.game.memory, state.trainer.game.last_metrics)
        context = StepContext(0, state.epoch, state.step, services=services)
        scalars = gan_step(state.trainer.game, real(state.step), context, RULES)
        state.trainer.game.last_metrics = dict(scalars)
        memory = {name: v for name, v in state.trainer.game.memory.items() if v.ndim == 0}
        for name, value in (scalars | memory).items():
            state.partial.setdefault(name, []).append(value)
        state.step += 1


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_what_rules_remember_and_see_goes_through_a_file_bit_for_bit(tiny, same, steps):
    recipe = tiny.replace(lr_D=2e-3)
    state, other = begin(recipe), begin(recipe.replace(seed=5))
    play_by_rules(state, steps)
    assert {name: tuple(v.shape) for name, v in state.trainer.game.memory.items()} == {
        "FakeHistory.0/pool": (min(8 * steps, 16), 3, 32, 32),
        "AdaptiveAugment.0/p": (),
        **{f"ResetD.0/{name}": () for name in ("D_x", "D_Gz", "resets", "waiting")},
    }
    saved = copy.deepcopy(state.state_dict())
    other.load_state_dict(through_a_file(state.state_dict()))
    assert same(other.state_dict(), saved)
    assert other.trainer.game.memory["AdaptiveAugment.0/p"].dtype == torch.float64
    play_by_rules(state, 4)
    play_by_rules(other, 4)
    assert same(other.state_dict(), state.state_dict())
    assert state.trainer.game.memory["ResetD.0/resets"] > 0
    # A state that was saved is not changed by what is played after it.
    untouched = begin(recipe)
    untouched.load_state_dict(saved)
    held = untouched.state_dict()
    play_by_rules(untouched, 2)
    assert same(held["game"]["memory"], saved["game"]["memory"])
    assert same(held["game"]["seen"], saved["game"]["seen"])


def test_a_new_game_remembers_and_has_seen_nothing(tiny, same):
    game = begin(tiny).trainer.game
    assert game.memory == {} and game.last_metrics == {}
    G, D = game.fresh(generator(tiny.seed, "players"))
    assert same(dict(G.state_dict()), dict(game.G.state_dict()))
    assert same(dict(D.state_dict()), dict(game.D.state_dict()))


def test_scalars_without_a_step_are_not_kept(tiny):
    state = begin(tiny)
    state.partial = {"loss_D": []}
    assert state.state_dict()["partial"] == {}


def test_a_checkpoint_does_not_bring_its_learning_rates(tiny, same):
    """A fork may change them: moments come from the file, rates and betas from the recipe."""
    state = begin(tiny)
    play(state, 2)
    saved = through_a_file(state.state_dict())
    other = begin(tiny.replace(lr_D=1e-3, lr_G=2e-3, beta1=0.9, fused_adam=False))
    other.load_state_dict(saved)
    for optimizer, lr in ((other.trainer.game.opt_D, 1e-3), (other.trainer.game.opt_G, 2e-3)):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"], bool(group["fused"])) == (lr, (0.9, 0.999), False)
    for name in ("opt_G", "opt_D"):
        ours = getattr(other.trainer.game, name).state_dict()["state"]
        assert same(ours, saved["game"][name]["state"])
    play(other, 1)


def test_another_model_than_the_checkpoints_is_an_error(tiny):
    saved = begin(tiny).state_dict()
    other = begin(tiny.replace(model=type(tiny.model)(width=8, z_dim=8, size=32)))
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load_state_dict(saved)


# what draws: the average of G


def test_the_average_is_the_recursion_written_by_hand(tiny, same):
    """p <- d p + (1 - d) G, BatchNorm statistics too; counts are copied, and G plays on as ever."""
    game, quiet = begin(tiny.replace(ema_half_life=20.0)).trainer.game, begin(tiny).trainer.game
    expected = {k: v.clone() for k, v in game.G.state_dict().items()}
    for step in range(3):
        gan_step(game, real(step), StepContext(0, 0, step), Intervention())
        gan_step(quiet, real(step), StepContext(0, 0, step), Intervention())
        game.update_ema(0.75)
        for name, value in game.G.state_dict().items():
            whole = name.endswith("num_batches_tracked")
            expected[name] = value.clone() if whole else 0.75 * expected[name] + 0.25 * value
    assert same(game.G.state_dict(), quiet.G.state_dict())
    for name, value in game.average.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-7)
    assert game.drawing() is game.average and quiet.drawing() is quiet.G


def test_what_spectral_normalisation_remembers_is_copied(tiny):
    game = begin(tiny.replace(ema_half_life=20.0)).trainer.game
    game.average, game.G = copy.deepcopy(game.D), copy.deepcopy(game.D)
    torch.nn.utils.parametrizations.spectral_norm(game.average.layers[0])
    torch.nn.utils.parametrizations.spectral_norm(game.G.layers[0])
    game.G(real(0))
    game.update_ema(0.5)
    for name, buffer in game.average.layers[0].named_buffers():
        assert torch.equal(buffer, game.G.layers[0].get_buffer(name))


def test_an_average_goes_through_a_file_and_an_older_checkpoint_gives_G(tiny, same):
    recipe = tiny.replace(ema_half_life=20.0)
    state, other, old = begin(recipe), begin(recipe.replace(seed=5)), begin(tiny)
    play(state, 2)
    state.trainer.game.update_ema(0.5)
    other.load_state_dict(through_a_file(state.state_dict()))
    assert same(other.trainer.game.average.state_dict(), state.trainer.game.average.state_dict())
    play(old, 1)
    other.load_state_dict(through_a_file(old.state_dict()))
    assert same(other.trainer.game.average.state_dict(), old.trainer.game.G.state_dict())
