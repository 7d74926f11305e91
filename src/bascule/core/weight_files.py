"""Weight files: searched in the usual places, read without executing code, identified by a hash.

Nothing is downloaded here. If weights are missing, the error line gives the file's name, the
searched places and the address for a download.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bascule.core.errors import UserError
from bascule.core.sums import load_checked


def find(
    network: str,
    given: Path | str | None,
    names: Sequence[str],
    url: str,
    elsewhere: Sequence[Path] = (),
) -> Path:
    """The weights file of ``network``; raises UserError if there is none.

    ``given`` is a file; then no other place is searched. Otherwise, in this order: any of ``names``
    in the folder ``$BASCULE_WEIGHTS``, any in torch hub's cache, and the files ``elsewhere``.
    """
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise UserError(f"weights of {network}: no such file: {path}")
        return path
    own = os.environ.get("BASCULE_WEIGHTS")
    folders = [Path(own).expanduser()] if own else []
    folders.append(Path(torch.hub.get_dir()) / "checkpoints")
    for path in [*(folder / name for folder in folders for name in names), *elsewhere]:
        if path.is_file():
            return path
    raise UserError(
        f"no weights for {network}: put {' or '.join(names)} into the folder that BASCULE_WEIGHTS "
        f"names ({own or 'not set'}) or into {folders[-1]}; to download it: "
        f"curl -fL --create-dirs -o {folders[0] / names[0]} {url}"
    )


def read(path: Path) -> dict[str, Tensor]:
    """The state dict in ``path``: safetensors, or PyTorch's format with tensors only.

    Raises UserError for a file that is damaged, or that would execute code when loaded.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = load_checked(path)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise _unreadable(path, str(error).partition("\n")[0]) from None
    except Exception as error:  # safetensors has an error class of its own
        raise _unreadable(path, str(error)) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _unreadable(path, "it is not a dictionary of tensors")
    return dict(state)


def load(net: nn.Module, state: dict[str, Tensor], network: str, path: Path) -> None:
    """Load ``state`` into ``net`` (all keys must match), freeze it and set it to eval mode."""
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise foreign(network, path, error) from None
    net.requires_grad_(False).eval()


def foreign(network: str, path: Path, error: Exception) -> UserError:
    """The error for a file with other weights than those of ``network``."""
    told = " ".join(str(error).split())
    return UserError(f"{path} does not hold the weights of {network}: {told[:200]}")


def fingerprint(path: Path) -> str:
    """The sha256 of the file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(f"cannot read the weights {path}: {why}. Fetch the file again")
