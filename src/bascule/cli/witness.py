"""Outside witnesses of a registration: a signed git tag, and a proof of OpenTimestamps."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.experiments.registration import Registration, canonical
from bascule.runs.store import slug

KEPT = "the registration itself is written"


def tag(one: Registration, file: Path) -> str:
    """Tag the repository of an experiment's ``file``, signed, with the hash; returns what was done.

    The name ends in the hash. Raises :class:`UserError` if there is no git, no repository, or no
    key to sign with.
    """
    name = f"registration-{slug(one.experiment)}-{one.sha256[:12]}"
    folder = str(file.resolve().parent)
    if _done(["git", "-C", folder, "tag", "--list", name]):
        return f"the tag {name} is there already"
    words = f"Registration of {one.experiment}, {one.registered}\n\nsha256 {one.sha256}"
    _done(["git", "-C", folder, "tag", "--sign", name, "--message", words])
    return f"tagged: {name}; `git push origin {name}` publishes it"


def timestamp(one: Registration, folder: Path) -> str:
    """Have OpenTimestamps stamp the hashed content; returns what was done.

    The content is written as ``registration-N.json``, so that the hash of this file is that of the
    registration, whatever amendments follow. Raises :class:`UserError` if the client fails.
    """
    path = folder / f"registration-{one.number}.json"
    proof = path.with_name(f"{path.name}.ots")
    if proof.exists():
        return f"{proof} is there already"
    if which("ots") is None:
        raise UserError(
            "--timestamp needs ots, the client of OpenTimestamps, and it is not on the PATH: "
            f"install it, or leave out --timestamp; {KEPT}"
        )
    atomic.write(path, canonical(one.content))
    _done(["ots", "stamp", str(path)])
    return f"stamped: {proof}; `ots upgrade` completes it within a day, `ots verify` checks it"


def _done(command: list[str]) -> str:
    """The output of a command. Raises :class:`UserError` with its last line if it fails."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "")).strip() or str(error)
        raise UserError(f"{command[0]} failed: {said.splitlines()[-1]}; {KEPT}") from None
    return told.stdout.strip()
