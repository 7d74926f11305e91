"""Standing statistics: the mean over batches, and nothing else moves."""

import torch
from torch import nn

from bascule.core.context import generator
from bascule.latents.standing_statistics import use_standing_statistics
from bascule.models.biggan import BigGAN


def test_statistics_are_the_mean_over_batches():
    G = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)).train()
    with torch.no_grad():
        G(torch.randn(10, 3) * 9 + 4)  # a past that must be forgotten
    batches = [torch.randn(20, 3, generator=generator("stand", k)) for k in range(4)]
    use_standing_statistics(G, batches)
    with torch.no_grad():
        h = [G[0](z) for z in batches]
    assert torch.allclose(G[1].running_mean, torch.stack([x.mean(0) for x in h]).mean(0), atol=1e-6)
    assert torch.allclose(G[1].running_var, torch.stack([x.var(0) for x in h]).mean(0), atol=1e-6)
    assert G.training and G[1].training and G[1].momentum == 0.1


def test_weights_and_spectral_vectors_stay():
    G, _ = BigGAN(width=1, z_dim=8, size=32).players(generator("players"))
    before = {name: value.clone() for name, value in G.state_dict().items()}
    use_standing_statistics(G.eval(), [torch.randn(6, 8)])
    moved = {name for name, value in G.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(
        name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in moved
    )
    assert not G.training
