"""A few steps of several games, alone or as one of two processes (``torchrun``); saves the end.

Usage: python team_at_play.py FOLDER
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from bascule.core.context import generator
from bascule.core.distributed import process_group
from bascule.core.schedules import Uniform
from bascule.data.augment import Flip
from bascule.data.faces import Faces
from bascule.gan.objectives import GANLoss, TopK
from bascule.gan.penalties import R1, R2, Consistency, GradientPenalty, LeCam
from bascule.gan.recipe import GANRecipe
from bascule.interventions import DiffAugment, FakeHistory, FakesAmongReals, InstanceNoise
from bascule.models.biggan import BigGAN
from bascule.models.dcgan import DCGAN
from bascule.training.loop import Callback, train
from bascule.training.state import begin

plain = GANRecipe(
    data=Faces(n=24, size=32),
    model=DCGAN(width=4, z_dim=8, size=32),
    batch=12,
    epochs=2,
    threads=1,
    device="cpu",
)
smooth = plain.replace(model=DCGAN(width=4, z_dim=8, size=32, norm_D="spectral"), beta1=0.0)
GAMES = {
    "batch norm": plain.replace(augment=(Flip(),), concat=True),
    "lies": plain.replace(
        interventions=(
            FakesAmongReals(t=3),
            FakeHistory(size=12),
            InstanceNoise(Uniform(0.0, 0.1)),
        ),
        top_k=TopK(0.5, 0.5),
    ),
    "slopes": plain.replace(penalties=(R1(), R2()), objective=GANLoss("relativistic")),
    "penalties": smooth.replace(
        interventions=(DiffAugment(),), penalties=(GradientPenalty(), LeCam(), Consistency())
    ),
    "average": smooth.replace(
        model=BigGAN(width=1, z_dim=8, size=32), objective=GANLoss("hinge"), ema_half_life=24.0
    ),
}


class Watch(Callback):
    """Notes the scalars of each step."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_step_end(self, state, seconds) -> None:
        self.rows.append({name: v[-1].item() for name, v in state.partial.items()})


def main(folder: Path) -> None:
    images = torch.randint(
        0, 256, (24, 3, 32, 32), generator=generator("images"), dtype=torch.uint8
    )
    torch.set_num_threads(1)
    with process_group("cpu") as group:
        for name, recipe in GAMES.items():
            state = begin(recipe)
            if group:
                state.trainer.join(group)
            watch = Watch()
            train(state, images, [watch])
            rank = group.rank if group else "alone"
            torch.save(
                {"rows": watch.rows, "game": state.state_dict()["game"]}, folder / f"{name} {rank}"
            )
        if group:
            told = group.broadcast("the first one's word" if group.is_main else None)
            asked = group.any(group.rank == 1), group.any(False)
            dist.barrier()
            torch.save((told, asked), folder / f"said {group.rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
