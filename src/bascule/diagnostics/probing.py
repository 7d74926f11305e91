"""Measures D and G under the conditions of training, without changing them.

The conditions are those of training: batch statistics and power iterations, the recipe's batch size
and precision, and the ``augment`` of its interventions. Nothing changes: normalisation statistics
stay as they are, no gradients are kept, and only addressed random generators are used.

Images are uint8 RGB (N, 3, H, W) on the CPU, fakes too. Reals are rounded to 256 values; if fakes
were not, D could recognise them by this alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.data.batches import as_float, as_uint8
from bascule.data.color import from_space, to_space
from bascule.gan.game import Game
from bascule.gan.objectives import per_image
from bascule.gan.recipe import GANRecipe
from bascule.gan.step import judge, norms
from bascule.interventions import Compose


def as_drawn(game: Game, z: Tensor, recipe: GANRecipe, batch: int) -> Tensor:
    """G's images for z (N, z_dim) as in training: uint8 (N, 3, H, W), ``batch`` at a time.

    With batch statistics, as D sees them; sample grids use running statistics.
    """
    with torch.no_grad(), norms(game.G, learn=False):
        return torch.cat([_drawn(game, part, recipe) for part in z.split(batch)])


def _drawn(game: Game, z: Tensor, recipe: GANRecipe) -> Tensor:
    with game.autocast():
        x = game.G(z.to(game.device)).float()
    return as_uint8(from_space(x, recipe.space)).cpu()


def logits(
    game: Game,
    pictures: Tensor,
    beside: Tensor,
    recipe: GANRecipe,
    context: StepContext,
    batch: int,
) -> Tensor:
    """D's logits of ``pictures``, float32 (N,) on the CPU, computed ``batch`` at a time.

    ``beside``: images of the other kind, which D sees in the same forward pass if the recipe has
    ``concat``; otherwise not used.
    """
    view = Compose(recipe.interventions).augment
    found = []
    with torch.no_grad(), norms(game.D, learn=False):
        for k, part in enumerate(pictures.split(batch)):
            at = context.within(f"diagnostics/{k}")
            x = view(_seen(game, part, recipe), at)
            if recipe.concat:
                y = view(_seen(game, beside[: len(part)], recipe), at.within("beside"))
                x = torch.cat([x, y])
            with game.autocast():
                found.append(per_image(game.D(x).float())[: len(part)].cpu())
    return torch.cat(found)


def gradient_norms(
    game: Game, real: Tensor, z: Tensor, recipe: GANRecipe, context: StepContext
) -> tuple[float, float]:
    """Euclidean norms of the gradients of (loss_D, loss_G) with respect to D's and G's weights.

    For one batch: images ``real`` (B, 3, H, W) and latents ``z`` (B, z_dim). It is a fixed batch,
    not the last one of training. So epochs differ only by the networks, and a resumed run gets the
    same value. The norm of a network without weights is 0.
    """
    view = Compose(recipe.interventions).augment
    context = context.within("diagnostics/gradient")
    with norms(game.G, learn=False), norms(game.D, learn=False), game.autocast():
        fake = game.G(z.to(game.device)).float()
        seen = view(_seen(game, real, recipe), context.within("real"))
        on_real, on_fake = judge(
            game.D, seen, view(fake.detach(), context.within("fake")), recipe.concat
        )
        d = recipe.objective.D(on_real, on_fake)
        logit = game.D(view(fake, context.within("fake"))).float()
        g = recipe.objective.G(logit, on_real.detach())
    return _norm(d, game.D), _norm(g, game.G)


def _norm(loss: Tensor, player: nn.Module) -> float:
    weights = [p for p in player.parameters() if p.requires_grad]
    if not weights or not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    squares = [g.double().square().sum() for g in gradients if g is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


def _seen(game: Game, pictures: Tensor, recipe: GANRecipe) -> Tensor:
    x = to_space(as_float(pictures.to(game.device)), recipe.space)
    return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x
