"""Our resize against PIL's bicubic, and its borders."""

import numpy as np
import pytest
import torch
from PIL import Image

from bascule.features.resize import imagenet, resized


@pytest.mark.parametrize("side", [40, 128])
def test_close_to_pil_which_rounds_after_each_direction(side):
    # Of low contrast, so that nothing overshoots; every pixel its own, so that every tap counts.
    image = np.random.default_rng(0).integers(80, 170, (64, 64, 3), dtype=np.uint8)
    ours = resized(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), side)[0].numpy() * 255
    pil = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    assert np.abs(ours - np.asarray(pil).transpose(2, 0, 1)).max() < 1.3


def test_same_side_is_exact_and_overshoot_is_clipped():
    x = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    x[..., 32:] = 255
    assert torch.equal(resized(x, 64) * 255, x.float())
    larger = resized(x, 128)
    assert larger.min() == 0 and larger.max() == 1


def test_imagenet_normalisation_by_hand():
    x = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    red, green, blue = imagenet(x, 8)[0, :, 0, 0].tolist()
    assert red == pytest.approx((1 - 0.485) / 0.229, abs=1e-6)
    assert green == pytest.approx((1 - 0.456) / 0.224, abs=1e-6)
    assert blue == pytest.approx((1 - 0.406) / 0.225, abs=1e-6)
