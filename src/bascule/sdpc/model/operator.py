"""One dictionary as a linear map: D^T makes an input of codes, D finds codes in an input.

Both are convolutions, and on a CPU half of their time is a matter of form. A strided kernel on
three colours leaves most of a vector register empty. Folded, it is dense: the pixels of a
``stride`` x ``stride`` square become channels (pixel unshuffle), the stride becomes 1, the kernel
shrinks as much, and the sums are the same. The first layer stays in the folded form throughout.
"""

from __future__ import annotations

from copy import copy
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import generator

FEW_CHANNELS = 16  # a vector register's worth of fp32
MARGIN = 1.01  # power iteration approaches the largest eigenvalue from below
TOLERANCE = 1e-5  # of the eigenvalue, from one iteration to the next
MOST_ITERATIONS = 1000

Moment = tuple[Any, ...]  # what changes when a dictionary or a gain does


class Operator:
    """D: (K, C, k, k) with its stride and padding, on inputs of one ``size`` (H, W).

    ``moment`` says of which dictionary it was made. Inputs and residuals stand in the operator's
    own form: ``folded(u)`` -> ``synthesis``, ``analysis`` -> ``unfolded``.
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
        """An input (B, C, H, W) in the form in which this operator works."""
        if self.fold == 1:
            return u
        p, q = self.padding, self.padding + self.more
        return F.pixel_unshuffle(F.pad(u, (p, q, p, q)), self.fold)

    def unfolded(self, u: Tensor) -> Tensor:
        """Back to (B, C, H, W)."""
        if self.fold == 1:
            return u
        p, (H, W) = self.padding, self.size
        return F.pixel_shuffle(u, self.fold)[..., p : p + H, p : p + W]

    def synthesis(self, g: Tensor) -> Tensor:
        """D^T g, (B, K, h, w) -> folded (B, C', H', W')."""
        padding = 0 if self.fold > 1 else self.padding
        g = g.to(self.D.dtype)
        if self.stride > 1:  # oneDNN is twice as fast at it in NHWC
            g = g.contiguous(memory_format=torch.channels_last)
        made = F.conv_transpose2d(g, self.D_back, stride=self.stride, padding=padding)
        made = made.contiguous()
        return made if self.mask is None else made.mul_(self.mask)

    def analysis(self, u: Tensor, more: Tensor | None = None) -> Tensor:
        """D u + more, folded (B, C', H', W') -> (B, K, h, w); ``more``: one number an atom.

        What is padding in ``u`` must be 0.
        """
        padding = 0 if self.fold > 1 else self.padding
        return F.conv2d(
            u.to(self.D.dtype).contiguous(), self.D, more, stride=self.stride, padding=padding
        )

    def rounded(self) -> Operator:
        """The same with its kernels in bfloat16; what it is given is rounded too."""
        other = copy(self)
        other.D, other.D_back = self.D.bfloat16(), self.D_back.bfloat16()
        return other

    def leading(self, start: Tensor | None, seed: int) -> Tensor:
        """Power iteration on D D^T: sets ``curvature``, an upper bound of its largest eigenvalue
        in practice, and returns the vector where it ended, (1, K, h, w)."""
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
