"""Players that are told labels: which, in what shares, and that it reaches them."""

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.objectives import GANLoss
from bascule.gan.penalties import Consistency, GradientPenalty
from bascule.interventions import DiffAugment, PerfectG
from bascule.models.biggan import BigGAN
from bascule.models.dcgan import DCGAN
from bascule.models.layers import Labelled
from bascule.models.sngan import SNGAN
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.training.state import begin
from bascule.training.trainer import Batch

FACES = Faces(n=40, size=32)


@pytest.fixture
def told(tiny):
    """A tiny recipe whose players are told the shape of the face's mouth."""
    values = np.unique(FACES.load().labels["mouthVariant"])
    return tiny.replace(
        data=FACES,
        model=SNGAN(width=4, z_dim=8, size=32, classes=len(values)),
        labels="mouthVariant",
        objective=GANLoss("hinge"),
        ema_half_life=20.0,
    )


def test_codes_follow_the_order_of_values_and_are_those_of_training_images(told):
    images = FACES.load()
    codes = told.labels_of(images)
    values = np.unique(images.labels["mouthVariant"])
    named = images.labels["mouthVariant"][images.indices("train")]
    assert [values[code] for code in codes] == list(named)


def test_a_latent_asks_for_labels_in_the_shares_that_were_seen():
    G = Labelled(torch.nn.Identity(), 3)
    z = torch.randn(30_000, 5, generator=generator("z"))
    even = torch.bincount(G.labels(z), minlength=3) / len(z)
    assert torch.allclose(even, torch.full((3,), 1 / 3), atol=0.01)
    G.see(torch.tensor([0] * 7 + [2] * 2))
    G.see(torch.tensor([2]))
    shares = torch.bincount(G.labels(z), minlength=3) / len(z)
    assert torch.allclose(shares, torch.tensor([0.7, 0.0, 0.3]), atol=0.01)
    assert G.labels(torch.tensor([[0.0, 40.0], [0.0, -40.0]])).tolist() == [2, 0]


def test_d_is_told_the_labels_of_reals_and_g_those_that_its_latents_ask_for(told, monkeypatch):
    images = FACES.load()
    state = begin(told)
    labels = told.labels_of(images)
    heard = []
    forward = state.trainer.game.D.forward
    monkeypatch.setattr(
        state.trainer.game.D, "forward", lambda x, y: heard.append(y) or forward(x, y)
    )
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    indices = torch.arange(8)
    state.trainer.step(Batch(pixels, indices, 0, 0, labels=labels))
    real, fake, again = heard
    assert torch.equal(real, labels[:8]) and torch.equal(fake, again)
    counts = torch.bincount(real, minlength=told.classes)
    for G in (state.trainer.game.G, state.trainer.game.average):
        assert torch.equal(G.counts.long(), counts)
    assert set(fake.tolist()) <= set(real.tolist())  # only what was seen is asked for


def test_it_trains_resumes_and_draws_as_any_run(told, make_run, store, same):
    rules = (DiffAugment(),)
    told = told.replace(interventions=rules, penalties=(GradientPenalty(), Consistency()))
    whole = make_run(told)
    assert execute(whole, store) == "finished"
    fakes = generate(whole, 6).pictures
    assert fakes.shape == (6, 3, 32, 32)
    again = generate(whole, 6, standing=2).pictures
    assert not np.array_equal(fakes, again)
    steps = iter(range(99))
    half = store.create(told, "half", whole.about["data_digest"])
    assert execute(half, store, must_stop=lambda: next(steps) > 5) == "interrupted"
    assert execute(half, store) == "finished"
    assert same(whole.load_checkpoint()["game"], half.load_checkpoint()["game"])
    assert not whole.diagnostics()


@pytest.mark.parametrize(
    ("differences", "message"),
    [
        ({"labels": None}, "expected both or neither"),
        ({"model": DCGAN(width=4, z_dim=8, size=32)}, "expected both or neither"),
        (
            {"interventions": PerfectG(2)},
            "changes the batch of D, which is not supported with",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(told, differences, message):
    with pytest.raises(UserError, match=message):
        told.replace(**differences)


def test_wrong_labels_are_refused_before_there_is_a_run(bascule, tmp_path):
    words = ("labels=mouthVariant", "model.classes=3", "data=Faces(n=40,size=32)", "precision=fp32")
    code, _, err = bascule("train", "sngan64-light", "--set", *words, "model.size=32")
    assert code == 2 and err.count("\n") == 1 and "set model.classes=" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ("mouth", 3, "unknown label of faces-micah 'mouth'"),
        ("scale", 3, "this is a number; expected a category"),
        ("mouthVariant", 999, "but the model has 999 classes: set model.classes="),
    ],
)
def test_labels_that_the_set_has_not_are_refused(told, labels, classes, message):
    recipe = told.replace(labels=labels, model=BigGAN(1, 8, 32, classes=classes))
    with pytest.raises(UserError, match=message):
        recipe.labels_of(FACES.load())
