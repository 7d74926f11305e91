"""What `docs/run_tutorials.py` takes from a tutorial: files, commands, and the stated time."""

import importlib
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = """# Title

*Ten minutes of one core. More.*

```
python3 -m venv .venv
pip install -e .
bascule train my_nets.py \\
    --set epochs=5      # a remark
bascule board --open
```

```python
# my_nets.py
x = 1
```

```python
no_file = 1
```

```
bascule run "my question.py" --open
bascule run q.py --cluster slurm \\
    --jobs 20      # on the cluster
bascule run q.py --cluster local
```
"""


@pytest.fixture
def tutorials(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("run_tutorials")
    sys.modules.pop("run_tutorials")


def test_files_and_commands_in_their_order(tutorials):
    assert tutorials.steps(PAGE) == [
        ("", "bascule train my_nets.py --set epochs=5"),
        ("my_nets.py", "# my_nets.py\nx = 1\n"),
        ("", "bascule run 'my question.py' --open"),
        ("", "bascule run q.py --cluster local"),
    ]


def test_the_stated_time(tutorials):
    assert tutorials.stated(PAGE) == 10
    assert tutorials.stated("# Title\n\n*For a room with laptops.*\n") is None


def test_every_tutorial_has_commands_and_a_time(tutorials):
    for name in tutorials.NAMES:
        text = (DOCS / "tutorials" / f"{name}.md").read_text("utf-8")
        assert any(not file for file, _ in tutorials.steps(text)), name
        assert tutorials.stated(text) or name == "class"


def test_the_cluster_has_the_files_of_the_tutorial_before_it(tutorials):
    files = {"my_question.py", "my_rule.py"}
    text = (DOCS / "tutorials" / f"{tutorials.FILES_OF['cluster']}.md").read_text("utf-8")
    assert files <= {file for file, _ in tutorials.steps(text)}
    told = tutorials.steps((DOCS / "tutorials" / "cluster.md").read_text("utf-8"))
    assert [words for _, words in told if "slurm" in words or "pack" in words] == []
    assert any("--cluster local" in words for _, words in told)
