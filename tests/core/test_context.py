"""Addressed randomness: a draw depends on its address and on nothing else whatever."""

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

from bascule.core.context import Services, StepContext, address, generator

NOW = StepContext(seed=0, epoch=0, step=0)


def normal(rng: torch.Generator, n: int = 64) -> torch.Tensor:
    return torch.randn(n, generator=rng)


def test_addresses_are_what_they_always_were():
    """Two values of the first version: if they change, no old run can be repeated."""
    assert address("bascule") == 7275843834823297601
    assert address(0, "/z", 7) == 8513511110237690923


def test_an_address_is_63_bits_of_blake2b_of_its_parts():
    digest = hashlib.blake2b("3\x1f/été\x1f12".encode(), digest_size=8).hexdigest()
    assert address(3, "/été", 12) == int(digest, 16) // 2
    assert all(0 <= address(k) < 2**63 for k in range(1000))


def test_parts_do_not_run_together():
    assert (
        len({address("ab", "c"), address("a", "bc"), address("abc"), address("a", "b", "c")}) == 4
    )


def test_another_process_with_another_hash_seed_draws_the_same(printed_elsewhere):
    script = (
        "import torch; from bascule.core.context import StepContext, address\n"
        "rng = StepContext(5, 1, 9).rng('z')\n"
        "print(address('bascule'), rng.initial_seed(), *torch.randn(20, generator=rng).tolist())"
    )
    told = printed_elsewhere(script)
    rng = StepContext(5, 1, 9).rng("z")
    assert told[:2] == [str(address("bascule")), str(rng.initial_seed())]
    assert [float(x) for x in told[2:]] == normal(rng, 20).tolist()


def test_the_same_asked_twice_starts_again():
    first = NOW.rng("z")
    a, more = normal(first), normal(first)
    assert torch.equal(normal(NOW.rng("z")), a)
    assert not torch.equal(more, a)


@pytest.mark.parametrize(
    "other",
    [
        NOW.rng("noise"),
        StepContext(seed=0, epoch=0, step=1).rng("z"),
        StepContext(seed=1, epoch=0, step=0).rng("z"),
        NOW.within("batches").rng("z"),
        NOW.within("batches").within("PerfectG.0").rng("z"),
    ],
    ids=["name", "step", "seed", "scope", "deeper scope"],
)
def test_another_name_step_seed_or_scope_is_another_stream(other):
    assert not torch.equal(normal(other), normal(NOW.rng("z")))


def test_the_epoch_alone_changes_no_draw():
    """Steps count over the whole run, so the step already tells the epoch."""
    assert torch.equal(
        normal(StepContext(0, 3, 40).rng("z")), normal(StepContext(0, 9, 40).rng("z"))
    )


def test_scopes_nest_and_leave_the_moment_alone():
    inner = StepContext(3, 2, 17).within("view").within("InstanceNoise.0")
    assert (inner.seed, inner.epoch, inner.step) == (3, 2, 17)
    assert inner.rng("noise").initial_seed() == address(3, "/view/InstanceNoise.0/noise", 17)


def test_other_draws_shift_nothing():
    quiet = NOW.rng("z")
    expected = [normal(quiet), normal(quiet)]
    noise, z = NOW.rng("noise"), NOW.rng("z")
    normal(noise, 1000)
    first = normal(z)
    normal(noise, 1000)
    normal(NOW.within("view").rng("z"), 1000)
    normal(NOW.rng("z"), 1000)
    torch.rand(1000)
    assert all(map(torch.equal, [first, normal(z)], expected))


def test_the_global_generator_is_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    normal(NOW.rng("z"))
    normal(NOW.device_rng("noise"))
    generator("players", 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_device_generator_lives_on_the_device_of_the_game():
    assert NOW.device_rng("noise").device == torch.device("cpu")
    assert torch.equal(normal(NOW.device_rng("noise")), normal(NOW.rng("noise")))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_device_generator_on_cuda():
    rng = StepContext(0, 0, 0, device=torch.device("cuda")).device_rng("noise")
    assert rng.device.type == "cuda"
    assert rng.initial_seed() == NOW.rng("noise").initial_seed()


NEIGHBOURS = {
    "steps": lambda k: StepContext(0, 0, k).rng("z"),
    "seeds": lambda k: StepContext(k, 0, 0).rng("z"),
    "names": lambda k: NOW.rng(f"part.{k}"),
    "scopes": lambda k: NOW.within(f"Part.{k}").rng("z"),
}


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_streams_of_neighbours_are_uncorrelated(kind):
    streams = torch.stack([normal(NEIGHBOURS[kind](k), 4096) for k in range(64)])
    r = np.corrcoef(streams.numpy())[np.triu_indices(64, 1)]
    # 2016 correlations of standard error 1/64: none beyond 5 errors, and their mean near 0.
    assert np.abs(r).max() < 5 / 64
    assert abs(r.mean()) < 5 / 64 / np.sqrt(2016)
    assert np.isclose(r.std(), 1 / 64, rtol=0.1)


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_first_draws_of_neighbours_look_uniform(kind):
    """Badly seeded generators agree most in their first draws."""
    u = np.array([torch.rand((), generator=NEIGHBOURS[kind](k)).item() for k in range(3000)])
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / np.sqrt(3000)


# what a rule remembers, and what it is lent


def remembered(context: StepContext) -> dict[str, float]:
    return {name: value.item() for name, value in context.services.memory.items()}


def test_what_a_rule_remembers_it_recalls_through_every_seam_and_no_other_rule_does():
    context = StepContext(0, 0, 0, services=Services())
    context.within("batches").owned_by("Rule.0").remember("p", 0.25)
    assert remembered(context) == {"Rule.0/p": 0.25}
    for scope in ("batches", "prepare", "view/D/real"):
        assert context.within(scope).owned_by("Rule.0").recall("p") == 0.25
        assert context.within(scope).owned_by("Rule.1").recall("p", 7.0) == 7
        assert context.within(scope).owned_by("Outer.0").owned_by("Rule.0").recall("p") == 0
    assert context.recall("p") == 0


def test_owners_nest_and_scopes_go_with_them():
    inner = StepContext(3, 2, 17).within("view").owned_by("Outer.0").within("x").owned_by("Rule.1")
    assert (inner.owner, inner.scope) == ("Outer.0/Rule.1", "/view/Outer.0/x/Rule.1")
    assert inner.within("sigma").owner == "Outer.0/Rule.1"
    assert inner.rng("z").initial_seed() == address(3, "/view/Outer.0/x/Rule.1/z", 17)


def test_numbers_are_remembered_to_double_precision_and_tensors_without_their_gradient():
    context = StepContext(0, 0, 0, services=Services()).owned_by("Rule.0")
    context.remember("p", 0.1)
    assert context.recall("p").item() == 0.1 and context.recall("p").shape == ()
    pool = torch.ones(2, 3, requires_grad=True)
    context.remember("pool", 2 * pool)
    assert torch.equal(context.recall("pool"), torch.full((2, 3), 2.0))
    assert not context.recall("pool").requires_grad
    context.remember("p", 0.2)
    assert context.recall("p").item() == 0.2


def test_two_moments_share_a_memory_only_where_it_is_lent_to_both():
    apart = StepContext(0, 0, 0), StepContext(0, 0, 0)
    apart[0].remember("p", 1.0)
    assert apart[1].recall("p") == 0
    assert apart[0] == apart[1] and hash(apart[0]) == hash(
        apart[1]
    )  # the same moment, all the same
    memory = {}
    StepContext(0, 0, 0, services=Services(memory)).remember("p", 1.0)
    assert StepContext(0, 0, 1, services=Services(memory)).recall("p") == 1


def test_scores_of_the_step_before():
    context = StepContext(
        0, 0, 1, services=Services(last_metrics={"D_x": torch.tensor(0.75)})
    ).owned_by("Rule.0")
    assert context.last_metric("D_x") == 0.75 and type(context.last_metric("D_x")) is float
    assert context.last_metric("D_Gz") is None and NOW.last_metric("D_x") is None


def test_the_judge_and_the_pictures_are_those_of_the_lender():
    asked = []

    def pictures(split, n, context):
        asked.append((split, n, context.scope))
        return torch.zeros(n)

    services = Services(discriminate=lambda x: 2 * x, sample_reals=pictures)
    context = StepContext(0, 0, 0, services=services).within("batches").owned_by("Rule.0")
    assert context.discriminate(torch.ones(3)).tolist() == [2, 2, 2]
    assert context.sample_reals("held_out", 5).shape == (5,)
    assert asked == [("held_out", 5, "/batches/Rule.0")]  # so that its draws are the rule's own


@pytest.mark.parametrize(
    "ask",
    [
        lambda context: context.discriminate(torch.ones(3)),
        lambda context: context.sample_reals("other", 3),
    ],
)
def test_outside_a_game_nothing_is_lent(ask):
    with pytest.raises(AssertionError, match="available only"):
        ask(NOW)
