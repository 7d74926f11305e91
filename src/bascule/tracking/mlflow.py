"""MLflow, on a server, in a database file, or where MLFLOW_TRACKING_URI says."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from bascule.tracking.tracker import RunFacts, Service

EXPERIMENT = "bascule"
TAG = "bascule.run"  # by which a run that goes on finds itself again
SQLITE = "sqlite:///"
AT_ONCE = 100  # parameters and metrics, MLflow's own limit of a request
LONGEST = 500  # letters of a parameter that every store of MLflow takes
STATES = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Service):
    """Logs to the experiment "bascule" at ``place``, a URI or a SQLite file (default: MLflow's)."""

    package = "mlflow"

    @staticmethod
    def whole(place: str) -> str:
        return place if "://" in place else f"{SQLITE}{Path(place).expanduser().resolve()}"

    def start(self, run: RunFacts) -> None:
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient(self.place or None)
        known = self.client.get_experiment_by_name(EXPERIMENT)
        if known:
            group = known.experiment_id
        else:
            group = self.client.create_experiment(EXPERIMENT, artifacts(self.place))
        if found := self.client.search_runs([group], f"tags.`{TAG}` = '{run.id}'"):
            self.id = found[0].info.run_id
            self.client.update_run(self.id, status="RUNNING")
            return
        made = self.client.create_run(group, run_name=run.name, tags={TAG: run.id})
        self.id = made.info.run_id
        told = [Param(allowed(name), str(value)[:LONGEST]) for name, value in run.recipe.items()]
        for k in range(0, len(told), AT_ONCE):
            self.client.log_batch(self.id, params=told[k : k + AT_ONCE])

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        told = [Metric(allowed(name), value, now, epoch) for name, value in values.items()]
        for k in range(0, len(told), AT_ONCE):
            self.client.log_batch(self.id, metrics=told[k : k + AT_ONCE])

    def pictures(self, epoch: int, files: Mapping[str, Path]) -> None:
        for path in files.values():
            self.client.log_artifact(self.id, str(path), "samples")

    def end(self, state: str) -> None:
        self.client.set_terminated(self.id, STATES[state])


def artifacts(place: str) -> str | None:
    """Where pictures go: beside a SQLite file, not in the folder that bascule is called from."""
    if not place.startswith(SQLITE):
        return None  # the server decides
    file = Path(place.removeprefix(SQLITE))
    return file.with_name(f"{file.stem}-artifacts").as_uri()


def allowed(name: str) -> str:
    """A name as MLflow takes it: other signs than letters, digits and ``_-./: `` become ``_``."""
    return re.sub(r"[^\w\-./: ]", "_", name, flags=re.ASCII)
