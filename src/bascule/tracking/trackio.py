"""trackio, a tracker that keeps everything on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bascule.tracking.tracker import RunFacts, Service


class Trackio(Service):
    """Logs to the trackio project ``place`` (default: bascule)."""

    package = "trackio"

    def start(self, run: RunFacts) -> None:
        import trackio

        trackio.init(
            project=self.place or "bascule", name=run.id, config=dict(run.recipe), resume="allow"
        )

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        import trackio

        trackio.log(dict(values), step=epoch)

    def pictures(self, epoch: int, files: Mapping[str, Path]) -> None:
        import trackio

        trackio.log({name: trackio.Image(path) for name, path in files.items()}, step=epoch)

    def end(self, state: str) -> None:
        import trackio

        trackio.finish()
