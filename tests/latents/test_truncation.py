"""Truncated latents against SciPy's truncated normal."""

import pytest
import torch
from scipy import stats

from bascule.core.errors import UserError
from bascule.latents.truncation import truncated


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
def test_the_law_is_the_truncated_normal(threshold):
    z = truncated(500, 20, threshold, torch.Generator().manual_seed(0))
    assert z.shape == (500, 20) and z.dtype == torch.float32 and z.abs().max() <= threshold
    law = stats.truncnorm(-threshold, threshold)
    assert stats.kstest(z.flatten().numpy(), law.cdf).pvalue > 1e-3


def test_a_wide_threshold_is_the_normal_law():
    z = truncated(500, 20, 9.0, torch.Generator().manual_seed(1))
    assert z.isfinite().all() and stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-3


def test_a_threshold_that_lets_nothing_through_is_refused():
    with pytest.raises(UserError, match=r"threshold=0: expected a number > 0"):
        truncated(2, 2, 0.0, torch.Generator())
