"""A GAN's step as a tutorial writes it, to compare the program's own step with."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Told:
    """What a step computed: losses by name, and the gradients of both players by weight."""

    losses: dict[str, float]
    gradients: dict[str, Tensor]


def gradients(**players: nn.Module) -> dict[str, Tensor]:
    return {
        f"{who}.{name}": p.grad.clone()
        for who, player in players.items()
        for name, p in player.named_parameters()
        if p.grad is not None
    }


def plain_step(
    players: tuple[nn.Module, nn.Module],
    forward: tuple[Callable[..., Tensor], Callable[..., Tensor]],
    losses: tuple[Callable[..., Tensor], Callable[..., Tensor]],
    penalty: tuple[str, Callable[[Tensor, Tensor], Tensor]],
    real: Tensor,
    z: Tensor,
    lr_D: float,
) -> Told:
    """One step of D by plain gradient descent, then the gradients of G.

    ``forward``: (G, z) -> images and (D, x) -> logits; ``losses``: of D, and of G; ``penalty``: its
    name, and a function of the reals and their logits.
    """
    (G, D), (draw, judge), (loss_D, loss_G) = players, forward, losses
    real = real.clone().requires_grad_()
    fake = draw(G, z)
    on_real, on_fake = judge(D, real), judge(D, fake.detach())
    d = loss_D(on_real, on_fake)
    name, pay = penalty
    paid = pay(real, on_real)
    (d + paid).backward()
    found = gradients(D=D)
    with torch.no_grad():
        for p in D.parameters():
            if p.grad is not None:
                p -= lr_D * p.grad
    g = loss_G(judge(D, fake))
    g.backward()
    losses_ = {"loss_D": d.item(), name: paid.item(), "loss_G": g.item()}
    return Told(losses_, found | gradients(G=G))


def check_close(ours: Told, theirs: Told) -> None:
    """Equal to 1e-5, of the largest gradient of each weight.

    A gradient that is the small sum of large parts, such as that of one number, may differ by 1e-5
    of a tenth of the largest of its player.
    """
    largest = {
        player: max(
            grad.abs().max() for name, grad in theirs.gradients.items() if name[0] == player
        )
        for player in {name[0] for name in theirs.gradients}
    }
    for name, value in theirs.losses.items():
        assert abs(ours.losses[name] - value) <= 1e-5 * max(1.0, abs(value)), name
    assert ours.gradients.keys() == theirs.gradients.keys()
    for name, grad in theirs.gradients.items():
        far = (ours.gradients[name] - grad).abs().max()
        allowed = 1e-5 * max(grad.abs().max(), largest[name[0]] / 10)
        assert far <= allowed, (name, float(far), float(allowed))
