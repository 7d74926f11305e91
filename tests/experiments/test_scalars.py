"""Between which numbers scalars lie."""

from math import inf

import pytest

from bascule.experiments.predictions import COVERAGE, KID, mean_tv
from bascule.experiments.scalars import limits, of_difference
from bascule.gan.objectives import GANLoss
from bascule.presets import dcgan64_light


@pytest.mark.parametrize(
    ("scalar", "low", "high"),
    [
        *((s, 0, 1) for s in ("D_x", "D_Gz", "auc_held_out", "coverage", COVERAGE, mean_tv())),
        *((s, 0, 1) for s in ("coverage of held-out[x,1px]", "kept hair_colour[x]", "R@1[x]")),
        *((s, -1, 1) for s in ("lead", "r_t", "SSIM of layer 1[k_fb=1]", "paired SSIM of copy[x]")),
        *((s, 0, inf) for s in ("grad_norm_D", "vendi_ratio", "cost[k_fb=1]", "paired L1[x]")),
        *((s, -inf, inf) for s in ("loss_D", "r_v", "mmd", KID, "C_T[x]", "ResetD.0/resets")),
    ],
)
def test_limits(scalar, low, high):
    assert limits(scalar) == (low, high)


def test_a_loss_ends_at_0_where_its_objective_does():
    def of(loss, *kinds):
        return limits(loss, [dcgan64_light.replace(objective=GANLoss(kind)) for kind in kinds])

    assert of("loss_D", "non-saturating", "hinge") == (0, inf)
    assert of("loss_D", "non-saturating", "wasserstein") == (-inf, inf)
    assert of("loss_G", "minimax") == (-inf, inf) == of("loss_G", "hinge")
    assert of("loss_G", "relativistic") == (0, inf)


def test_differences():
    assert of_difference((0, 1), (0, 1)) == (-1, 1)
    assert of_difference((0, inf), (0, inf)) == (-inf, inf)
