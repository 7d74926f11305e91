"""Principal directions against a G whose directions are known, and against NumPy."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.latents.directions import of_pictures, of_points


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def known():
    """(matrix of a linear G, its right singular vectors, its singular values)."""
    u, _ = torch.linalg.qr(torch.randn(48, 5, generator=seeded(1)))
    v, _ = torch.linalg.qr(torch.randn(5, 5, generator=seeded(2)))
    strength = torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5])
    return u @ torch.diag(strength) @ v.T, v.T, strength


def test_directions_of_a_linear_g_are_its_right_singular_vectors(known):
    matrix, rows, strength = known
    found = of_pictures(lambda z: (z @ matrix.T + 3).view(-1, 3, 4, 4), 5, 3, seeded())
    assert found.steps.shape == (3, 5)
    assert torch.allclose((found.steps * rows[:3]).sum(1).abs(), torch.ones(3), atol=1e-4)
    assert torch.allclose(found.share, strength[:3] ** 2 / strength.square().sum(), atol=1e-4)
    assert (found.steps.gather(1, found.steps.abs().argmax(1, keepdim=True)) > 0).all()


def test_directions_are_those_of_the_mean_over_latents():
    # G = (z0^2 / 2, z1): its slopes are z0 and 1, so the mean squares are 1 in the limit for both;
    # with one latent they are z0^2 and 1.
    def draw(z):
        return torch.stack([z[:, 0] ** 2 / 2, z[:, 1]], 1)

    z = torch.randn(1, 1, 2, generator=seeded(5))[0, 0, 0]
    found = of_pictures(draw, 2, 2, seeded(5), latents=1)
    by_axis = dict(zip(found.steps.abs().argmax(1).tolist(), found.share.tolist(), strict=True))
    slope = float(z) + 0.05  # of the difference over a step of 0.1
    assert by_axis[0] / by_axis[1] == pytest.approx(slope**2, rel=1e-3)


def test_a_fixed_number_never_moves():
    found = of_pictures(lambda z: z[:, :3] * 2 + 10 * z[:, 3:].round(), 4, 3, seeded(), fixed=1)
    assert found.steps.shape == (3, 4) and not found.steps[:, 3].any()
    assert torch.allclose(found.share, torch.full((3,), 1 / 3), atol=1e-5)


def test_directions_of_points_are_principal_components():
    w = torch.randn(500, 4, generator=seeded(3)) @ torch.randn(4, 4, generator=seeded(4)) + 7
    found = of_points(w, 4)
    values, vectors = np.linalg.eigh(np.cov(w.double().numpy().T))
    expected = (vectors * np.sqrt(values)).T[::-1]
    same = np.abs((found.steps.numpy() * expected).sum(1)) / values[::-1]
    assert np.allclose(same, 1, atol=1e-4)
    assert found.share.sum() == pytest.approx(1, abs=1e-5)


def test_a_move_is_in_standard_deviations():
    w = torch.randn(4000, 3, generator=seeded(3)) * torch.tensor([10.0, 2.0, 1.0])
    found = of_points(w, 2)
    moved = found.moved(torch.zeros(1, 3), torch.tensor([[2.0, 0.0]]))
    assert moved.abs()[0].tolist() == pytest.approx([20, 0, 0], abs=1)
    assert torch.equal(found.moved(w[:2], torch.tensor([0.0, 0.0])), w[:2])


def test_one_point_is_refused():
    with pytest.raises(UserError, match="of 1 points: expected at least 2"):
        of_points(torch.zeros(1, 3), 1)
