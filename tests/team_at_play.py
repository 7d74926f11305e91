"""A few steps of several games, alone or as one of two processes (``torchrun``); saves the end.

Usage: python team_at_play.py FOLDER
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from bascule.data.augment import Flip
from bascule.data.faces import Faces
from bascule.interventions import DiffAugment, FakeHistory, FakesAmongReals, InstanceNoise
from bascule.laws import Uniform
from bascule.models.biggan import BigGAN
from bascule.models.dcgan import DCGAN
from bascule.now import generator
from bascule.objectives import Objective, TopK
from bascule.penalties import R1, R2, Consistency, GradientPenalty, LeCam
from bascule.team import joined
from bascule.training.gan import Recipe
from bascule.training.loop import Probe, train
from bascule.training.state import begin

plain = Recipe(
    data=Faces(n=24, size=32),
    model=DCGAN(width=4, z_dim=8, size=32),
    batch=12,
    epochs=2,
    threads=1,
    device="cpu",
)
smooth = plain.but(model=DCGAN(width=4, z_dim=8, size=32, norm_D="spectral"), beta1=0.0)
GAMES = {
    "batch norm": plain.but(augment=(Flip(),), concat=True),
    "lies": plain.but(
        change=(FakesAmongReals(t=3), FakeHistory(size=12), InstanceNoise(Uniform(0.0, 0.1))),
        top_k=TopK(0.5, 0.5),
    ),
    "slopes": plain.but(penalties=(R1(), R2()), objective=Objective("relativistic")),
    "penalties": smooth.but(
        change=(DiffAugment(),), penalties=(GradientPenalty(), LeCam(), Consistency())
    ),
    "average": smooth.but(
        model=BigGAN(width=1, z_dim=8, size=32), objective=Objective("hinge"), ema_half_life=24.0
    ),
}


class Watch(Probe):
    """Notes the scalars of each step."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def step_done(self, state, seconds) -> None:
        self.rows.append({name: v[-1].item() for name, v in state.partial.items()})


def main(folder: Path) -> None:
    images = torch.randint(
        0, 256, (24, 3, 32, 32), generator=generator("images"), dtype=torch.uint8
    )
    torch.set_num_threads(1)
    with joined("cpu") as team:
        for name, recipe in GAMES.items():
            state = begin(recipe)
            if team:
                state.trainer.join(team)
            watch = Watch()
            train(state, images, [watch])
            rank = team.rank if team else "alone"
            torch.save(
                {"rows": watch.rows, "game": state.state_dict()["game"]}, folder / f"{name} {rank}"
            )
        if team:
            told = team.told("the first one's word" if team.leads else None)
            asked = team.any(team.rank == 1), team.any(False)
            dist.barrier()
            torch.save((told, asked), folder / f"said {team.rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
