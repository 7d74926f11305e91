"""A dictionary as a linear map, against PyTorch's plain convolutions and an explicit matrix."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

from bascule.sdpc.model.operator import MARGIN, Operator

GEOMETRIES = {  # (K, C, kernel, stride, padding, side)
    "folded": (6, 3, 8, 4, 0, 24),
    "folded with padding": (6, 3, 8, 4, 2, 24),
    "folded, kernel no multiple of the stride": (5, 3, 9, 3, 0, 21),
    "folded, the same with padding": (5, 2, 5, 3, 1, 12),
    "one colour": (4, 1, 6, 2, 2, 10),
    "many channels, strided": (7, 20, 4, 2, 1, 8),
    "stride 1": (7, 3, 5, 1, 0, 9),
}


@pytest.fixture(params=GEOMETRIES)
def made(request):
    K, C, k, stride, padding, side = GEOMETRIES[request.param]
    rng = torch.Generator().manual_seed(1)
    D = torch.randn(K, C, k, k, generator=rng, dtype=torch.float64)
    u = torch.randn(2, C, side, side, generator=rng, dtype=torch.float64)
    plain = {"stride": stride, "padding": padding}
    g = torch.randn(conv2d(u, D, **plain).shape, generator=rng, dtype=torch.float64)
    return Operator(D, stride, padding, (side, side)), D, u, g, plain


def test_it_equals_plain_convolutions(made):
    operator, D, u, g, plain = made
    assert operator.codes == g.shape[1:]
    assert torch.equal(operator.unfolded(operator.folded(u)), u)
    found = operator.analysis(operator.folded(u))
    torch.testing.assert_close(found, conv2d(u, D, **plain))
    drawn = operator.unfolded(operator.synthesis(g))
    torch.testing.assert_close(drawn, conv_transpose2d(g, D, **plain))


def test_one_is_the_transpose_of_the_other_and_nothing_lies_in_the_padding(made):
    operator, _, u, g, _ = made
    drawn, folded = operator.synthesis(g), operator.folded(u)
    torch.testing.assert_close((drawn * folded).sum(), (g * operator.analysis(folded)).sum())
    inside = operator.unfolded(drawn)
    torch.testing.assert_close(drawn.square().sum(), inside.square().sum())


def test_the_curvature_is_the_largest_eigenvalue(made):
    operator, D, u, g, plain = made
    n = g[0].numel()
    columns = conv_transpose2d(torch.eye(n, dtype=D.dtype).reshape(n, *g.shape[1:]), D, **plain)
    largest = torch.linalg.matrix_norm(columns.flatten(1), 2).item() ** 2
    vector = operator.leading(None, seed=0)
    assert operator.curvature == pytest.approx(MARGIN * largest, rel=3e-3)
    assert operator.curvature > largest
    again = Operator(D, plain["stride"], plain["padding"], tuple(u.shape[2:]))
    again.leading(None, seed=0)
    assert again.curvature == operator.curvature
    again.leading(vector, seed=9)  # goes on from there
    assert again.curvature == pytest.approx(operator.curvature, rel=1e-4)


def test_a_rounded_one_makes_nearly_the_same(made):
    operator, _, _, g, _ = made
    rounded = operator.rounded()
    exact, coarse = operator.synthesis(g), rounded.synthesis(g).double()
    assert 0 < (exact - coarse).norm() < 0.01 * exact.norm()
    assert operator.D.dtype == torch.float64
