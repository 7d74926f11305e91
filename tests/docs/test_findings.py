"""Findings: a page has an answer, a picture, numbers, caveats, and what would change our mind."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "findings"
PAGES = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "index.md")
PARTS = ["## Numbers", "## Caveats", "## What would change our mind"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_all_its_parts(name):
    text = (FOLDER / name).read_text("utf-8")
    title, answer, picture = text.split("\n\n")[:3]
    assert title.startswith("# ") and title.endswith("?")
    assert re.fullmatch(r"\*\*[^*]+(\*\w+\*[^*]+)?\.\*\*", answer), answer  # one bold sentence
    assert re.fullmatch(r"!\[[^\]]+\]\([^)]+\.png\)", picture), picture
    assert re.findall(r"^## .*", text, re.MULTILINE) == PARTS
    assert "notes/" in text


def test_the_index_asks_the_question_of_every_page():
    index = (FOLDER / "index.md").read_text("utf-8")
    asked = dict(re.findall(r"^\| \[([^\]]+)\]\(([\w-]+\.md)\)", index, re.MULTILINE))
    assert sorted(asked.values()) == PAGES
    for question, name in asked.items():
        title = (FOLDER / name).read_text("utf-8").partition("\n")[0].removeprefix("# ")
        assert title.startswith(question.removesuffix("?")), name
