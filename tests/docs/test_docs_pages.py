"""The README and the pages of docs/: short enough, no broken link, and every command is valid."""

import argparse
import ast
import importlib
import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from bascule.cli import parser

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BUILT = ("docs/_build", "docs/reference/generated")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notes/*.md")]
    if not path.relative_to(ROOT).as_posix().startswith(BUILT)
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
DIALECT = r"\b(laws?|pric(e|es|ed)|trunks?|dear|rests|rested)\b"  # of this project's first pages


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the content of every block of code."""
    return [(found[1], found[2]) for found in BLOCK.finditer(text(page))]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as hosts of code make them."""
    bare = BLOCK.sub("", path.read_text("utf-8"))
    titles = re.findall(r"^#+ (.*)$", bare, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "") for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def test_the_readme_is_short():
    assert len(text("README.md").split()) <= 700


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    broken = []
    for target in LINK.findall(BLOCK.sub("", text(page))):
        if re.match(r"\w+:", target):  # another site
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert not broken


def commands(page: str) -> list[str]:
    """Every line of a page's blocks that calls bascule, with its continuations."""
    found = []
    for language, block in blocks(page):
        if language in ("", "bash", "sh"):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line for line in lines if line.startswith(("bascule ", "torchrun "))]
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_is_one_that_the_program_takes(page):
    top = parser()
    wrong = []
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[0] == "torchrun":
            words = words[words.index("bascule") :]
        if ">" in line or "..." in words or "VERB" in words:
            words = [w for w in words if w != "..."][: words.index(">") if ">" in words else None]
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                top.parse_args(words[1:])
        except SystemExit as end:
            wrong += [f"{line}: {said.getvalue().strip()}"] if end.code else []
    assert not wrong


@pytest.mark.parametrize("page", [p for p in PAGES if any(b[0] == "python" for b in blocks(p))])
def test_python_compiles_and_its_imports_exist(page):
    for language, block in blocks(page):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bascule"):
                module = importlib.import_module(str(node.module))
                for one in node.names:
                    assert hasattr(module, one.name), f"{node.module} has no {one.name}"
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "bl":
                assert hasattr(importlib.import_module("bascule"), node.attr), node.attr


@pytest.mark.parametrize("page", [p for p in PAGES if p.startswith(("README", "docs"))])
def test_words_are_those_of_the_field(page):
    told = re.sub(r"`[^`]*`", "", BLOCK.sub("", text(page)))
    assert not re.findall(DIALECT, told)


def python_blocks(page: str) -> dict[str, str]:
    """The blocks that begin with the name of their file."""
    found = [
        re.match(r"# ([\w/]+\.py)\n(.*)", b, re.DOTALL) for k, b in blocks(page) if k == "python"
    ]
    return {match[1]: match[2] for match in found if match}


def bascule(*words: str, folder: Path) -> str:
    command = [sys.executable, "-m", "bascule", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


SMALL = ("epochs=2", "batch=8", "threads=1", "device=cpu", "data=Faces(n=48, held_out=0.25)")


def test_the_experiment_of_the_readme_runs(tmp_path):
    ((name, code),) = python_blocks("README.md").items()
    (tmp_path / name).write_text(code, "utf-8")
    told = bascule("run", name, "--seeds", "0", "--set", *SMALL, "model.width=4", folder=tmp_path)
    assert "KID" in told and "inconclusive" in told


def test_the_tutorial_on_nets_and_rules_runs(tmp_path):
    files = python_blocks("docs/tutorials/own-net-and-rule.md")
    assert set(files) == {"my_nets.py", "my_rule.py", "my_question.py"}
    for name, code in files.items():
        (tmp_path / name).write_text(code, "utf-8")
    train = ("train", "dcgan64-tiny", "--name", "first", "--set", "model=my_nets.py:Linear")
    bascule(*train, *SMALL, folder=tmp_path)
    grey = ("--change", "my_rule.py:Grey(from_epoch=1)", "--name", "grey")
    bascule("fork", "first", "--at-epoch", "1", *grey, folder=tmp_path)
    small = ("--seeds", "0", "--set", *SMALL, "model.width=4")
    told = bascule("run", "my_question.py", *small, folder=tmp_path)
    assert "“grey” than in “plain” at the end" in told


def test_every_argument_is_in_the_reference():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        registries = importlib.import_module("registries")
    finally:
        sys.path.remove(str(ROOT / "docs"))
    page = registries.verbs()
    top = parser()
    (verbs,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    for name, verb in verbs.choices.items():
        assert f"### bascule {name}\n" in page
        for action in verb._actions:
            for option in action.option_strings:
                assert option in page or option in ("-h", "--help")
    for name, page in registries.PAGES.items():
        assert page().startswith("# "), name


def test_the_site_builds_without_a_warning(tmp_path):
    for needed in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", "."]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").exists()
    assert "DiffAugment" in (tmp_path / "docs/reference/generated/interventions.html").read_text(
        "utf-8"
    )
