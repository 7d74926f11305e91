"""SSIM against scikit-image."""

import pytest
import torch
from skimage.metrics import structural_similarity

from bascule.core.errors import UserError
from bascule.metrics.ssim import ssim


@pytest.mark.parametrize("channels", [1, 3])
def test_it_equals_scikit_image(channels):
    rng = torch.Generator().manual_seed(0)
    a = torch.rand(3, channels, 20, 27, generator=rng, dtype=torch.float64)
    b = a + 0.2 * torch.randn(a.shape, generator=rng, dtype=torch.float64)
    spans = torch.tensor([1.0, 2.0, 0.5])
    found = ssim(a, b, spans)
    for k in range(3):
        theirs = structural_similarity(
            a[k].numpy(),
            b[k].numpy(),
            data_range=spans[k].item(),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert found[k].item() == pytest.approx(theirs, abs=1e-10)
    assert ssim(a, a, 1.0).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    "a, b, message",
    [
        (torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16), r"\(1, 3, 16, 16\) and \(1, 1"),
        (torch.zeros(1, 3, 16, 10), torch.zeros(1, 3, 16, 10), "16 x 10 px .* at least 11"),
    ],
)
def test_bad_images_are_refused(a, b, message):
    with pytest.raises(UserError, match=message):
        ssim(a, b, 1.0)
