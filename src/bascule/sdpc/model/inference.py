"""How a network settles on an image: accelerated proximal gradient steps, layer after layer.

With residuals e_i = u_{i-1} - D_i^T g_i and feedback f_i = g_i - D_{i+1}^T g_{i+1} / v_i, layer i
moves by

    g_i  <-  relu( z_i - (D-gradient + lambda_i) / L_i ),   D-gradient = -D_i e_i + k_fb f_i,

the exact gradient of F_i = 1/2 |e_i|^2 + k_fb/2 |f_i|^2, and z_i runs ahead of g_i by Nesterov's
momentum (Beck and Teboulle 2009). Layers take turns, each seeing what the one below just became.
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

FIRST_STOP = 5  # the published rule stops at no earlier iteration


@dataclass(frozen=True)
class Inference:
    """How to settle.

    mode        "joint": one convex energy, E = sum_i k_fb^(i-1) (1/2 |e_i / v_{i-1}|^2 +
                lambda_i |g_i|_1). Feedback is its gradient, its minimum is what is looked for, and
                k_fb -> 0 is a chain of layers without feedback.
                "published": the dynamics of Boutin et al. 2021. Each layer descends an F_i of its
                own; F_i counts what lies between two layers with k_fb / v^2, F_{i+1} with 1, so
                it is a game between the layers and no energy falls.
    k_fb        strength of the feedback; 0: none.
    tolerance   when an image has settled. "joint": its largest violation of the optimality
                conditions, as a share of the threshold; "published": the largest relative change
                of its energies F_i from one iteration to the next.
    momentum    without it every step lowers the joint energy.
    step_sizes  1 / L_i for each layer; None: from the largest eigenvalues.
    stop        "sample", or "batch" as published: all stop when the energies of all together rest.
    returns     "proximal", non-negative codes, or "extrapolated", z as published.
    precision   of the convolutions; codes and energies stay fp32.
    compile     the iteration with torch.compile (needs a C++ compiler); no matter on CUDA, where a
                turn is recorded.
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
    """Where a batch settled.

    maps        g_i: (B, K_i, h_i, w_i), one a layer.
    iterations  (B,), of each image.
    settled     (B,), whether it met the tolerance before ``max_iterations``.
    """

    maps: tuple[Tensor, ...]
    iterations: Tensor
    settled: Tensor


def step_sizes(network: Network, size: tuple[int, int], how: Inference) -> tuple[float, ...]:
    """1 / L_i of every layer on images of ``size``: give them to ``Inference`` where inference must
    be the same to the last bit, for power iteration goes on from where it ended before."""
    return tuple(_prepared(network, size, how)[1])


@torch.no_grad()
def infer(
    network: Network,
    x: Tensor,
    how: Inference = Inference(),
    start: Sequence[Tensor] | None = None,
    watch: Callable[[Sequence[Tensor]], None] | None = None,
) -> Codes:
    """Codes of the images x: (B, C, H, W), from zero or from ``start`` (codes of such images).

    An image's codes never depend on the others of its batch (but for the rounding of convolutions,
    some 1e-7), unless ``stop="batch"`` asks for it. ``watch`` is shown the codes after every
    iteration; those of images that have settled may be left out, so give it a tolerance of 0.
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
    left = torch.arange(len(x), device=x.device)  # which images still move
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
        # The others go on as a smaller batch; on CUDA a recorded turn keeps its size.
        if not x.is_cuda and 2 * int(still.sum()) <= len(left):
            moving, before, left = moving.only(still), before[still], left[still]
    return Codes(tuple(out), iterations, settled)


def unrolled(
    network: Network, x: Tensor, how: Inference, steps: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Codes g_i after ``steps`` plain proximal steps on images x (B, C, H, W), and their residuals.

    Differentiable with respect to x: every step is unrolled, by the "joint" rule and without
    momentum; of ``how``, k_fb and step_sizes are read. It starts at what each layer alone would do
    in one step from 0, g_i = relu((D_i g_{i-1} - lambda_i) / L_i). Residuals: x - D_1^T g_1, and
    g_{i-1} - D_i^T g_i / v_{i-1} above it.
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
    """What each layer leaves unexplained of the one below."""
    return [
        below - operator.unfolded(operator.synthesis(codes))
        for operator, below, codes in zip(operators, [x, *g[:-1]], g, strict=True)
    ]


@dataclass
class _Moving:
    """What changes while a batch settles: the codes g, the points z ahead of them, and momentum's
    clocks t, (B, layers). ``x``: the images, folded."""

    x: Tensor
    g: list[Tensor]
    z: list[Tensor]
    t: Tensor

    def only(self, which: Tensor) -> _Moving:
        g, z = ([maps[which] for maps in both] for both in (self.g, self.z))
        return _Moving(self.x[which], g, z, self.t[which])


@dataclass(frozen=True)
class _Rules:
    """What does not change.

    gains   v of what each layer explains; None where it is 1.
    steps   1 / L_i.
    prices  -lambda of every atom, as a convolution adds it for nothing; None where it would round.
    """

    operators: tuple[Operator, ...]
    gains: tuple[Tensor | None, ...]
    steps: tuple[float, ...]
    thresholds: tuple[float, ...]
    prices: tuple[Tensor | None, ...]
    how: Inference

    def rests(self, told: Tensor, before: Tensor | None, iteration: int) -> Tensor:
        """Which images have settled, (B,). ``told``, (B, layers), as :func:`_turn` gives it."""
        if self.how.mode == "joint":
            # A layer without a price is held to the strictest of the others, or to 1.
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
    """One iteration: every layer takes a step, from the image up.

    Returns what moved, and for every image and layer, (B, layers), what tells whether it rests: in
    "published" mode the energy F_i where the step began, in "joint" mode the largest
    |z - relu(step from z)|, which is 1 / L_i times the violation of the optimality conditions at z.
    """
    how, top = rules.how, len(rules.operators) - 1
    g, z, t, told = list(moving.g), list(moving.z), [], []
    made = [op.synthesis(z_i).to(z_i.dtype) for op, z_i in zip(rules.operators, z, strict=True)]
    below = moving.x
    for i, operator in enumerate(rules.operators):
        # The layer below has read made[i] already, so it may become the residual.
        e = torch.sub(below, made[i], out=made[i])
        uphill = operator.analysis(e, rules.prices[i]).to(e.dtype)
        if rules.prices[i] is None:
            uphill.sub_(rules.thresholds[i])  # now it is D e - lambda
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
            # Momentum begins anew where it leads uphill (O'Donoghue and Candes 2015, section 3.2).
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
    """The largest |x| of each image of the batch, (B,); on a CPU ten times as fast as a norm."""
    return torch.maximum(x.amax((1, 2, 3)), -x.amin((1, 2, 3)))


def _squares(x: Tensor) -> Tensor:
    """The sum of squares of each image of the batch, (B,)."""
    squares: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3)).square()
    return squares


Turn = Callable[[_Rules, _Moving], tuple[_Moving, Tensor]]


def _turn_for(rules: _Rules, moving: _Moving) -> Turn:
    """How a batch that begins with ``moving`` is best moved."""
    if moving.x.is_cuda:
        return _Recorded(rules, moving)
    return _compiled() if rules.how.compile else _turn


class _Recorded:
    """A turn on CUDA, recorded once and played again: to launch its many small kernels one by one
    takes far longer than they do. It moves the very tensors of ``moving``."""

    def __init__(self, rules: _Rules, moving: _Moving) -> None:
        self.moving = moving
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries must have begun before a recording does
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
    """What the codes of images x cost, for every image: (B, layers, 3).

    The last axis: 1/2 |e_i|^2, what a layer leaves unexplained of its input; k_fb/2 |f_i|^2, how
    far it is from what the layer above expects (0 for the last); lambda_i |g_i|_1. In "joint" mode
    the energy is :func:`joint_energy` of them.
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
    """E, (B,), of the ``parts`` that :func:`energies` gives in "joint" mode.

    E = sum_i k_fb^(i-1) (1/2 |e_i|^2 + lambda_i |g_i|_1); what feedback costs a layer is what the
    layer above leaves unexplained, so it is counted once.
    """
    weights = parts.new_tensor([k_fb**i for i in range(parts.shape[1])])
    return ((parts[..., 0] + parts[..., 2]) * weights).sum(1)


def _prepared(
    network: Network, size: tuple[int, int], how: Inference
) -> tuple[list[Operator], list[float]]:
    """The operators of every layer and their step sizes 1 / L_i.

    L_i is the largest eigenvalue of D_i D_i^T; in "joint" mode k_fb is added, the curvature of the
    feedback, so that a step never overshoots.
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
            raise UserError(f"step_sizes={how.step_sizes}: expected {len(operators)}, one a layer")
        steps = list(how.step_sizes)
    return operators, steps


def _checked(
    network: Network, x: Tensor, how: Inference, start: Sequence[Tensor] | None
) -> tuple[int, int]:
    """The size (H, W) of images that this network can settle on."""
    D = network.dictionaries[0]
    if x.ndim != 4 or x.shape[1] != D.shape[1]:
        raise UserError(
            f"images are {tuple(x.shape)}: expected (B, {D.shape[1]}, H, W) for this network"
        )
    if x.dtype != D.dtype:
        raise UserError(f"images are {x.dtype} and the dictionaries {D.dtype}: convert one of them")
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
