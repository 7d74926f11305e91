"""What is measured of codes, against the parts it is made of."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.metrics.ssim import ssim
from bascule.sdpc.coder import Coder
from bascule.sdpc.measure import measure_coding
from bascule.sdpc.model import energies, infer


def test_every_number_is_the_mean_of_what_it_says(tiny_sdpc):
    pixels = np.array(tiny_sdpc.data.load().pixels)
    coder = Coder(tiny_sdpc.replace(epochs=1)).fit(pixels[:30])
    calls = []
    found = measure_coding(
        coder, pixels[30:], (0.0, 2.0), (0.0, 1.0), tell=lambda *told: calls.append(told)
    )
    y, _ = coder.recipe.prepared(torch.from_numpy(pixels[30:]))
    for told, k in (("own k_fb", 1.0), ("k_fb=0", 0.0), ("k_fb=2", 2.0)):
        how = coder.recipe.settle.replace(k_fb=k)
        codes = infer(coder.network, y, how)
        parts = energies(coder.network, y, codes.maps, how)
        cost = parts[..., 0].sum(1) + parts[..., 2].sum(1)
        assert found[f"cost[{told}]"].value == pytest.approx(cost.mean().item(), rel=1e-5)
        se = (cost.std() / 10**0.5).item()
        assert found[f"cost[{told}]"].se == pytest.approx(se, rel=1e-4)
        for i in (1, 2):
            error = parts[:, i - 1, 0].mean().item()
            assert found[f"error of layer {i}[{told}]"].value == pytest.approx(error, rel=1e-5)
            active = (codes.maps[i - 1] > 0).double().mean().item()
            assert found[f"active of layer {i}[{told}]"].value == pytest.approx(active)
        mean = codes.iterations.double().mean().item()
        assert found[f"iterations[{told}]"].value == pytest.approx(mean)
    span = y.amax((1, 2, 3)) - y.amin((1, 2, 3))
    clean = infer(coder.network, y, coder.recipe.settle.replace(k_fb=2.0)).maps[1]
    by_hand = ssim(coder.network.decode(clean, 2, (32, 32)), y, span).mean().item()
    label = "SSIM of layer 2[k_fb=2,sigma=0]"
    assert found[label].value == pytest.approx(by_hand, rel=1e-5)
    assert found[label].floor == pytest.approx(1.0)
    noised = found["SSIM of layer 2[k_fb=2,sigma=1]"]
    assert 0 < noised.floor < 0.8 and noised.n == 10
    assert noised.floor == found["SSIM of layer 1[k_fb=0,sigma=1]"].floor  # the same noise
    assert calls[-1] == (7, 7)
    with pytest.raises(UserError, match="sigma=-1: expected a number >= 0"):
        measure_coding(coder, pixels[30:], (0.0,), (-1.0,))
