"""Questions put to the players as they play, which leave no trace in them.

As they play: with the batch statistics and the power iterations of training, in batches of the
recipe's size, in its arithmetic, and through the ``augment`` of its interventions. No trace: what
normalisations remember does not move, no gradient is kept, no generator is asked but addressed
ones.

Pictures are uint8 (N, 3, H, W) in RGB on the CPU, fakes too: reals came from bytes, and a D
that tells bytes from floats would win every question without looking at the picture.
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
    """What G draws for z (N, z_dim) in its game: pictures (N, 3, H, W), ``batch`` at a time.

    With the statistics of its batches, as D sees them; a sample grid uses the running ones.
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
    """D's logits of ``pictures``, float32 (N,) on the CPU, asked ``batch`` at a time.

    ``beside``: the pictures of the other kind that D sees in the same pass where the recipe says
    ``concat``; not looked at otherwise.
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
    """Euclidean norms of the gradients of (loss_D, loss_G) over D's and G's weights.

    Of one batch: pictures ``real`` (B, 3, H, W) and latents ``z`` (B, z_dim). A fixed batch, not
    the last one played, so that two epochs differ by the players alone, and a resumed run knows
    it too. A player without weights has norm 0.
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
