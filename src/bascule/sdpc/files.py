"""Codes of images in a NumPy .npz file, to view, change and decode.

``names``: names of the images, (N,). ``layer_1``, ``layer_2``, ...: float32 maps (N, K, h, w),
values >= 0. ``kept_0_low`` and so on: what each step of the preprocessing kept to undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bascule.core import atomic
from bascule.core.arrays import read_arrays
from bascule.core.errors import UserError, unreadable
from bascule.sdpc.coder import Coded, Coder
from bascule.sdpc.model import Codes


def write_codes(path: Path, names: Sequence[str], coded: Coded) -> None:
    """Write the codes of images and their ``names`` to ``path``, completely or not at all."""
    arrays = {f"layer_{i}": g.cpu().numpy() for i, g in enumerate(coded.codes.maps, 1)}
    for place, step in enumerate(coded.kept):
        arrays |= {f"kept_{place}_{name}": v.cpu().numpy() for name, v in step.items()}
    told = np.array(names)

    def write(place: Path) -> None:
        with place.open("wb") as file:
            np.savez_compressed(file, names=told, **arrays)  # type: ignore[arg-type]

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, write)


def read_codes(path: Path, coder: Coder) -> tuple[list[str], Coded]:
    """Names and codes from a file of :func:`write_codes`, for the network of ``coder``.

    Raises :class:`UserError` for another kind of file, and for codes of another network.
    """
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError) as error:
        raise unreadable(f"codes from {path}", error, "encode the pictures again") from None
    size = coder.recipe.data.size
    shapes = coder.network.shapes((size, size))[1:]
    names = arrays.get("names", np.zeros(0))
    if names.ndim != 1 or any(
        array.dtype.kind not in "fiu" for name, array in arrays.items() if name != "names"
    ):
        raise UserError(f"{path} holds no codes: expected a file that `bascule sdpc encode` wrote")
    n = len(names)
    maps = []
    for i, (layer, shape) in enumerate(zip(coder.network.layers, shapes, strict=True), 1):
        g, expected = arrays.get(f"layer_{i}"), (n, layer.atoms, *shape)
        if g is None or g.shape != expected or not n:
            given = "nothing" if g is None else str(g.shape)
            raise UserError(
                f"{path} holds {given} for layer {i}: expected {expected}, as `bascule sdpc "
                "encode` writes it with this run"
            )
        if not (np.isfinite(g) & (g >= 0)).all():
            raise UserError(f"{path}: codes of layer {i} must be numbers >= 0")
        maps.append(torch.from_numpy(g.astype(np.float32)))
    device = coder.recipe.device
    ramp = torch.arange(3 * size * size).remainder(251).to(torch.uint8).reshape(1, 3, size, size)
    there = []
    # The names and shapes are the same for any image
    for place, step in enumerate(coder.recipe.prepared(ramp)[1]):
        found = {name: arrays.get(f"kept_{place}_{name}") for name in step}
        for name, like in step.items():
            value, expected = found[name], (n, *like.shape[1:])
            if value is None or value.shape != expected:
                raise UserError(f"{path} lacks kept_{place}_{name}: expected {expected} numbers")
        there.append({name: torch.from_numpy(v).to(device) for name, v in found.items()})
    codes = Codes(
        tuple(g.to(device) for g in maps),
        torch.zeros(n, dtype=torch.long),
        torch.ones(n, dtype=torch.bool),
    )
    return [str(name) for name in arrays["names"]], Coded(codes, tuple(there))
