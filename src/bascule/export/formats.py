"""Writes a network as ONNX or as a PyTorch program, and compares each file with the network."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.export.networks import Portable, largest_difference
from bascule.runs.store import Run

TOLERANCE = 1e-3  # of pictures in [0, 1]


def write_onnx(portable: Portable, path: Path, run: Run) -> float:
    """Write ``path``: ONNX with a free number of images; returns the largest difference.

    The metadata of the file names the run. The file is run by onnxruntime and compared with the
    network. Raises :class:`UserError` if a package is missing, if PyTorch cannot export the
    network, or if the difference is above 1e-3.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch.onnx needs it)
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install 'bascule[onnx]'") from None
    with _quiet(portable, path):
        made = torch.onnx.export(
            portable.net,
            (portable.inputs(2),),
            input_names=[portable.takes],
            output_names=[portable.gives],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    model = made.model_proto
    size = str(run.recipe.data.size)
    told = {"run": run.id, "epoch": str(portable.epoch), "size": size, "range": "[0, 1], RGB"}
    onnx.helper.set_model_props(model, told)
    atomic.write(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def theirs(x: Tensor) -> Tensor:
        (found,) = session.run(None, {portable.takes: x.numpy()})
        return torch.from_numpy(found)

    return _checked(portable, path, theirs)


def write_program(portable: Portable, path: Path) -> float:
    """Write ``path``: a file that ``torch.export.load`` reads where bascule is not installed.

    It takes any number of images. The file is read again and compared with the network; returns
    the largest difference. Raises as :func:`write_onnx`.
    """
    shapes = ({0: torch.export.Dim("batch")},)
    with _quiet(portable, path):
        program = torch.export.export(portable.net, (portable.inputs(2),), dynamic_shapes=shapes)
        file = io.BytesIO()
        torch.export.save(program, file)
    atomic.write(path, file.getvalue())
    return _checked(portable, path, torch.export.load(path).module())


def _checked(portable: Portable, path: Path, theirs: Callable[[Tensor], Tensor]) -> float:
    """The largest difference, if it is small enough."""
    with torch.no_grad():
        worst = largest_difference(portable, theirs)
    if not worst <= TOLERANCE:
        raise UserError(f"{path} differs from PyTorch by {worst:.2g}: do not use it, and tell us")
    return worst


@contextlib.contextmanager
def _quiet(portable: Portable, path: Path) -> Iterator[None]:
    """Nothing that PyTorch says of its export is shown, and its refusal becomes one line."""
    said = logging.getLogger("torch.onnx")
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Exception as error:  # PyTorch raises many classes of errors here
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"PyTorch cannot export the {portable.name} as {path.name}: {first}; "
            "bascule export RUN -o NAME.pt writes its weights"
        ) from None
    finally:
        said.setLevel(level)
