"""Every kind of game on a CUDA device: the game of the CPU, which goes on exactly."""

import pytest
import torch

from bascule.aae.model import AAE
from bascule.aae.recipe import AAERecipe
from bascule.data.faces import Faces
from bascule.runs.execute import execute
from bascule.sdpc.hybrid.model import SDPCCritic
from bascule.training.loop import Stopped, train
from bascule.training.state import begin
from bascule.translation.cut.model import CUT
from bascule.translation.cut.recipe import ContrastiveRecipe
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.domains import TwoSets
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.model import Pix2Pix
from bascule.translation.pix2pix.recipe import PairedRecipe
from games_on_processes import GAMES

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

TWO = TwoSets(Faces(n=12, size=32, style="adventurer"), Faces(n=12, size=32))
OTHERS = {
    "AAE": AAERecipe(
        data=Faces(n=24, size=32), model=AAE(width=4, z_dim=6, size=32, hidden=8), batch=8
    ),
    "CycleGAN": CycleRecipe(
        data=TWO, model=CycleGAN(4, 1, 32, width_D=4, halvings=2), batch=2, pool=3
    ),
    "CUT": ContrastiveRecipe(
        data=TWO,
        model=CUT(4, 1, 32, width_D=4, halvings=2, taps=("rgb", "down1"), features=8),
        patches=16,
        batch=2,
    ),
    "pix2pix": PairedRecipe(
        data=CartoonPair(n=8, tests=4, size=32, paired=True),
        model=Pix2Pix(4, 1, 32, net="resnet", width_D=4, halvings=2),
        batch=2,
    ),
}
KINDS = (*GAMES, *OTHERS, "SDPC", "sdpc-gan", "sdpc-critic")
NOISY = ("lies", "CycleGAN", "CUT", "pix2pix")  # noise is drawn where the images are


@pytest.fixture
def recipe(request, tiny_sdpc, tiny_hybrid):
    critic = tiny_hybrid.replace(
        model=SDPCCritic(width=2, z_dim=8, size=32, steps=2), code_epochs=0
    )
    kinds = {"SDPC": tiny_sdpc, "sdpc-gan": tiny_hybrid, "sdpc-critic": critic}
    found = (GAMES | OTHERS | kinds)[request.param]
    return found.replace(device="cuda", threads=1, epochs=4)


@pytest.fixture
def exact_products(monkeypatch):
    """No TF32, which rounds what it multiplies to ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def first_scalars(recipe) -> dict[str, float]:
    images = recipe.data.load()
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    state = begin(recipe)
    labels = recipe.labels_of(images)
    with pytest.raises(Stopped):
        train(state, pixels, must_stop=lambda: True, labels=labels)
    return {name: values[0].item() for name, values in state.partial.items()}


@pytest.mark.parametrize("recipe", KINDS, indirect=True)
def test_cuda_plays_the_game_of_the_cpu(recipe, exact_products, request):
    here, there = first_scalars(recipe.replace(device="cpu")), first_scalars(recipe)
    noisy = request.node.callspec.params["recipe"] in NOISY
    assert here.keys() == there.keys()
    for name, value in here.items():
        close = {"rel": 0.1, "abs": 0.05} if noisy else {"rel": 1e-3, "abs": 1e-4}
        assert there[name] == pytest.approx(value, **close), name


@pytest.mark.parametrize("recipe", KINDS, indirect=True)
def test_a_stopped_run_goes_on_exactly_on_cuda(recipe, make_run, store, same):
    whole, half = make_run(recipe, "whole"), make_run(recipe, "half")
    assert execute(whole, store) == "finished"
    steps = iter(range(99))
    assert execute(half, store, must_stop=lambda: next(steps) == 2) == "interrupted"
    assert execute(half, store) == "finished"
    assert same(whole.load_checkpoint()["game"], half.load_checkpoint()["game"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_on_cuda_draws_and_is_measured(bascule, precision):
    fields = ["data=Faces(n=80,size=32,held_out=0.5)", "model.size=32", "model.width=4"]
    fields += ["batch=8", "epochs=2", "device=cuda", f"precision={precision}"]
    assert bascule("train", "dcgan64-tiny", "--name", "there", "--set", *fields)[0] == 0
    assert bascule("draw", "walk", "there")[0] == 0
    assert bascule("draw", "truncated", "there", "-o", "truncated.png")[0] == 0
    assert bascule("draw", "invert", "there", "truncated.png", "--steps", "2")[0] == 0
    code, out, err = bascule(
        "evaluate", "there", "-n", "50", "--extractor", "random-conv", "--no-attributes"
    )
    assert code == 0 and "KID" in out, err
