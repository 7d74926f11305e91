"""The check sums that PyTorch's files carry: torch.load does not look at them."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

from bascule.core.reading import open_regular


def load_checked(path: Path) -> Any:
    """The tensors and plain values in a file of PyTorch's, on the CPU, if its sums are right.

    Raises ValueError as :func:`check_sums`, and whatever PyTorch raises on a damaged file.
    """
    import torch  # many users of this file only list runs

    check_sums(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def check_sums(path: Path) -> None:
    """Raise ValueError if a part of the archive at ``path`` differs from its sum (CRC-32).

    Files in PyTorch's format before 1.6 are no archives and have no sums: they pass. Also raises
    ValueError if it is no regular file, because a pipe would be waited for.
    """
    open_regular(path, sys.maxsize).close()
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} differs from its check sum")
