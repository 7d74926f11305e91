"""The notebook's questions, every arm in seconds: that they run, not what they say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "experiments/notebook").glob("*.py"))


def test_every_question_of_the_notebook_runs_in_its_quick_version(tmp_path):
    command = [sys.executable, "-m", "bascule", "--runs", str(tmp_path / "runs")]
    command += ["run", "notebook", "--quick", "--seeds", "0", "--note", str(tmp_path / "notes")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr and "left out" not in done.stderr
    answers = re.findall(r"^notebook/(\S+)-quick: (\w+): one seed", done.stdout, re.MULTILINE)
    names = [file.stem.replace("_", "-") for file in FILES]
    assert answers == [(name, "inconclusive") for name in names]
    summary = (tmp_path / "notes/summary.md").read_text("utf-8")
    for name in names:
        assert (tmp_path / f"notes/{name}-quick/note.html").exists()
        assert f"| {name}-quick |" in summary
