"""Export a translator as an ONNX file, compared with PyTorch."""

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
    """Maps images in [0, 1] to images in [0, 1], so that users need no preprocessing."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        made: Tensor = self.net(picture * 2 - 1)
        return (made + 1) / 2


def export_onnx(translator: Translator, path: Path, run: str, epoch: int) -> float:
    """Write ``path``: input ``picture`` (N, 3, S, S) in [0, 1], RGB, and output ``translation``.

    The output has the shape and range of the input. N is free, S is the size in training. The
    metadata of the file names the run. The file is run by onnxruntime at two batch sizes and
    compared with PyTorch. Returns the largest difference. Raises :class:`UserError` if a package is
    missing, or if the difference is above 1e-3.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx needs it)
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
