"""Inference of codes: accelerated proximal gradient steps, layer after layer.

With residuals e_i = u_{i-1} - D_i^T g_i and feedback f_i = g_i - D_{i+1}^T g_{i+1} / v_i, layer i
moves by

    g_i  <-  relu( z_i - (D-gradient + lambda_i) / L_i ),   D-gradient = -D_i e_i + k_fb f_i,

the exact gradient of F_i = 1/2 |e_i|^2 + k_fb/2 |f_i|^2, and z_i is g_i extrapolated by Nesterov's
momentum (Beck and Teboulle 2009). Layers are updated in turn, from the image up, and each uses the
updated codes of the layer below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.sdpc.model.network import Network
from bascule.sdpc.model.operator import Operator

FIRST_STOP = 5  # the published rule does not stop before this iteration


@dataclass(frozen=True)
class Inference:
    """The settings of inference.

    mode        "joint": minimises one convex energy, E = sum_i k_fb^(i-1) (1/2 |e_i / v_{i-1}|^2 +
                lambda_i |g_i|_1). Feedback is part of its gradient. The limit k_fb -> 0 is a chain
                of layers without feedback.
                "published": the dynamics of Boutin et al. 2021. Each layer minimises its own F_i.
                The error between two layers has the weight k_fb / v^2 in F_i and 1 in F_{i+1}, so
                there is no common energy that decreases.
    k_fb        strength of the feedback; 0: none.
    tolerance   an image has settled below this value. "joint": its largest violation of the
                optimality conditions, relative to the threshold; "published": the largest relative
                change of its energies F_i from one iteration to the next.
    momentum    without it every step decreases the joint energy.
    step_sizes  1 / L_i for each layer; None: from the largest eigenvalues.
    stop        "sample": every image stops by itself; "batch", as published: all images stop when
                the energies of the whole batch have settled.
    returns     "proximal": non-negative codes; "extrapolated": z, as published.
    precision   precision of the convolutions; codes and energies stay in fp32.
    compile     use torch.compile for the iteration (needs a C++ compiler); ignored on CUDA, where
                a CUDA graph is used.
    """

    mode: Literal["joint", "published"] = "joint"
    k_fb: float = 1.0
    tolerance: float = 1e-2
    max_iterations: int = 1000
    momentum: bool = True
    step_sizes: tuple[float, ...] | None = None
    stop: Literal["sample", "batch"] = "sample"
    returns: Literal["proximal", "extrapolated"] = "proximal"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        self._expect("k_fb", 0 <= self.k_fb < float("inf"), "a number >= 0")
        self._expect("tolerance", self.tolerance >= 0, "a number >= 0")
        self._expect("max_iterations", self.max_iterations >= 1, "a whole number >= 1")
        self._expect("step_sizes", min(self.step_sizes or (1.0,)) > 0, "numbers > 0")
        for name, alone in (("stop", "batch"), ("returns", "extrapolated")):
            here = self.mode == "published" or getattr(self, name) != alone
            self._expect(name, here, f"that only with mode='published', not {self.mode!r}")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise UserError(f"Inference({name}={getattr(self, name)!r}): expected {expected}")

    def replace(self, **differences: Any) -> Inference:
        """The same with some fields replaced."""
        return replace(self, **differences)


@dataclass(frozen=True)
class Codes:
    """The result of inference on a batch.

    maps        the codes g_i: (B, K_i, h_i, w_i), one per layer.
    iterations  (B,), the number of iterations of each image.
    settled     (B,), whether each image met the tolerance before ``max_iterations``.
    """

    maps: tuple[Tensor, ...]
    iterations: Tensor
    settled: Tensor


def step_sizes(network: Network, size: tuple[int, int], how: Inference) -> tuple[float, ...]:
    """1 / L_i of every layer on images of ``size`` (H, W).

    Pass them to ``Inference`` if inference must be bit-identical. Otherwise the step sizes vary
    slightly, because power iteration continues from its last result.
    """
    return tuple(_prepared(network, size, how)[1])


@torch.no_grad()
def infer(
    network: Network,
    x: Tensor,
    how: Inference = Inference(),
    start: Sequence[Tensor] | None = None,
    watch: Callable[[Sequence[Tensor]], None] | None = None,
) -> Codes:
    """Codes of images x: (B, C, H, W), starting from 0 or from the codes ``start``.

    The codes of an image do not depend on the other images of the batch (except for rounding of
    convolutions, about 1e-7), unless ``stop="batch"``. ``watch`` is called with the codes after
    every iteration. Images that have settled may be missing there, so use a tolerance of 0 with it.
    Raises :class:`UserError` for images that do not fit the network, or are not finite.
    """
    size = _checked(network, x, how, start)
    operators, steps = _prepared(network, size, how)
    layers = zip(operators, network.layers, strict=True)
    rules = _Rules(
        tuple(operators),
        tuple(None if how.mode == "joint" or not i else network.gain(i) for i in range(len(steps))),
        tuple(steps),
        tuple(network.thresholds()),
        tuple(
            op.D.new_full((layer.atoms,), -layer.threshold) if op.D.dtype == x.dtype else None
            for op, layer in layers
        ),
        how,
    )
    if start is None:
        g = [x.new_zeros(len(x), *operator.codes) for operator in operators]
    else:
        g = [given.to(x).clone() for given in start]
    moving = _Moving(
        operators[0].folded(x), g, [g_i.clone() for g_i in g], x.new_ones(len(x), len(g))
    )
    turn = _turn_for(rules, moving)
    out = [given.clone() for given in g]
    iterations = torch.full((len(x),), how.max_iterations, device=x.device)
    settled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    left = torch.arange(len(x), device=x.device)  # indices of images that have not settled
    before: Tensor | None = None
    for iteration in range(1, how.max_iterations + 1):
        moving, told = turn(rules, moving)
        if watch is not None:
            watch(moving.g)
        rests = rules.rests(told, before, iteration)
        before = told
        ended = rests & ~settled[left]
        settled[left[ended]] = True
        iterations[left[ended]] = iteration
        if iteration == how.max_iterations:
            ended |= ~settled[left]
        if bool(ended.any()):
            for kept, g_i, z_i in zip(out, moving.g, moving.z, strict=True):
                kept[left[ended]] = (g_i if how.returns == "proximal" else z_i)[ended]
        still = ~settled[left]
        if not bool(still.any()):
            break
        # The other images continue as a smaller batch; on CUDA the recorded graph keeps its size.
        if not x.is_cuda and 2 * int(still.sum()) <= len(left):
            moving, before, left = moving.only(still), before[still], left[still]
    return Codes(tuple(out), iterations, settled)


def unrolled(
    network: Network, x: Tensor, how: Inference, steps: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Codes g_i after ``steps`` plain proximal steps on images x (B, C, H, W), and their residuals.

    Differentiable with respect to x: every step is unrolled, in "joint" mode and without momentum.
    Only k_fb and step_sizes of ``how`` are used. The start is one step of each layer from 0, g_i =
    relu((D_i g_{i-1} - lambda_i) / L_i). Residuals are x - D_1^T g_1, and g_{i-1} - D_i^T g_i /
    v_{i-1} above it.
    """
    how = how.replace(mode="joint", precision="fp32")
    operators, rates = _prepared(network, (x.shape[-2], x.shape[-1]), how)
    prices = network.thresholds()
    g: list[Tensor] = []
    below = x
    for operator, rate, price in zip(operators, rates, prices, strict=True):
        below = (rate * (operator.analysis(operator.folded(below)) - price)).relu()
        g.append(below)
    e = _residuals(operators, x, g)
    for _ in range(steps):
        below = x
        for i, (operator, rate, price) in enumerate(zip(operators, rates, prices, strict=True)):
            left = below - operator.unfolded(operator.synthesis(g[i]))
            uphill = operator.analysis(operator.folded(left)) - price
            if i + 1 < len(g) and how.k_fb:
                uphill = uphill - how.k_fb * e[i + 1]
            below = g[i] = (g[i] + rate * uphill).relu()
        e = _residuals(operators, x, g)
    return g, e


def _residuals(operators: Sequence[Operator], x: Tensor, g: Sequence[Tensor]) -> list[Tensor]:
    """The residual of each layer: its input minus the reconstruction of it."""
    return [
        below - operator.unfolded(operator.synthesis(codes))
        for operator, below, codes in zip(operators, [x, *g[:-1]], g, strict=True)
    ]


@dataclass
class _Moving:
    """The variables of inference: codes g, extrapolated codes z, momentum's counters t (B, layers).

    ``x``: the folded images.
    """

    x: Tensor
    g: list[Tensor]
    z: list[Tensor]
    t: Tensor

    def only(self, which: Tensor) -> _Moving:
        g, z = ([maps[which] for maps in both] for both in (self.g, self.z))
        return _Moving(self.x[which], g, z, self.t[which])


@dataclass(frozen=True)
class _Rules:
    """The constants of inference.

    gains   v of each layer's input; None if it is 1.
    steps   1 / L_i.
    prices  -lambda of every atom, added as the bias of a convolution, which costs no time; None
            where that would cause rounding.
    """

    operators: tuple[Operator, ...]
    gains: tuple[Tensor | None, ...]
    steps: tuple[float, ...]
    thresholds: tuple[float, ...]
    prices: tuple[Tensor | None, ...]
    how: Inference

    def rests(self, told: Tensor, before: Tensor | None, iteration: int) -> Tensor:
        """Which images have settled, (B,). ``told``: (B, layers), from :func:`_turn`."""
        if self.how.mode == "joint":
            # A layer with threshold 0 uses the smallest threshold of the others, or 1.
            strictest = min([lam for lam in self.thresholds if lam] or [1.0])
            limits = [
                step * (lam or strictest)
                for step, lam in zip(self.steps, self.thresholds, strict=True)
            ]
            return (told <= self.how.tolerance * told.new_tensor(limits)).all(1)
        if before is None or iteration < FIRST_STOP:
            return told.new_zeros(len(told), dtype=torch.bool)
        if self.how.stop == "batch":
            told, before = told.sum(0, keepdim=True), before.sum(0, keepdim=True)
        at_rest = ((told - before).abs() <= self.how.tolerance * before).all(1)
        return at_rest.expand(len(told)) if self.how.stop == "sample" else at_rest


def _turn(rules: _Rules, moving: _Moving) -> tuple[_Moving, Tensor]:
    """One iteration: every layer takes one step, from the image up.

    Returns the new variables and a stopping criterion for every image and layer, (B, layers). In
    "published" mode it is the energy F_i before the step. In "joint" mode it is the largest |z -
    relu(step from z)|, which is 1 / L_i times the violation of the optimality conditions at z.
    """
    how, top = rules.how, len(rules.operators) - 1
    g, z, t, told = list(moving.g), list(moving.z), [], []
    made = [op.synthesis(z_i).to(z_i.dtype) for op, z_i in zip(rules.operators, z, strict=True)]
    below = moving.x
    for i, operator in enumerate(rules.operators):
        # The layer below has used made[i] already, so it can be overwritten by the residual.
        e = torch.sub(below, made[i], out=made[i])
        uphill = operator.analysis(e, rules.prices[i]).to(e.dtype)
        if rules.prices[i] is None:
            uphill.sub_(rules.thresholds[i])  # now uphill is D e - lambda
        F = _squares(e) if how.mode == "published" else None
        if i < top and how.k_fb:
            f = rules.operators[i + 1].unfolded(made[i + 1])
            gain = rules.gains[i + 1]
            f = z[i] - f if gain is None else torch.addcmul(z[i], f, 1 / gain, value=-1)
            uphill.sub_(f, alpha=how.k_fb)
            F = F if F is None else F + how.k_fb * _squares(f)
        new = torch.add(z[i], uphill, alpha=rules.steps[i], out=uphill).relu_()
        clock = moving.t[:, i]
        faster = (1 + (1 + 4 * clock**2).sqrt()) / 2
        ahead = (clock - 1) / faster if how.momentum else torch.zeros_like(clock)
        if F is None:
            short = z[i] - new
            told.append(_largest(short))
            # Restart momentum where it points uphill (O'Donoghue and Candes 2015, section 3.2).
            wrong = ((new - g[i]).mul_(short)).sum((1, 2, 3)) > 0
            ahead, faster = ahead.masked_fill(wrong, 0.0), faster.masked_fill(wrong, 1.0)
        else:
            told.append(0.5 * F)
        torch.lerp(g[i], new, 1 + ahead.reshape(-1, 1, 1, 1), out=z[i])
        g[i] = new
        t.append(faster)
        if i < top:
            gain = rules.gains[i + 1]
            below = rules.operators[i + 1].folded(z[i] if gain is None else z[i] * gain)
    return _Moving(moving.x, g, z, torch.stack(t, 1)), torch.stack(told, 1)


def _largest(x: Tensor) -> Tensor:
    """The largest |x| of each image, (B,); ten times as fast as a norm on a CPU."""
    return torch.maximum(x.amax((1, 2, 3)), -x.amin((1, 2, 3)))


def _squares(x: Tensor) -> Tensor:
    """The sum of squares of each image, (B,)."""
    squares: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3)).square()
    return squares


Turn = Callable[[_Rules, _Moving], tuple[_Moving, Tensor]]


def _turn_for(rules: _Rules, moving: _Moving) -> Turn:
    """The fastest implementation of an iteration for a batch like ``moving``."""
    if moving.x.is_cuda:
        return _Recorded(rules, moving)
    return _compiled() if rules.how.compile else _turn


class _Recorded:
    """An iteration as a CUDA graph, which updates the tensors of ``moving`` in place.

    Launching its many small kernels one by one would take far longer than running them.
    """

    def __init__(self, rules: _Rules, moving: _Moving) -> None:
        self.moving = moving
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries must be initialised before the recording
            z = [z_i.clone() for z_i in moving.z]
            _turn(rules, _Moving(moving.x, moving.g, z, moving.t))
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            after, self.told = _turn(rules, moving)
            for place, then in zip((*moving.g, moving.t), (*after.g, after.t), strict=True):
                place.copy_(then)

    def __call__(self, rules: _Rules, moving: _Moving) -> tuple[_Moving, Tensor]:
        self.graph.replay()
        return self.moving, self.told.clone()


@cache
def _compiled() -> Turn:
    return torch.compile(_turn)


@torch.no_grad()
def energies(
    network: Network, x: Tensor, codes: Sequence[Tensor], how: Inference = Inference()
) -> Tensor:
    """The energy terms of the codes of images x: (B, layers, 3).

    The last axis has 1/2 |e_i|^2, the error of a layer's reconstruction of its input; k_fb/2
    |f_i|^2, its distance from the prediction of the layer above (0 for the last layer); and
    lambda_i |g_i|_1. In "joint" mode the energy is :func:`joint_energy` of them.
    """
    operators, _ = _prepared(network, (x.shape[-2], x.shape[-1]), how)
    made = [op.unfolded(op.synthesis(g)).to(x) for op, g in zip(operators, codes, strict=True)]
    found, below = [], x
    for i, (g, layer) in enumerate(zip(codes, network.layers, strict=True)):
        left = 0.5 * (below - made[i]).square().sum((1, 2, 3))
        back = torch.zeros_like(left)
        if i + 1 < len(codes):
            gain = 1.0 if how.mode == "joint" else network.gain(i + 1)
            back = 0.5 * how.k_fb * (g - made[i + 1] / gain).square().sum((1, 2, 3))
            below = g * gain
        found.append(torch.stack([left, back, layer.threshold * g.abs().sum((1, 2, 3))], 1))
    return torch.stack(found, 1)


def joint_energy(parts: Tensor, k_fb: float) -> Tensor:
    """The joint energy E, (B,), from the ``parts`` of :func:`energies` in "joint" mode.

    E = sum_i k_fb^(i-1) (1/2 |e_i|^2 + lambda_i |g_i|_1). The feedback term of a layer equals the
    error of the layer above, so it is counted only once.
    """
    weights = parts.new_tensor([k_fb**i for i in range(parts.shape[1])])
    return ((parts[..., 0] + parts[..., 2]) * weights).sum(1)


def _prepared(
    network: Network, size: tuple[int, int], how: Inference
) -> tuple[list[Operator], list[float]]:
    """The operators of every layer and their step sizes 1 / L_i.

    L_i is the largest eigenvalue of D_i D_i^T. In "joint" mode k_fb, the curvature of the feedback,
    is added, so that a step never overshoots.
    """
    joint = how.mode == "joint"
    operators, steps = [], []
    for i, shape in enumerate(network.shapes(size)[:-1]):
        operators.append(network.operator(i, shape, joint))
        if how.step_sizes is None:
            feedback = how.k_fb if joint and i + 1 < len(network.layers) else 0.0
            steps.append(1 / (network.curvature(i, shape, joint) + feedback))
    if how.precision == "bf16":
        operators = [operator.rounded() for operator in operators]
    if how.step_sizes is not None:
        if len(how.step_sizes) != len(operators):
            raise UserError(f"step_sizes={how.step_sizes}: expected {len(operators)} numbers")
        steps = list(how.step_sizes)
    return operators, steps


def _checked(
    network: Network, x: Tensor, how: Inference, start: Sequence[Tensor] | None
) -> tuple[int, int]:
    """The size (H, W) of images x; raises :class:`UserError` if they do not fit the network."""
    D = network.dictionaries[0]
    if x.ndim != 4 or x.shape[1] != D.shape[1]:
        raise UserError(
            f"images are {tuple(x.shape)}: expected (B, {D.shape[1]}, H, W) for this network"
        )
    if x.dtype != D.dtype:
        raise UserError(f"images are {x.dtype} and dictionaries are {D.dtype}: convert one of them")
    if not bool(x.isfinite().all()):
        bad = (~x.isfinite().flatten(1).all(1)).nonzero()[0].item()
        raise UserError(f"image {bad} of the batch has values that are not finite: remove it")
    size = (x.shape[-2], x.shape[-1])
    shapes = network.shapes(size)
    if start is not None:
        expected = [
            (len(x), layer.atoms, *s) for layer, s in zip(network.layers, shapes[1:], strict=True)
        ]
        given = [tuple(g.shape) for g in start]
        if given != expected:
            raise UserError(f"the start is {given}: expected {expected}, the codes of these images")
    return size
