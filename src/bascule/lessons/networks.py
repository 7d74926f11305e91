"""Networks that fail on purpose: a G that shows given pictures, and a D that sees brightness alone.

The lessons (:mod:`bascule.lessons.lesson`) and the test of the diagnoses
(``benchmarks/diagnostics.py``) train them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.batches import as_float
from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.models.model import Model

FRESH = 100_000  # the number of the first face that no lesson trains on
SHOWN = 500  # faces that a G shows


class Shows(nn.Module):
    """A G that outputs given images, plus noise of standard deviation ``sigma`` and a brightness.

    The first number of z selects the image, the others the noise. Its only weight is ``theta``, the
    brightness.
    """

    def __init__(self, pictures: Tensor, sigma: float = 0.0, theta: float = 0.0) -> None:
        super().__init__()
        self.pictures, self.sigma = as_float(pictures), sigma
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor) -> Tensor:
        place = torch.special.ndtr(z[:, 0].double()) * len(self.pictures)
        x = self.pictures[place.long().clamp_max(len(self.pictures) - 1)]
        seeds = (z[:, 1] * 1e6).long().tolist() if self.sigma else []
        noise = [torch.randn(x[0].shape, generator=generator("noise of", s)) for s in seeds]
        return x + (self.sigma * torch.stack(noise) if noise else 0) + self.theta


class Brightness(nn.Module):
    """D(x) = psi * (mean of x - grey). A Dirac-GAN if G only shifts brightness."""

    def __init__(self, grey: float) -> None:
        super().__init__()
        self.psi, self.grey = nn.Parameter(torch.tensor(0.0)), grey

    def forward(self, x: Tensor) -> Tensor:
        return self.psi * (x.mean((1, 2, 3)) - self.grey)


class FewModes(nn.Module):
    """A G with few modes: z is replaced by the nearest of a few z, plus a hundredth of the rest."""

    def __init__(self, G: nn.Module, z: Tensor) -> None:
        super().__init__()
        self.G, self.z = G, z

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.G(self.z[torch.cdist(z, self.z).argmin(1)] + 0.01 * z)
        return images


@dataclass(frozen=True)
class Collapsed(Model):
    """A DCGAN whose G hardly sees its latent: it draws only ``modes`` kinds of pictures.

    width  channels of the outer layers of G and D
    modes  how many kinds
    """

    width: int = 16
    size: int = 32
    modes: int = 5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.modes < 1:
            raise UserError(f"Collapsed(modes={self.modes}): expected at least 1")

    @property
    def z_dim(self) -> int:
        return DCGAN().z_dim

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        G, D = DCGAN(width=self.width, size=self.size, norm_D="spectral").players(rng)
        return FewModes(G, torch.randn(self.modes, self.z_dim, generator=rng)), D


@dataclass(frozen=True)
class Copies(Model):
    """A G that shows the training images of ``faces`` with a little noise, and a DCGAN's D.

    faces  whose training images it shows
    width  channels of D's first layer
    sigma  standard deviation of the noise, on the scale of [-1, 1]
    """

    faces: Faces = Faces(n=2000, size=32)
    width: int = 8
    sigma: float = 0.02
    z_dim: int = 100

    def __post_init__(self) -> None:
        check_fields(self)
        if self.z_dim < 2:
            raise UserError(f"Copies(z_dim={self.z_dim}): expected at least 2")

    @property
    def size(self) -> int:
        return self.faces.size

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        images = self.faces.load()
        known = images.subset("train").whole
        _, D = DCGAN(width=self.width, size=self.size, norm_D="spectral").players(rng)
        return Shows(known, self.sigma), D


@dataclass(frozen=True)
class OnBrightness(Model):
    """Fresh faces whose brightness is all that G learns, and all that D sees: a Dirac-GAN.

    theta  the brightness that G begins with, on the scale of [-1, 1]
    """

    size: int = 32
    z_dim: int = 100
    theta: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        images = Faces(n=SHOWN, size=self.size, first=FRESH).load()
        pictures = torch.from_numpy(images.pixels[:].copy())
        # A tenth darker than the faces, so that D's logits of real faces depend on psi.
        grey = as_float(pictures).mean().item() - 0.1
        return Shows(pictures, theta=self.theta), Brightness(grey)
