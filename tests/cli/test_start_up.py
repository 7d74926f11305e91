"""What is loaded to answer at once: verbs that only look never wait for PyTorch."""

import subprocess
import sys

import pytest

from bascule.cli import draw
from bascule.latents import paths

HEAVY = ("torch", "scipy", "numpy", "pydantic", "matplotlib", "PIL", "optuna")
SCRIPT = """
import sys
from bascule.cli import main
try:
    code = main({words})
except SystemExit as end:
    code = end.code
print("loaded:", *(name for name in {heavy} if name in sys.modules))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["data", "list"],
        ["list"],
        ["run", "--help"],
        ["compare", "--help"],
        ["board", "--help"],
        ["tune", "--help"],
        ["train", "--help"],
        ["evaluate", "--help"],
        ["experiments"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_to_look(words, make_run, tiny, store):
    make_run(tiny)
    words = ["--runs", str(store.root), *words]
    script = SCRIPT.format(words=words, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert len(done.stdout.splitlines()) > 1


def test_kinds_of_walks_are_those_that_there_are():
    assert draw.KINDS == paths.KINDS
