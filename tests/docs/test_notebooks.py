"""The notebooks of the documentation: they run; what is kept of them is small and names no path."""

import importlib
import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NAMES = sorted(path.stem for path in (DOCS / "notebooks").glob("*.ipynb"))


def cells(name):
    notebook = json.loads((DOCS / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
    return notebook["cells"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_complete_and_small(name):
    path = DOCS / "notebooks" / f"{name}.ipynb"
    assert path.stat().st_size < 500_000
    code = [cell for cell in cells(name) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    kept = json.dumps([cell["outputs"] for cell in code])
    assert "Traceback" not in kept and "stderr" not in kept
    assert not re.search(r"/(home|tmp|work|root|Users)/", kept)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    text = "".join("".join(cell["source"]) for cell in cells(name) if cell["cell_type"] != "code")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (DOCS / "notebooks" / target).exists(), target


# The lesson takes three minutes: docs/run_notebooks.py runs it, and tests/lessons its parts.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "mode-collapse"])
def test_it_runs(name, tmp_path, monkeypatch):
    for needed in ("nbclient", "ipykernel"):
        pytest.importorskip(needed)
    monkeypatch.syspath_prepend(str(DOCS))
    notebook = importlib.import_module("run_notebooks").executed(name, tmp_path)
    shown = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert len(shown) > 2 and all(one.output_type != "error" for one in shown)
