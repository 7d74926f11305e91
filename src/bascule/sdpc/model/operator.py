"""One dictionary as a linear map: D^T maps codes to an input, D maps an input to codes.

Both are convolutions. On a CPU, folding makes them twice as fast: a strided kernel on three colour
channels leaves most of a vector register unused. In the folded form, the pixels of a ``stride`` x
``stride`` square become channels (pixel unshuffle), the stride becomes 1, the kernel shrinks by the
stride, and the sums are the same. The first layer always uses the folded form.
"""

from __future__ import annotations

from copy import copy
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import generator

FEW_CHANNELS = 16  # fp32 numbers in a vector register
MARGIN = 1.01  # power iteration approaches the largest eigenvalue from below
TOLERANCE = 1e-5  # relative change of the eigenvalue from one iteration to the next
MOST_ITERATIONS = 1000

Moment = tuple[Any, ...]  # what changes when a dictionary or a gain does


class Operator:
    """D: (K, C, k, k) with its stride and padding, on inputs of one ``size`` (H, W).

    ``moment`` identifies the version of the dictionary. Inputs and residuals have the operator's
    own form: :meth:`folded` converts to it, :meth:`unfolded` back.
    """

    def __init__(
        self, D: Tensor, stride: int, padding: int, size: tuple[int, int], moment: Moment = ()
    ) -> None:
        self.moment, self.size = moment, size
        self.curvature: float | None = None
        self.padding = padding
        self.fold = stride if stride > 1 and D.shape[1] < FEW_CHANNELS else 1
        self.stride = stride // self.fold
        self.mask: Tensor | None = None
        if self.fold > 1:
            k = D.shape[-1]
            self.more = -k % stride  # rows that fill the last square
            D = F.pixel_unshuffle(F.pad(D, (0, self.more, 0, self.more)), stride)
            if padding or self.more:
                self.mask = self.folded(D.new_ones(1, 1, *size))
                self.mask = self.mask.repeat(1, D.shape[1] // self.mask.shape[1], 1, 1)
        K, h, w = D.shape[0], *self.code_size(D)
        self.codes = (K, h, w)
        self.D = D.contiguous()
        layout = torch.channels_last if self.stride > 1 else torch.contiguous_format
        self.D_back = D.contiguous(memory_format=layout)

    def code_size(self, D: Tensor) -> tuple[int, int]:
        if self.fold > 1:
            H, W = (n + 2 * self.padding + self.more for n in self.size)
            return H // self.fold - D.shape[-1] + 1, W // self.fold - D.shape[-1] + 1
        H, W = (n + 2 * self.padding - D.shape[-1] for n in self.size)
        return H // self.stride + 1, W // self.stride + 1

    def folded(self, u: Tensor) -> Tensor:
        """An input (B, C, H, W) in the operator's own form."""
        if self.fold == 1:
            return u
        p, q = self.padding, self.padding + self.more
        return F.pixel_unshuffle(F.pad(u, (p, q, p, q)), self.fold)

    def unfolded(self, u: Tensor) -> Tensor:
        """From the operator's own form to (B, C, H, W)."""
        if self.fold == 1:
            return u
        p, (H, W) = self.padding, self.size
        return F.pixel_shuffle(u, self.fold)[..., p : p + H, p : p + W]

    def synthesis(self, g: Tensor) -> Tensor:
        """D^T g, (B, K, h, w) -> folded (B, C', H', W')."""
        padding = 0 if self.fold > 1 else self.padding
        g = g.to(self.D.dtype)
        if self.stride > 1:  # twice as fast in NHWC with oneDNN
            g = g.contiguous(memory_format=torch.channels_last)
        made = F.conv_transpose2d(g, self.D_back, stride=self.stride, padding=padding)
        made = made.contiguous()
        return made if self.mask is None else made.mul_(self.mask)

    def analysis(self, u: Tensor, more: Tensor | None = None) -> Tensor:
        """D u + more, folded (B, C', H', W') -> (B, K, h, w); ``more``: one number per atom.

        The padding in ``u`` must be 0.
        """
        padding = 0 if self.fold > 1 else self.padding
        return F.conv2d(
            u.to(self.D.dtype).contiguous(), self.D, more, stride=self.stride, padding=padding
        )

    def rounded(self) -> Operator:
        """The same operator with kernels in bfloat16; its inputs are rounded too."""
        other = copy(self)
        other.D, other.D_back = self.D.bfloat16(), self.D_back.bfloat16()
        return other

    def leading(self, start: Tensor | None, seed: int) -> Tensor:
        """Power iteration on D D^T: sets ``curvature`` and returns its last vector, (1, K, h, w).

        ``curvature`` is the largest eigenvalue times ``MARGIN``, in practice an upper bound.
        """
        g = start
        if g is None or g.shape[1:] != self.codes:
            g = torch.rand(1, *self.codes, generator=generator("power iteration", seed))
        g = g.to(self.D)
        g, before = g / g.norm(), inf
        for _ in range(MOST_ITERATIONS):
            g = self.analysis(self.synthesis(g))
            now = float(g.norm())
            g = g / now
            if abs(now - before) <= TOLERANCE * now:
                break
            before = now
        self.curvature = MARGIN * now
        return g
