"""Changes of one rule in whole steps: SAN, transport, gradients of constant size, RMS norms."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from bascule.core.context import Services, StepContext
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.objectives import GANLoss, SANLoss
from bascule.gan.penalties import R1, FiniteR1, LogitCentring, Transport
from bascule.gan.recipe import GANRecipe
from bascule.gan.step import norms
from bascule.interventions import DiffAugment, NormaliseGradients
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.layers import BatchRMS
from bascule.models.r3gan import R3GAN
from bascule.models.san import SAN
from bascule.models.sngan import SNGAN
from bascule.models.wgan_gp import WGANGP
from bascule.runs import codec
from bascule.runs.execute import execute
from bascule.training.state import begin
from bascule.training.trainer import Batch
from counting import seeded

DATA = Faces(n=40, size=32)
SPECTRAL = DCGAN(width=4, z_dim=8, size=32, norm_D="spectral")


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


def recipe(**fields) -> GANRecipe:
    told = {"data": DATA, "model": SPECTRAL, "batch": 8, "epochs": 1, "threads": 1}
    return GANRecipe(**(told | {"device": "cpu"} | fields))


def plays(what: GANRecipe) -> dict[str, torch.Tensor]:
    """The scalars of the second step of a recipe."""
    trainer = begin(what).trainer
    pixels = torch.from_numpy(what.data.load().pixels.copy())
    for step in range(2):
        scalars = trainer.step(Batch(pixels, torch.arange(8), 0, step))
    assert all(value.isfinite().all() for value in scalars.values())
    return scalars


# SAN

MODELS = [
    DCGAN(width=4, z_dim=8, size=32),
    SPECTRAL,
    DCGANW9(width=4, z_dim=8),
    SNGAN(width=2, z_dim=8, size=32),
    WGANGP(width=2, z_dim=8),
    R3GAN((8, 8, 8, 8, 8), z_dim=8),
]


@pytest.mark.parametrize("of", MODELS, ids=lambda of: type(of).__name__)
def test_any_d_gets_a_head_that_first_changes_nothing(of):
    _, plain = of.players(seeded(3))
    _, D = SAN(of).players(seeded(3))
    x = noise(6, 3, of.size, of.size)
    with norms(plain, learn=False), norms(D, learn=False):
        found, expected = D(x), plain(x)
    assert found.shape == (6, 2)
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-3, atol=1e-4)
    assert torch.equal(found[:, 0], found[:, 1])
    D.eval()
    assert D(x).shape == (6,)
    assert D.head.direction is None  # no graph is kept


def test_the_two_logits_have_the_gradients_of_the_published_head():
    """fun = s <sg(w), h> + b and dir = sg(s) <w, sg(h)>, written out for one linear layer."""
    _, D = SAN(SNGAN(width=2, z_dim=8, size=32)).players(seeded())
    features = []
    D.head.register_forward_pre_hook(lambda head, given: features.append(given[0]))
    logits = D(noise(5, 3, 32, 32))
    h = features[0]
    weight, scale, bias = D.head.layer.weight, D.head.scale, D.head.layer.bias
    direction = weight[0] / weight[0].norm()
    fun = scale * (h @ direction.detach()) + bias
    only_w = scale.detach() * (h.detach() @ direction)
    torch.testing.assert_close(logits[:, 0], fun)
    for place, theirs in ((0, fun.square().mean()), (1, only_w.mean())):
        loss = logits[:, 0].square().mean() if place == 0 else logits[:, 1].mean()
        wanted = [weight, scale, bias, D.D.blocks[0].main[0].parametrizations.weight.original]
        told = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        ours = torch.autograd.grad(loss, wanted, **told)
        plain = torch.autograd.grad(theirs, wanted, **told)
        for one, other in zip(ours, plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_spectral_normalisation_stays_but_for_the_last_layer():
    _, D = SAN(SPECTRAL).players(seeded())
    convolutions = [m for m in D.modules() if isinstance(m, nn.Conv2d)]
    normed = [parametrize.is_parametrized(layer, "weight") for layer in convolutions]
    assert sorted(normed) == [False, True, True, True]
    assert not parametrize.is_parametrized(D.head.layer, "weight")
    assert D.head.scale.item() == pytest.approx(1, rel=1e-3)  # as it was, normalised


def test_the_loss_by_hand():
    real, fake = torch.tensor([[1.0, 1.5], [3.0, 0.5]]), torch.tensor([[-1.0, -2.0], [0.0, 1.0]])
    found = SANLoss(GANLoss("hinge"))
    hinge = F.relu(1 - real[:, 0]).mean() + F.relu(1 + fake[:, 0]).mean()
    assert found.D(real, fake).item() == pytest.approx(hinge.item() + (-0.5) - 1.0)
    assert found.G(fake).item() == pytest.approx(0.5)
    paired = SANLoss(GANLoss("relativistic"))
    assert paired.paired and not found.paired
    expected = F.softplus(real[:, 0] - fake[:, 0]).mean()
    assert paired.G(fake, real).item() == pytest.approx(expected.item())


def test_a_slope_is_counted_once():
    """R1 differentiates the sum of both logits; the direction's has no gradient to the image."""
    _, D = SAN(SPECTRAL).players(seeded())
    x = noise(4, 3, 32, 32).requires_grad_()
    with norms(D, learn=False):
        logits = D(x)
    (both,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    (one,) = torch.autograd.grad(logits[:, 0].sum(), x)
    assert torch.equal(both, one) and one.any()


def test_a_run_with_a_san_head(make_run, store):
    what = recipe(model=SAN(SPECTRAL), objective=SANLoss(), penalties=(R1(1.0), FiniteR1(1.0)))
    assert codec.decode(codec.encode(what)) == what
    run = make_run(what)
    assert execute(run, store) == "finished"
    assert {"R1", "FiniteR1", "loss_D"} <= run.rows()[0].keys()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": SAN(SPECTRAL)}, "SANLoss.*needs a model SAN.*set both or neither"),
        ({"objective": SANLoss()}, "SANLoss.*needs a model SAN.*set both or neither"),
        ({"generator_penalties": Transport()}, "Transport with latents of 8.*3 x 32 x 32 = 3072"),
        ({"generator_penalties": (Transport(), Transport(0.1))}, "each kind once"),
    ],
)
def test_recipes_that_cannot_be_played(fields, said):
    with pytest.raises(UserError, match=said):
        recipe(**fields)


def test_a_model_without_such_a_last_layer_is_refused():
    with pytest.raises(UserError, match=r"a SAN head takes no labels; set model\.of\.classes=0"):
        SAN(SNGAN(width=2, size=32, classes=4))
    with pytest.raises(UserError, match=r"SAN.*one output"):
        SAN(_Patches()).players(seeded())


class _Patches(SNGAN):
    """Its D has two outputs."""

    def players(self, rng):
        return nn.Identity(), nn.Sequential(nn.Conv2d(3, 2, 4))


# transport, and gradients of constant size

NOISE = DCGAN(width=4, z_dim=3 * 32 * 32, size=32, norm_D="spectral")


def test_transport_is_paid_by_g_alone():
    free = recipe(model=NOISE)
    told = plays(free.replace(generator_penalties=Transport(0.2)))
    assert told["Transport"] > 0
    first = [begin(r).trainer for r in (free, free.replace(generator_penalties=Transport(5.0)))]
    pixels = torch.from_numpy(DATA.load().pixels.copy())
    for trainer in first:
        trainer.step(Batch(pixels, torch.arange(8), 0, 0))
    (D, G), (D2, G2) = ((t.game.D.state_dict(), t.game.G.state_dict()) for t in first)
    assert all(torch.equal(D[name], D2[name]) for name in D)
    assert not all(torch.equal(G[name], G2[name]) for name in G)


def test_gradients_have_the_published_size():
    """Against the formula: g / sqrt(EMA(sum g² numel)), three steps at decay 1/2."""
    services, rule = Services(), NormaliseGradients(decay=0.5)
    mean = None
    for step in range(3):
        context = StepContext(0, 0, step, services=services)
        x = noise(4, 3, 8, 8, seed=step).requires_grad_()
        beside = x.square().sum()  # another loss on the images keeps its gradient
        seen = rule.generator_batch(x, x, context)
        assert torch.equal(seen, x)
        g = noise(4, 3, 8, 8, seed=10 + step) * 10**step
        (found,) = torch.autograd.grad((seen * g).sum() + beside, x)
        now = g.square().sum() * g.numel()
        mean = now if mean is None else 0.5 * mean + 0.5 * now
        torch.testing.assert_close(found, g / mean.sqrt() + 2 * x.detach())
    assert services.memory["/squared"].item() == pytest.approx(mean.item())


def test_the_size_does_not_depend_on_the_scale_of_the_logits():
    """With a linear loss of G, ten times the logits give G the same step."""
    what = recipe(objective=GANLoss("wasserstein"), interventions=NormaliseGradients(0.0))

    class Louder(nn.Module):
        def __init__(self, D, by):
            super().__init__()
            self.D, self.by = D, by

        def forward(self, x):
            return self.by * self.D(x)

    gradients = []
    for by in (1.0, 10.0):
        game = begin(what).trainer.game
        D = Louder(game.D, by).requires_grad_(False).eval()
        x = game.generate(noise(8, 8))
        seen = NormaliseGradients(0.0).generator_batch(x, x, StepContext(0, 0, 0))
        what.objective.G(D(seen)).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in game.G.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-9)


def test_it_acts_from_its_epoch_on_and_leaves_what_needs_no_gradient():
    x = noise(2, 3, 8, 8).requires_grad_()
    early = NormaliseGradients(from_epoch=3)
    assert early.generator_batch(x, x, StepContext(0, 2, 9)) is x and early.first_epoch() == 3
    still = x.detach()
    assert NormaliseGradients().generator_batch(x, still, StepContext(0, 0, 0)) is still
    with pytest.raises(UserError, match=r"NormaliseGradients\(decay=1.0\)"):
        NormaliseGradients(decay=1.0)


def test_all_rules_of_adversarial_flow_models_play_together(make_run, store, same):
    what = recipe(
        model=NOISE,
        epochs=2,
        objective=GANLoss("relativistic"),
        penalties=(FiniteR1(0.5), LogitCentring()),
        generator_penalties=Transport(0.2),
        interventions=(DiffAugment(), NormaliseGradients()),
    )
    assert codec.decode(codec.encode(what)) == what
    whole, run = make_run(what, "whole"), make_run(what, "run")
    assert execute(whole, store) == "finished"
    calls = iter(range(1, 100))
    assert execute(run, store, must_stop=lambda: next(calls) == 3) == "interrupted"
    assert execute(run, store) == "finished"
    assert same(run.load_checkpoint(), whole.load_checkpoint())
    told = whole.rows()[0]
    assert {"FiniteR1", "LogitCentring", "Transport"} <= told.keys()
    assert any(name.endswith("squared") for name in told)


def test_a_share_that_processes_cannot_divide_is_refused():
    what = recipe(penalties=FiniteR1(1.0))  # 2 images of 8
    what.check_processes(2)
    with pytest.raises(UserError, match="takes 2 images of a batch, which 4 processes cannot"):
        what.check_processes(4)


OWN = """
from dataclasses import dataclass

from bascule.gan.penalties import GeneratorPenalty


@dataclass(frozen=True)
class Grey(GeneratorPenalty):
    weight: float = 1.0

    def __call__(self, turn):
        return self.weight * turn.images.var(1).mean()
"""


def test_a_penalty_of_g_of_the_users_own(tmp_path, bascule):
    (tmp_path / "mine.py").write_text(OWN, "utf-8")
    small = ["data.n=40", "data.size=32", "model.size=32", "model.width=4", "epochs=1", "batch=8"]
    words = ["--set", "generator_penalties=mine.py:Grey(0.5)", *small, "device=cpu", "threads=1"]
    assert bascule("train", "dcgan64-tiny", "--name", "own", *words)[0] == 0
    (rows,) = (path.read_text() for path in tmp_path.glob("runs/*/scalars.jsonl"))
    assert '"Grey"' in rows
    code, told, said = bascule("list")  # its class is not loaded for that
    assert code == 0 and "own" in told and not said


# RMS normalisation


def test_rms_is_the_plain_formula_in_training_and_in_evaluation():
    layer = BatchRMS(3)
    x = noise(4, 3, 5, 5) * torch.tensor([1.0, 5.0, 0.2]).view(1, 3, 1, 1) + 2
    found = layer(x)
    square = x.square().mean((0, 2, 3), keepdim=True)
    torch.testing.assert_close(found, x / (square + 1e-5).sqrt())
    assert found.mean() > 0.3  # the mean stays
    running = 0.9 * torch.ones(3) + 0.1 * square.flatten()
    torch.testing.assert_close(layer.running_var, running)
    layer.eval()
    torch.testing.assert_close(layer(x), x / (running.view(1, 3, 1, 1) + 1e-5).sqrt())
    assert not list(layer.parameters())


def test_rms_statistics_stay_where_D_does_not_learn():
    layer = BatchRMS(3)
    with norms(layer, learn=False):
        found = layer(noise(4, 3, 5, 5) * 3)
    assert found.square().mean().item() == pytest.approx(1, rel=1e-3)
    assert torch.equal(layer.running_var, torch.ones(3))


def test_a_D_with_rms_has_one_for_each_batch_norm():
    _, batch = DCGAN(width=4, z_dim=8, size=32).players(seeded())
    G, rms = DCGAN(width=4, z_dim=8, size=32, norm_D="rms").players(seeded())
    of_batch = [type(m) for m in batch.layers]
    of_rms = [type(m) for m in rms.layers]
    assert [nn.BatchNorm2d if kind is BatchRMS else kind for kind in of_rms] == of_batch
    assert all(m.bias is not None for m in rms.modules() if isinstance(m, nn.Conv2d))
    assert not any(isinstance(m, BatchRMS) for m in G.modules())
    told = plays(recipe(model=DCGAN(width=4, z_dim=8, size=32, norm_D="rms")))
    assert 0 < told["D_x"] < 1
