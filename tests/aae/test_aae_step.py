"""The adversarial autoencoder's step against plain PyTorch, written here by hand."""

import copy

import pytest
import torch
from torch import nn

from bascule.aae.model import AAE
from bascule.aae.step import Autoencoder, aae_step
from bascule.core.context import StepContext

BCE = nn.BCEWithLogitsLoss()
RATES = (1e-3, 2e-3, 3e-3)


@pytest.fixture
def players():
    E, G, D = AAE(width=4, z_dim=5, size=32, hidden=8).players(torch.Generator().manual_seed(0))
    return players_of(E, G, D)


def players_of(E, G, D) -> Autoencoder:
    both = [*E.parameters(), *G.parameters()]
    groups = (both, list(D.parameters()), list(E.parameters()))
    optimizers = (torch.optim.Adam(w, lr) for w, lr in zip(groups, RATES, strict=True))
    return Autoencoder(E, G, D, *optimizers, torch.device("cpu"))


def images(step: int) -> torch.Tensor:
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1


def by_hand(players: Autoencoder, steps: int) -> list[dict]:
    E, G, D = players.E, players.G, players.D
    told = []
    for k in range(steps):
        x, ones, zeros = images(k), torch.ones(6), torch.zeros(6)
        players.opt_picture.zero_grad()
        pictures = (G(E(x)) - x).pow(2).mean()
        pictures.backward()
        players.opt_picture.step()

        still = copy.deepcopy(E)  # its statistics go their own way
        players.opt_D.zero_grad()
        z = torch.randn(6, 5, generator=StepContext(0, 0, k).rng("z"))
        on_z, on_code = D(z), D(still(x).detach())
        d = BCE(on_z, ones) + BCE(on_code, zeros)
        d.backward()
        players.opt_D.step()

        kept = {name: b.clone() for name, b in E.named_buffers()}
        players.opt_E.zero_grad()
        fooled = BCE(D(E(x)), ones)
        fooled.backward()
        players.opt_E.step()
        with torch.no_grad():
            for name, b in E.named_buffers():
                b.copy_(kept[name])
        told.append(
            {
                "reconstruction": pictures.item(),
                "loss_D": d.item(),
                "loss_E": fooled.item(),
                "D_z": on_z.sigmoid().mean().item(),
                "D_code": on_code.sigmoid().mean().item(),
            }
        )
    return told


def test_the_step_is_the_one_written_by_hand(players):
    reference = players_of(*copy.deepcopy((players.E, players.G, players.D)))
    ours = [aae_step(players, images(k), StepContext(0, 0, k)) for k in range(3)]
    for got, expected in zip(ours, by_hand(reference, 3), strict=True):
        assert {k: v.item() for k, v in got.items()} == pytest.approx(expected, rel=1e-4)
    for name in ("E", "G", "D"):
        a, b = (getattr(p, name).state_dict() for p in (players, reference))
        for key in a:
            torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-6, msg=key)


def test_everything_is_put_back_and_detached(players):
    scalars = aae_step(players, images(0), StepContext(0, 0, 0))
    assert not any(value.requires_grad for value in scalars.values())
    for net in (players.E, players.G, players.D):
        assert all(p.requires_grad for p in net.parameters())
        assert all(module.training for module in net.modules())


def test_it_goes_through_its_state_bit_for_bit(players, same):
    aae_step(players, images(0), StepContext(0, 0, 0))
    other = players_of(*AAE(4, 5, 32, 8).players(torch.Generator().manual_seed(9)))
    other.load_state_dict(copy.deepcopy(players.state_dict()))
    for each in (players, other):
        aae_step(each, images(1), StepContext(0, 0, 1))
    assert same(other.state_dict(), players.state_dict())
