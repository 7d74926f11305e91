"""The trackers that come with the package, by the names that ``--track`` takes."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from bascule.core.errors import UserError
from bascule.tracking.tracker import Service

SERVICES = {
    "tensorboard": "TensorBoard",
    "trackio": "Trackio",
    "wandb": "WandB",
    "mlflow": "MLflow",
}


def service(name: str) -> type[Service]:
    """The class of a service. Raises :class:`UserError` if the package that it needs is missing."""
    kind: type[Service] = getattr(import_module(f"bascule.tracking.{name}"), SERVICES[name])
    if find_spec(kind.package) is None:
        raise UserError(
            f"--track {name}: {kind.package} is not installed: pip install {kind.package}, or "
            f'pip install -e ".[{name}]" in a clone'
        )
    return kind
