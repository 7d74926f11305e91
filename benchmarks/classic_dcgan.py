"""The baseline for speed: a DCGAN trained as in tutorials, without bascule's optimisations.

Two workers decode and resize 200x200 PNGs from a folder. D ends in a sigmoid and uses BCELoss. It
trains in fp32 in the default memory layout. D's real and fake batches have separate backward
passes. G's step also computes gradients of D, which are not used. Every loss is read back from the
device at every step. All optimisations of bascule are left out on purpose; nothing is slowed down
on purpose.

Run as a script, it makes its own images and prints its speed:

    python benchmarks/classic_dcgan.py --images 512 --batches 8
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms  # type: ignore[import-untyped]

from bascule.models.dcgan import DCGANW9


def make_folder(path: Path, n: int, seed: int = 0) -> Path:
    """Write ``n`` 200x200 RGB PNGs of smooth, face-like blobs to ``path``/faces; returns ``path``.

    The subfolder is needed because ImageFolder expects one folder per class.
    """
    rng = np.random.default_rng(seed)
    folder = path / "faces"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(_face(rng)).save(folder / f"{i:06d}.png")
    return path


def _face(rng: np.random.Generator, side: int = 200) -> np.ndarray:
    """uint8 (side, side, 3): a soft ellipse of skin, two eyes and a mouth on a smooth ground."""
    coarse = Image.fromarray(rng.integers(40, 216, (4, 4, 3), dtype=np.uint8))
    image = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    cx, cy = rng.uniform(-0.1, 0.1, 2)

    def blob(dx: float, dy: float, rx: float, ry: float, sharpness: float) -> np.ndarray:
        distance = ((x - cx - dx) / rx) ** 2 + ((y - cy - dy) / ry) ** 2
        return 1 / (1 + np.exp(np.minimum(sharpness * (distance - 1), 50)))[..., None]

    skin, eye, mouth = rng.uniform(90, 255, 3), rng.uniform(0, 120, 3), rng.uniform(60, 200, 3)
    apart, wide = rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.3)
    parts = [
        (blob(0, 0, rng.uniform(0.5, 0.7), rng.uniform(0.6, 0.85), 12), skin),
        (blob(-apart, -0.2, 0.1, 0.08, 6), eye),
        (blob(apart, -0.2, 0.1, 0.08, 6), eye),
        (blob(0, 0.35, wide, 0.07, 6), mouth),
    ]
    for mask, paint in parts:
        image = image * (1 - mask) + paint * mask
    return image.clip(0, 255).astype(np.uint8)


class ClassicGenerator(nn.Module):
    """z: (B, nz, 1, 1) -> x: (B, 3, 64, 64) in [-1, 1]."""

    def __init__(self, nz: int = 100, ngf: int = 64) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 8),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 8, ngf * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


class ClassicDiscriminator(nn.Module):
    """x: (B, 3, 64, 64) -> the probability (B,) that x is real."""

    def __init__(self, ndf: int = 64) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(3, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, ndf * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 4),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 4, ndf * 8, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x).view(-1)


class OnFlatNoise(nn.Module):
    """Adapts a G with z: (B, nz) to the classic loop, which passes (B, nz, 1, 1)."""

    def __init__(self, G: nn.Module) -> None:
        super().__init__()
        self.G = G

    def forward(self, z: Tensor) -> Tensor:
        return self.G(z.flatten(1))


def classic_nets(nz: int = 100, width: int = 64) -> tuple[nn.Module, nn.Module]:
    """(G, D) of the classic example, with weights N(0, 0.02²) from the global generator."""

    def draw(layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)

    return ClassicGenerator(nz, width).apply(draw), ClassicDiscriminator(width).apply(draw)


def w9_nets(nz: int = 100, width: int = 64, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """(G, D) of the 2019 notebook, adapted to the classic loop: flat noise, and a sigmoid in D."""
    G, D = DCGANW9(width=width, z_dim=nz).players(torch.Generator().manual_seed(seed))
    return OnFlatNoise(G), nn.Sequential(D, nn.Sigmoid())


@dataclass
class Read:
    """The numbers read back at each step, with D's means before and after its update."""

    images: int
    loss_D: float
    loss_G: float
    D_x: float
    D_Gz: float
    D_Gz_after: float


class ClassicLoop:
    """Trains on the PNGs of ``folder``, one batch per :meth:`step`; it can pause between batches.

    During a pause, the workers of the current epoch load at most two batches each and then wait.
    ``nets``: (G, D) with G: (B, nz, 1, 1) -> images and D: images -> probabilities (B,). Call
    :meth:`close` to end the workers.
    """

    def __init__(
        self,
        folder: Path,
        nets: tuple[nn.Module, nn.Module],
        *,
        nz: int = 100,
        batch: int = 64,
        workers: int = 2,
        lr_D: float = 2e-4,
        lr_G: float = 2e-4,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.nz = nz
        data = datasets.ImageFolder(
            str(folder),
            transform=transforms.Compose(
                [
                    transforms.Resize(64),
                    transforms.CenterCrop(64),
                    transforms.ToTensor(),
                    transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
                ]
            ),
        )
        self.loader = DataLoader(data, batch_size=batch, shuffle=True, num_workers=workers)
        self.G, self.D = nets[0].to(self.device), nets[1].to(self.device)
        self.criterion = nn.BCELoss()
        self.optim_D = torch.optim.Adam(self.D.parameters(), lr=lr_D, betas=(0.5, 0.999))
        self.optim_G = torch.optim.Adam(self.G.parameters(), lr=lr_G, betas=(0.5, 0.999))
        self._batches: Iterator[list[Tensor]] | None = None

    def train(self, batches: int) -> Iterator[Read]:
        """Run ``batches`` training steps, continuing from the last call."""
        for _ in range(batches):
            yield self.step()

    def step(self) -> Read:
        real = self._next_batch().to(self.device)
        n = len(real)

        self.D.zero_grad()
        label = torch.full((n,), 1.0, device=self.device)
        output = self.D(real).view(-1)
        loss_real = self.criterion(output, label)
        loss_real.backward()
        D_x = output.mean().item()

        noise = torch.randn(n, self.nz, 1, 1, device=self.device)
        fake = self.G(noise)
        label.fill_(0.0)
        output = self.D(fake.detach()).view(-1)
        loss_fake = self.criterion(output, label)
        loss_fake.backward()
        D_Gz = output.mean().item()
        loss_D = loss_real + loss_fake
        self.optim_D.step()

        self.G.zero_grad()
        label.fill_(1.0)
        output = self.D(fake).view(-1)
        loss_G = self.criterion(output, label)
        loss_G.backward()
        D_Gz_after = output.mean().item()
        self.optim_G.step()

        return Read(n, loss_D.item(), loss_G.item(), D_x, D_Gz, D_Gz_after)

    def close(self) -> None:
        """End the workers of the current epoch."""
        self._batches = None

    def _next_batch(self) -> Tensor:
        """The next batch of images; starts a new epoch if needed."""
        if self._batches is None:
            self._batches = iter(self.loader)
        try:
            return next(self._batches)[0]
        except StopIteration:
            self._batches = iter(self.loader)
            return next(self._batches)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="The classic DCGAN loop, timed alone.")
    parser.add_argument("--folder", type=Path, help="PNGs in subfolders; made afresh if absent")
    parser.add_argument("--images", type=int, default=512, help="how many PNGs to make")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--nets", choices=["classic", "w9"], default="classic")
    parser.add_argument("--threads", type=int, help="default: PyTorch's own")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or make_folder(Path(made), asked.images)
        nets = classic_nets() if asked.nets == "classic" else w9_nets()
        loop = ClassicLoop(folder, nets)
        loop.step()  # the first batch includes the start of the workers
        start, images = time.perf_counter(), 0
        for read in loop.train(asked.batches):
            images += read.images
            print(read)
        print(f"{images / (time.perf_counter() - start):.1f} images/s, loader included")
        loop.close()


if __name__ == "__main__":
    main()
