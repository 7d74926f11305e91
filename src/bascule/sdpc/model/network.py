"""Sparse deep predictive coding: layers of convolutional dictionaries.

Boutin, Franciosini, Chavane, Ruffier, Perrinet 2021 (arXiv 1902.07651), and Boutin, Franciosini,
Ruffier, Perrinet 2020. Layer i approximates its input u_{i-1} (u_0 = x, the image) by D_i^T g_i, a
sum of few atoms with non-negative codes g_i. The input of the next layer is u_i = v_i g_i. The
gains v_i, one per channel, undo the shrinking of the codes. Derivations are in docs/sdpc.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.sdpc.model.operator import Operator

MOST = 16_384  # the largest number of atoms, and of pixels per side


@dataclass(frozen=True)
class Layer:
    """A dictionary of ``atoms`` square kernels, with a ``stride`` and a ``padding`` in pixels.

    ``threshold``: lambda, the penalty on one unit of code, in units of the input; 0 or more.
    ``gain``: the initial value of v.
    """

    atoms: int
    kernel: int
    stride: int = 1
    padding: int = 0
    threshold: float = 0.1
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("atoms", "kernel", "stride"):
            holds = 1 <= getattr(self, name) <= MOST
            self._expect(name, holds, f"a whole number >= 1, at most {MOST:,}")
        self._expect("stride", self.stride <= self.kernel, f"at most kernel={self.kernel}")
        self._expect(
            "padding", 0 <= self.padding < self.kernel, f"0 to kernel - 1 = {self.kernel - 1}"
        )
        self._expect("threshold", 0 <= self.threshold < float("inf"), "a number >= 0")
        self._expect("gain", 0 < self.gain < float("inf"), "a number > 0")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise UserError(f"Layer({name}={getattr(self, name)}): expected {expected}")

    def side(self, n: int) -> int:
        """The side of the code of an input of side ``n``. A UserError if it does not fit."""
        left = n + 2 * self.padding - self.kernel
        if left < 0 or left % self.stride:
            low = max(left // self.stride, 0) * self.stride + self.kernel - 2 * self.padding
            sides = " or ".join(str(s) for s in (low, low + self.stride) if s > 0)
            raise UserError(
                f"an input of {n} px does not fit kernels of {self.kernel} px, stride "
                f"{self.stride}, padding {self.padding}: crop or pad it to {sides} px"
            )
        return left // self.stride + 1


@dataclass(frozen=True)
class SDPC:
    """The layers from the image up, for images (``channels``, ``size``, ``size``)."""

    layers: tuple[Layer, ...] = (
        Layer(64, kernel=8, stride=4, padding=2, threshold=0.5),
        Layer(128, kernel=4, stride=2, padding=1, threshold=0.5),
    )
    channels: int = 3
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.layers:
            raise UserError("SDPC needs at least one layer")
        for name in ("channels", "size"):
            if not 1 <= getattr(self, name) <= MOST:
                raise UserError(f"SDPC({name}={getattr(self, name)}): expected 1 to {MOST:,}")
        side = self.size
        for layer in self.layers:
            side = layer.side(side)

    def network(self, rng: torch.Generator) -> Network:
        """A network with Gaussian atoms of norm 1, drawn from ``rng``."""
        inputs = [self.channels, *(layer.atoms for layer in self.layers)]
        drawn = [
            torch.randn(layer.atoms, below, layer.kernel, layer.kernel, generator=rng)
            for layer, below in zip(self.layers, inputs, strict=False)
        ]
        return Network(self.layers, drawn)


class Network(nn.Module):
    """The dictionaries D_i, (K_i, C_i, k, k) with atoms of norm 1, and the gains v_i, (K_i,).

    They are trained with closed-form gradients (``sdpc/step.py``), without autograd.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        dictionaries: Sequence[Tensor],
        gains: Sequence[Tensor] | None = None,
    ) -> None:
        """``dictionaries`` are copied, with atoms scaled to norm 1. ``gains``: v_i, (K_i,) each."""
        super().__init__()
        self.layers = tuple(layers)
        if gains is None:
            gains = [torch.full((layer.atoms,), layer.gain) for layer in layers]
        _check(self.layers, dictionaries, gains)
        self.dictionaries = nn.ParameterList(
            nn.Parameter(unit_norm(D.detach().clone()), requires_grad=False) for D in dictionaries
        )
        self.gains = nn.ParameterList(
            nn.Parameter(v.detach().clone().flatten(), requires_grad=False) for v in gains
        )
        self._known: dict[tuple[int, tuple[int, int], bool], Operator] = {}
        for i, _ in enumerate(layers):  # the vectors of power iteration, saved in checkpoints
            self.register_buffer(f"leading_{i}", torch.empty(0))

    def thresholds(self) -> list[float]:
        return [layer.threshold for layer in self.layers]

    def shapes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(H, W) of the image and of every code above it."""
        found = [size]
        for layer in self.layers:
            found.append((layer.side(found[-1][0]), layer.side(found[-1][1])))
        return found

    def gain(self, i: int) -> Tensor:
        """v of the input of layer ``i``, counted from 0: (1, C, 1, 1); 1 for the image."""
        if i == 0:
            D = self.dictionaries[0]
            return torch.ones(1, 1, 1, 1, dtype=D.dtype, device=D.device)
        v: Tensor = self.gains[i - 1]
        return v.reshape(1, -1, 1, 1)

    def operator(self, i: int, size: tuple[int, int], joint: bool) -> Operator:
        """D_i on inputs of ``size``, cached until the dictionary or a gain changes.

        ``joint``: D_i / v_{i-1}, with the gains below absorbed, so that it approximates g_{i-1}
        itself.
        """
        D, v = self.dictionaries[i], self.gain(i)
        moment = (D._version, D.data_ptr(), v._version if i else 0, D.dtype)
        key = (i, size, joint)
        known = self._known.get(key)
        if known is None or known.moment != moment:
            layer = self.layers[i]
            absorbed = D / v if joint else D
            known = Operator(absorbed.detach(), layer.stride, layer.padding, size, moment)
            self._known[key] = known
        return known

    def curvature(self, i: int, size: tuple[int, int], joint: bool) -> float:
        """The largest eigenvalue of D_i D_i^T on inputs of ``size``.

        Power iteration continues from its result for the previous dictionary, so it is fast during
        training. Its first start is random and depends only on ``i``.
        """
        operator = self.operator(i, size, joint)
        if operator.curvature is None:
            start = getattr(self, f"leading_{i}")
            vector = operator.leading(start if start.numel() else None, seed=i)
            setattr(self, f"leading_{i}", vector)
        assert operator.curvature is not None
        return operator.curvature

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Also load the vectors of power iteration, of any size."""
        for i, _ in enumerate(self.layers):
            name = f"leading_{i}"
            if (saved := state_dict.get(prefix + name)) is not None:
                setattr(self, name, saved.clone().to(self.dictionaries[0]))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def synthesis(self, i: int, g: Tensor, size: tuple[int, int]) -> Tensor:
        """D_i^T g: codes (B, K, h, w) of layer ``i`` -> its input (B, C, *size)."""
        operator = self.operator(i, size, joint=False)
        return operator.unfolded(operator.synthesis(g))

    def decode(self, g: Tensor, layer: int, size: tuple[int, int]) -> Tensor:
        """Decode codes ``g`` of ``layer``, counted from 1, to an image (B, C, *size).

        u_{j-1} = D_j^T g_j and g_{j-1} = u_{j-1} / v_{j-1}, down to the image. The published
        ``reconstruction`` omits the division.
        """
        shapes = self.shapes(size)
        for i in reversed(range(layer)):
            g = self.synthesis(i, g, shapes[i]) / self.gain(i)
        return g

    def projected(self, layer: int) -> Tensor:
        """The atoms of ``layer``, counted from 1, projected to image patches: (K, C, s, s)."""
        sides = [self.layers[layer - 1].kernel]
        for below in reversed(self.layers[: layer - 1]):
            sides.append((sides[-1] - 1) * below.stride + below.kernel)
        patch: Tensor = self.dictionaries[layer - 1].detach()
        for i in reversed(range(layer - 1)):
            patch = torch.conv_transpose2d(
                patch / self.gain(i + 1), self.dictionaries[i], stride=self.layers[i].stride
            )
        assert patch.shape[-1] == sides[-1]
        return patch


def unit_norm(D: Tensor) -> Tensor:
    """Every atom of D (K, C, k, k) divided by its norm."""
    norms: Tensor = D.flatten(1).norm(dim=1).clamp_min(torch.finfo(D.dtype).tiny)
    return D / norms[:, None, None, None]


def _check(
    layers: Sequence[Layer], dictionaries: Sequence[Tensor], gains: Sequence[Tensor]
) -> None:
    if not len(layers) == len(dictionaries) == len(gains):
        raise UserError(
            f"{len(layers)} layers, {len(dictionaries)} dictionaries and {len(gains)} gains: "
            "expected the same number of each"
        )
    below: int | None = None
    for i, (layer, D, v) in enumerate(zip(layers, dictionaries, gains, strict=True), 1):
        kind = (layer.atoms, below or "C", layer.kernel, layer.kernel)
        square = D.ndim == 4 and D.shape[2:] == (layer.kernel, layer.kernel)
        if not square or D.shape[0] != layer.atoms or D.shape[1] != (below or D.shape[1]):
            told = ", ".join(map(str, kind))
            raise UserError(f"dictionary {i} is {tuple(D.shape)}: expected ({told})")
        if v.numel() != layer.atoms or not bool((v > 0).all()):
            raise UserError(f"gains {i} are {tuple(v.shape)}: expected {layer.atoms} numbers > 0")
        if not bool(D.isfinite().all()) or not bool((D.flatten(1).norm(dim=1) > 0).all()):
            raise UserError(f"dictionary {i} has an atom that is zero or not finite")
        below = layer.atoms
