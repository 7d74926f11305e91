"""Runs the notebooks of docs/notebooks, each in an empty folder, and keeps what they show.

python docs/run_notebooks.py                  all of them, some minutes
python docs/run_notebooks.py first-steps
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent / "notebooks"
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def names() -> list[str]:
    """The notebooks that there are."""
    return sorted(path.stem for path in HERE.glob("*.ipynb"))


def executed(name: str, folder: Path) -> Any:
    """The notebook after a run in ``folder``. Raises CellExecutionError if a cell does."""
    notebook = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=1200, resources=place, record_timing=False).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [small(one) for one in cell.outputs if is_shown(one)]
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def is_shown(output: Any) -> bool:
    """Whether an output is kept: not that of bars, which are on stderr, or empty at the end."""
    if output.get("name") == "stderr":
        return False
    html = output.get("data", {}).get("text/html", "")
    return bool(output.get("text", "").strip() or html.strip())


def small(output: Any) -> Any:
    """An output whose pictures are JPEG instead of PNG: a tenth of the bytes."""
    if "text/html" in output.get("data", {}):
        output.data["text/html"] = PNG.sub(_as_jpeg, output.data["text/html"])
    return output


def _as_jpeg(png: re.Match[str]) -> str:
    written = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png[1]))) as picture:
        picture.convert("RGB").save(written, "JPEG", quality=70)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"


def main() -> int:
    for name in sys.argv[1:] or names():
        began, used = time.monotonic(), os.times()
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(name, Path(folder)), HERE / f"{name}.ipynb")
        now = os.times()
        busy = sum(now[k] - used[k] for k in (2, 3))  # of child processes
        print(f"{name}: {time.monotonic() - began:.0f} s, of the processor {busy:.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
