"""Minutes to a picture of a given quality, beside programs that people would use instead.

    python benchmarks/peers.py                             every contender that is installed
    python benchmarks/peers.py bascule mimicry --minutes 10
    python benchmarks/peers.py --out FOLDER                goes on with what is there

Each contender trains with the same 2,000 built-in faces at 64 px, in a process of its own with one
thread, for ``--minutes`` of that process on the processor. That includes its start, its imports
and its loader; drawing is not counted. The seconds of a process do not depend on what else runs,
as the clock does, so contenders may run beside each other (``--jobs``). After 1, 1.4, 2, 2.8, 4,
... minutes it draws 500 pictures, which this program judges: KID against held-out faces, held-out
coverage, and the exact attributes of the faces. Diffusion draws at the end alone, because drawing
takes it as long as training. The last table says after how many minutes bascule is at the level
that the best peer has at the end.

Peers, each with the settings that its own documentation gives (here: what was changed):

bascule     the preset ``dcgan64-tuned``, with its pictures, scalars and checkpoints
classic     the DCGAN example of PyTorch, written again (``classic_dcgan.py``); decodes PNGs
mimicry     torch-mimicry, SNGAN for 64 px; hinge loss, 5 steps of D for one of G
lightweight lightweight-gan; refuses to run without CUDA: here its calls of ``.cuda()`` do nothing
diffusion   denoising-diffusion-pytorch, U-Net of width 32 (its documentation: 64), 20 steps of DDIM

Install those that you want: ``pip install torch-mimicry lightweight-gan ema-pytorch
denoising-diffusion-pytorch``.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PICTURES, DRAWN_AT_ONCE, LATENT = 500, 50, 128
Draw = Callable[[int], Tensor]  # n -> float (n, 3, 64, 64) in [-1, 1]
Tell = Callable[[Draw], None]  # called every few steps; raises Enough at the end


class Enough(Exception):
    """The time is over."""


# contenders: each trains for ever, and calls ``tell`` every few steps


def bascule(folder: Path, tell: Tell) -> None:
    from bascule.presets import PRESETS
    from bascule.runs.execute import execute
    from bascule.runs.generate import drawn_fakes
    from bascule.runs.store import Store
    from bascule.training.loop import Callback, Record

    class Watch(Callback):
        def on_epoch_end(self, record: Record) -> None:
            def draw(n: int) -> Tensor:
                found = drawn_fakes(record.trainer, n, seed=next(seeds))
                return torch.from_numpy(found).float() / 127.5 - 1

            tell(draw)

    seeds = itertools.count()
    recipe = PRESETS["dcgan64-tuned"].replace(threads=1, device="cpu", data=_faces())
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place))
        images = recipe.data.load()
        run = store.create(recipe, "peers", images.digest)
        execute(run, store, (Watch(),), images)
    raise SystemExit("bascule finished all of its epochs before the time was over")


def classic(folder: Path, tell: Tell) -> None:
    from classic_dcgan import ClassicLoop, classic_nets

    loop = ClassicLoop(folder, classic_nets(), workers=0)
    while True:
        for _ in range(4):
            loop.step()
        tell(lambda n: drawn(loop.G, torch.randn(n, loop.nz, 1, 1)))


def mimicry(folder: Path, tell: Tell) -> None:
    import torch._dynamo
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401

    # Its metrics use the first, and its image sets the second, which PyTorch no longer has.
    sys.modules.setdefault("tensorflow", types.ModuleType("tensorflow"))
    sys.modules.setdefault("torch._six", types.SimpleNamespace(PY3=True))
    from torch_mimicry.nets import sngan
    from torch_mimicry.training.metric_log import MetricLog

    G, D = sngan.SNGANGenerator64(), sngan.SNGANDiscriminator64()
    opt_D = torch.optim.Adam(D.parameters(), 2e-4, betas=(0.0, 0.9))
    opt_G = torch.optim.Adam(G.parameters(), 2e-4, betas=(0.0, 0.9))
    device, batches = torch.device("cpu"), of_folder(folder, 64)
    told: Any = {"log_data": MetricLog(), "device": device}
    for step in itertools.count():
        for _ in range(5):
            real = next(batches)
            D.train_step((real, None), netG=G, optD=opt_D, global_step=step, **told)
        G.train_step((real, None), netD=D, optG=opt_G, global_step=step, **told)
        tell(lambda n: drawn(G, torch.randn(n, G.nz)))


def lightweight(folder: Path, tell: Tell) -> None:
    asked = torch.cuda.is_available
    torch.cuda.is_available = lambda: True
    from lightweight_gan import lightweight_gan as module

    torch.cuda.is_available = asked

    class OnCpu(types.ModuleType):
        """PyTorch, but for its devices."""

        def __getattr__(self, name: str) -> Any:
            return getattr(torch, name)

        @staticmethod
        def device(name: str) -> torch.device:
            return torch.device("cpu")

    module.torch = OnCpu("torch")
    Tensor.cuda = lambda self, *_: self
    nn.Module.cuda = lambda self, *_: self
    with tempfile.TemporaryDirectory() as place:
        trainer = module.Trainer(
            "faces",
            place,
            f"{place}/models",
            image_size=64,
            num_workers=0,
            evaluate_every=10**9,
            save_every=10**9,
            calculate_fid_every=None,
            use_aim=False,
        )
        trainer.set_data_src(str(folder))
        with contextlib.redirect_stdout(sys.stderr):
            while True:
                trainer.train()
                G, d = trainer.GAN.GE, trainer.GAN.latent_dim
                tell(lambda n: drawn(G, torch.randn(n, d)) * 2 - 1)  # noqa: B023


def diffusion(folder: Path, tell: Tell) -> None:
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
    from ema_pytorch import EMA

    net = GaussianDiffusion(
        Unet(dim=32, dim_mults=(1, 2, 4, 8), flash_attn=False),
        image_size=64,
        timesteps=1000,
        sampling_timesteps=20,
    )
    average = EMA(net, beta=0.995, update_every=10)
    optimiser = torch.optim.Adam(net.parameters(), 8e-5, betas=(0.9, 0.99))
    for real in of_folder(folder, 32):
        net((real + 1) / 2).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update()
        tell(lambda n: average.ema_model.sample(batch_size=n) * 2 - 1)


CONTENDERS = (bascule, classic, mimicry, lightweight, diffusion)


def of_folder(folder: Path, batch: int) -> Iterator[Tensor]:
    """Batches of pictures in [-1, 1], decoded each time as torchvision's examples do."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    data = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    while True:
        for pictures, _ in DataLoader(data, batch, shuffle=True, drop_last=True):
            yield pictures


def drawn(G: nn.Module, z: Tensor) -> Tensor:
    with torch.no_grad():
        return G(z)


# one contender, in a process of its own


def train(name: str, folder: Path, out: Path, minutes: float) -> None:
    """Train a contender, and keep pictures and seconds of it in ``out``."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    looks = [60 * m for m in moments(minutes)][-1 if name == "diffusion" else 0 :]
    drawing = 0.0

    def tell(draw: Draw) -> None:
        nonlocal drawing
        now = time.process_time() - drawing
        if now < looks[0]:
            return
        parts = [draw(DRAWN_AT_ONCE) for _ in range(PICTURES // DRAWN_AT_ONCE)]
        pixels = ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        np.savez(out / f"{name}-{looks[0]:07.1f}.npz", pixels=pixels.numpy(), seconds=now)
        while looks and looks[0] <= now:
            looks.pop(0)
        drawing = time.process_time() - now
        if not looks:
            raise Enough

    with contextlib.suppress(Enough):
        {one.__name__: one for one in CONTENDERS}[name](folder, tell)
    (out / f"{name}.done").touch()


def moments(minutes: float) -> list[float]:
    """1, 1.4, 2, ... minutes, the last of them ``minutes``."""
    found = [2 ** (k / 2) for k in range(40)]
    return [m for m in found if m < 0.9 * minutes] + [minutes]


# all of them, and the judge


@dataclass
class Look:
    """The quality of a contender after some minutes."""

    minutes: float
    kid: float
    coverage: float
    out_of_vocabulary: float
    total_variation: float


def judged(out: Path, name: str) -> list[Look]:
    """What ``out`` holds of a contender, judged once and kept."""
    from bascule.attributes.classifier import classifier
    from bascule.evaluation.evaluate import evaluate
    from bascule.features.extractors import extractor

    images = _faces().load()
    found = []
    for path in sorted(out.glob(f"{name}-*.npz")):
        kept = path.with_suffix(".json")
        if not kept.exists():
            with np.load(path) as arrays:
                pixels, seconds = arrays["pixels"], float(arrays["seconds"])
            reader, net = classifier("micah", 64), extractor()
            told, _ = evaluate(pixels, images, [net], lambda _: quiet(), reader)
            numbers = {v.scale.label.partition("[")[0]: v.measured.value for v in told.values}
            values = [numbers[k] for k in ("KID on held-out", "coverage of held-out")]
            values += [numbers[k] for k in ("out of vocabulary", "mean TV")]
            kept.write_text(json.dumps([seconds / 60, *values]))
        found.append(Look(*json.loads(kept.read_text())))
    return found


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[int, int], None]]:
    yield lambda done, of: None


def reached(looks: list[Look], number: str, level: float) -> float | None:
    """The minutes of the first look that is at least as good; None if there is none."""
    better = -1 if number == "coverage" else 1
    return next((k.minutes for k in looks if better * getattr(k, number) <= better * level), None)


def report(found: dict[str, list[Look]]) -> None:
    from bascule.training.hardware import describe

    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    for name, looks in found.items():
        print(f"\n{name}\n  minutes       KID  coverage  out of vocabulary  mean TV")
        for k in looks:
            print(f"  {k.minutes:7.1f} {k.kid:9.4f} {k.coverage:9.3f} ", end="")
            print(f"{k.out_of_vocabulary:18.3f} {k.total_variation:8.3f}")
    ours = found.pop("bascule", [])
    ends = {name: looks[-1] for name, looks in found.items() if looks}
    if not ours or not ends:
        return
    print("\nminutes of bascule to the level of the best peer at its end")
    for number in ("kid", "coverage", "out_of_vocabulary", "total_variation"):
        order = sorted(ends, key=lambda name: getattr(ends[name], number))
        best = order[-1] if number == "coverage" else order[0]
        level = getattr(ends[best], number)
        at = reached(ours, number, level)
        ratio = f"{at:.1f}, {ends[best].minutes / at:.1f} times faster" if at else "not reached"
        print(f"  {number}: {best} has {level:.4f} after {ends[best].minutes:.1f} minutes: {ratio}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [one.__name__ for one in CONTENDERS]
    arguments.add_argument("names", nargs="*", metavar="CONTENDER", help=", ".join(names))
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--jobs", type=int, default=1, help="contenders at once")
    arguments.add_argument("--out", type=Path, help="where pictures are kept (default: nowhere)")
    arguments.add_argument("--train", help=argparse.SUPPRESS)
    args = arguments.parse_args()
    if unknown := set(args.names) - set(names):
        arguments.error(f"{', '.join(unknown)}: expected {', '.join(names)}")
    with contextlib.ExitStack() as stack:
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if args.train:
            train(args.train, out / "pictures", out, args.minutes)
            return
        write_pictures(out / "pictures")
        waiting, running = [n for n in args.names or names], {}
        while waiting or running:
            while waiting and len(running) < args.jobs:
                name = waiting.pop(0)
                if not (out / f"{name}.done").exists():
                    running[name] = start(name, out, args.minutes)
            time.sleep(1)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                code = running.pop(name).returncode
                print(f"{name}: {'done' if not code else f'failed, see {out / name}.log'}")
        report({name: judged(out, name) for name in args.names or names})


def start(name: str, out: Path, minutes: float) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        __file__,
        "--train",
        name,
        "--out",
        str(out),
        "--minutes",
        f"{minutes}",
    ]
    with (out / f"{name}.log").open("wb") as log:
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(words, stdout=log, stderr=log, env=env)


def write_pictures(folder: Path) -> None:
    """The training faces as PNGs, in the subfolder that torchvision's ImageFolder expects."""
    from PIL import Image

    images = _faces().load()
    (folder / "faces").mkdir(parents=True, exist_ok=True)
    for i in images.indices("train"):
        picture = Image.fromarray(images.pixels[i].transpose(1, 2, 0))
        picture.save(folder / "faces" / f"{i:05d}.png")


def _faces() -> Any:
    from bascule.data.faces import Faces

    return Faces(n=2000)


if __name__ == "__main__":
    main()
