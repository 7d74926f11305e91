"""A translator as an ONNX file, checked against itself."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bascule.core import atomic
from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.translation.translate import Translator

TOLERANCE = 1e-3  # of pictures in [0, 1]


class _Unit(nn.Module):
    """Pictures in [0, 1] to pictures in [0, 1], so that the file asks for no preparation."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        made: Tensor = self.net(picture * 2 - 1)
        return (made + 1) / 2


def export_onnx(translator: Translator, path: Path, run: str, epoch: int) -> float:
    """Write ``path``: input ``picture`` (N, 3, S, S) in [0, 1], RGB, output ``translation`` alike.

    N is free, S is that of training. The file says whose it is, and is compared with PyTorch at two
    batch sizes by onnxruntime; returns the largest difference. Raises :class:`UserError` where a
    package is missing, or the difference is above 1e-3.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx writes by it)
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install 'bascule[onnx]'") from None
    size = translator.trainer.recipe.data.size
    unit = _Unit(translator.net).cpu().float().eval()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            unit,
            (torch.rand(2, 3, size, size),),
            input_names=["picture"],
            output_names=["translation"],
            dynamic_shapes={"picture": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    model = made.model_proto
    told = {"run": run, "epoch": str(epoch), "size": str(size), "range": "[0, 1], RGB"}
    onnx.helper.set_model_props(model, told)
    atomic.write(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for n in (1, 3):
        x = torch.rand(n, 3, size, size, generator=generator("onnx", n))
        with torch.no_grad():
            ours = unit(x).numpy()
        (theirs,) = session.run(None, {"picture": x.numpy()})
        worst = max(worst, float(np.abs(ours - theirs).max()))
    if not worst <= TOLERANCE:
        raise UserError(f"{path} differs from PyTorch by {worst:.2g}: do not use it, and tell us")
    return worst
