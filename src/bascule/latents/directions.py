"""Principal directions: the few moves in a latent space that change G's pictures most.

Where G has a space W, they are the principal components of many w (Härkönen et al. 2020,
"GANSpace", section 3.1). Where it draws from z alone, they are the eigenvectors of the mean of
J^T J over latents, J the Jacobian of G (Wang and Ponce 2021, "The geometry of deep generative image
models"). GANSpace takes the principal components of G's first layer there (section 3.2), which
needs to know the layers of G. Both are equally strong (``benchmarks/directions.py``): a move of two
standard deviations changes pictures of a DCGAN by 36 and 37 grey levels, along random
directions by 15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.errors import UserError

Draw = Callable[[Tensor], Tensor]
STEP = 0.1  # of the differences that stand for derivatives, in standard deviations of z


@dataclass(frozen=True, eq=False)
class Directions:
    """``steps`` (k, d): moves of one standard deviation, the strongest first, at right angles.

    ``share`` (k,): of all variance of w, or of all change of pictures, that lies along each.
    """

    steps: Tensor
    share: Tensor

    def moved(self, points: Tensor, by: Tensor) -> Tensor:
        """``points`` (N, d), each moved by ``by`` (N, k) standard deviations; by may be (k,)."""
        return points + by @ self.steps[: by.shape[-1]]


def of_points(w: Tensor, k: int) -> Directions:
    """The ``k`` principal components of points ``w`` (N, d).

    Raises :class:`UserError` for fewer than two points.
    """
    if len(w) < 2:
        raise UserError(f"principal components of {len(w)} points: expected at least 2")
    return _strongest(torch.cov(w.double().T).reshape(w.shape[1], -1), k, scaled=True)


def of_pictures(
    draw: Draw, z_dim: int, k: int, rng: torch.Generator, latents: int = 8, fixed: int = 0
) -> Directions:
    """The ``k`` directions of z along which the pictures of ``draw`` change most.

    ``draw``: latents (N, z_dim) -> floats (N, ...). The mean square change of all pixels is
    averaged over ``latents`` random z, by differences of :data:`STEP`; it takes z_dim + 1 pictures
    for each of them. ``fixed``: so many last numbers of z do not move, such as one for a label.
    """
    free = z_dim - fixed
    whole = torch.zeros(free, free, dtype=torch.float64)
    moves = STEP * torch.eye(free, z_dim)
    for z in torch.randn(latents, 1, z_dim, generator=rng):
        pictures = draw(torch.cat([z, z + moves])).double().flatten(1).cpu()
        change = (pictures[1:] - pictures[:1]) / STEP
        whole += change @ change.T / latents
    found = _strongest(whole, k, scaled=False)
    return Directions(torch.nn.functional.pad(found.steps, (0, fixed)), found.share)


def _strongest(matrix: Tensor, k: int, scaled: bool) -> Directions:
    """The first ``k`` eigenvectors of a symmetric matrix; ``scaled``: times root eigenvalue."""
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0).clamp(min=0)[:k], vectors.flip(1).T[:k]
    # An eigenvector has no sign: the largest number is made positive.
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    steps = vectors * largest.sign() * (values.sqrt()[:, None] if scaled else 1.0)
    whole = matrix.diagonal().sum().clamp(min=torch.finfo(torch.float64).tiny)
    return Directions(steps.float(), (values / whole).float())
