"""Compare our "published" mode with maps computed by the authors' program.

    python benchmarks/sdpc_reference.py FOLDER

FOLDER holds dictionaries.npz (dico0, dico1: dictionaries; v0, v1: gains) and fixture.npz (X:
images; lam: thresholds; th: tolerance; stride; for each feedback strength k: g1_bk, g2_bk, it_bk,
eta_bk: maps, the index of the last iteration, step sizes). These files belong to the authors of
that program and are not included here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from bascule.sdpc.model import Inference, Layer, Network, infer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    kept, told = (np.load(folder / name) for name in ("dictionaries.npz", "fixture.npz"))
    dictionaries = [torch.from_numpy(kept[f"dico{i}"]) for i in (0, 1)]
    gains = [torch.from_numpy(kept[f"v{i}"]) for i in (0, 1)]
    strides = (int(told["stride"]), 1)
    layers = [
        Layer(len(D), D.shape[-1], stride, threshold=float(lam))
        for D, stride, lam in zip(dictionaries, strides, told["lam"], strict=True)
    ]
    network, x = Network(layers, dictionaries, gains), torch.from_numpy(told["X"])
    for k in (0, 1, 4):
        how = Inference(
            "published",
            k_fb=float(k),
            tolerance=float(told["th"]),
            step_sizes=tuple(map(float, told[f"eta_b{k}"])),
            stop="batch",
            returns="extrapolated",
        )
        codes, ours = infer(network, x, how), infer(network, x, how.replace(stop="sample"))
        print(
            f"k_fb={k}: iterations {int(codes.iterations[0])} (theirs, counted from 0: "
            f"{int(told[f'it_b{k}'])}; stopping each image: {ours.iterations.tolist()})"
        )
        for i, g in enumerate(codes.maps, 1):
            theirs = torch.from_numpy(told[f"g{i}_b{k}"])
            apart = ((g - theirs).norm() / theirs.norm()).item()
            support = ((g != 0) == (theirs != 0)).double().mean().item()
            print(f"  layer {i}: relative difference {apart:.1e}, support alike {support:.6f}")


if __name__ == "__main__":
    main()
