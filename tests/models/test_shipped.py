"""Shipped weights: read back as they were written, refused for another net or name."""

from pathlib import Path

import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.recipe import GANRecipe
from bascule.models import shipped
from bascule.models.dcgan import DCGAN

MODEL = DCGAN(width=4, size=32, norm_D="spectral")
PLAIN = GANRecipe(data=Faces(n=40, size=32), model=MODEL, device="cpu", threads=1, batch=8)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Weights called "small", of ``MODEL`` drawn from another seed than 0."""
    G, D = MODEL.players(generator(7, "players"))
    saved = {"G": G.half().state_dict(), "D": D.half().state_dict(), "model": repr(MODEL)}
    torch.save(saved | {"made": "by hand", "credit": "nobody"}, tmp_path / "small.pt")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    shipped.told.cache_clear()
    yield "small"
    shipped.told.cache_clear()


def test_a_game_begins_with_the_weights_in_full_precision(small: str) -> None:
    game = PLAIN.replace(start=small, ema_half_life=100.0).build().game
    saved = shipped.read(small)
    for name, value in game.G.state_dict().items():
        assert (value == saved["G"][name].to(value.dtype)).all(), name
    assert all(p.dtype == torch.float32 for p in (*game.G.parameters(), *game.D.parameters()))
    averaged = game.average.state_dict()
    assert all((averaged[name] == value).all() for name, value in game.G.state_dict().items())


def test_it_begins_elsewhere_without_them_and_alike_on_every_seed(small: str) -> None:
    z = torch.randn(4, MODEL.z_dim, generator=generator(0))

    def drawn(recipe: GANRecipe) -> torch.Tensor:
        return recipe.build().sample(z)

    started = PLAIN.replace(start=small)
    assert (drawn(started) == drawn(started.replace(seed=3))).all()
    assert (drawn(PLAIN) != drawn(PLAIN.replace(seed=3))).any()
    assert (drawn(started) != drawn(PLAIN)).any()


def test_refuses_another_net_and_an_unknown_name(small: str) -> None:
    with pytest.raises(UserError, match=r"model=DCGAN\(width=4.*not of model=DCGAN\(width=8"):
        PLAIN.replace(start=small, model=DCGAN(width=8, size=32, norm_D="spectral"))
    with pytest.raises(UserError, match=r"unknown start 'smal': did you mean small\?"):
        PLAIN.replace(start="smal")


@pytest.mark.parametrize("name", ["../other-0123456789ab", "/tmp/other-0123456789ab"])
def test_a_recipe_names_no_file_outside_the_folder_of_weights(name: str) -> None:
    with pytest.raises(UserError, match="unknown start"):
        PLAIN.replace(start=name)
