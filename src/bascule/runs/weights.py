"""The trained networks of a game as a plain PyTorch file, without their optimisers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bascule.core import atomic
from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.core.sums import load_checked
from bascule.gan.game import Game
from bascule.models.shipped import keep
from bascule.runs import codec
from bascule.runs.generate import load_trainer
from bascule.runs.store import Run, slug


def export_weights(
    run: Run, path: Path, epoch: int | None = None, half: bool = False, credit: str = ""
) -> int:
    """Write G (the averaged one, if the run has one) and D; returns their number of epochs.

    The file is a dict: the state dicts ``"G"`` and ``"D"``, and the texts ``"model"``, ``"made"``,
    ``"credit"`` and ``"saw"`` (:mod:`bascule.models.shipped`). Read it with
    ``torch.load(path, weights_only=True)``. ``half``: floats in half precision, which halves the
    file. Raises :class:`UserError` if the run does not train a G and a D.
    """
    epochs, saved = _saved(run, epoch, half, credit)

    def put(to: Path) -> None:
        with to.open("wb") as file:
            torch.save(saved, file)

    atomic.write(path, put)
    return epochs


def load_players(path: Path | str) -> tuple[nn.Module, nn.Module]:
    """(G, D) from a file of :func:`export_weights`, or from a folder of `bascule publish`.

    Both are plain PyTorch modules in eval mode.

    G maps latents (B, z_dim) ~ N(0, I) to images (B, 3, H, W) in [-1, 1]; D maps images to logits.
    Raises :class:`UserError` for another file, and for networks of the user's own, which are made
    by their own class: its ``players`` and ``load_state_dict``.
    """
    try:
        saved = _published(Path(path)) if Path(path).is_dir() else load_checked(Path(path))
        model, states = saved["model"], (saved["G"], saved["D"])
    except Exception as error:  # PyTorch raises many classes of errors on other files
        raise UserError(
            f"{path} has no G and D ({error}); expected a file of `bascule export RUN -o NAME.pt` "
            "or a folder of `bascule publish`"
        ) from None
    players: tuple[nn.Module, nn.Module] = codec.parse(model).players(generator("loaded"))
    for player, state in zip(players, states, strict=True):
        player.load_state_dict(state)
        player.eval()
    return players


def _published(folder: Path) -> dict[str, Any]:
    """The content of a folder of `bascule publish`, as that of a file."""
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for key, name in (("G", "generator"), ("D", "discriminator")):
        with safe_open(folder / f"{name}.safetensors", "pt") as file:
            found["model"] = file.metadata()["model"]
            found[key] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    return found


def start_from(run: Run, players: str = "GD") -> str:
    """Keep the newest weights of ``run`` for other runs to start from; the name for ``start``.

    ``players``: "GD", "G" or "D"; the other one starts with random weights. Raises as
    :func:`export_weights`.
    """
    _, saved = _saved(run, None, False, "")
    return keep(slug(run.name), {k: v for k, v in saved.items() if k in players or k not in "GD"})


def _saved(run: Run, epoch: int | None, half: bool, credit: str) -> tuple[int, dict[str, Any]]:
    """The number of epochs of G and D, and the content of their file."""
    recipe, state = load_trainer(run, epoch)
    game = getattr(state.trainer, "game", None)
    if not isinstance(game, Game):
        raise UserError(
            f"{run.id} is a {type(recipe).__name__}: expected a run that trains a G and a D"
        )
    return state.epoch, {
        "G": plain_state(game.drawing(), half),
        "D": plain_state(game.D, half),
        "model": repr(run.recipe.model),
        "made": f"{state.epoch} epochs of {run.recipe!r}",
        "credit": credit,
        "saw": ", ".join(run.saw),
    }


def plain_state(player: nn.Module, half: bool = False) -> dict[str, Tensor]:
    """Its state dict, contiguous and on the CPU. ``half``: floats in half precision."""
    found = {name: value.detach().cpu().contiguous() for name, value in player.state_dict().items()}
    if not half:
        return found
    return {k: v.half() if v.is_floating_point() else v for k, v in found.items()}
