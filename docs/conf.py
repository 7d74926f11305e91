"""The documentation site: `make docs`, or

    sphinx-build -W -c docs . docs/_build

Its source is the whole repository, so that links from pages to notes and examples are the same here
and where the files themselves are read.
"""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import registries

import bascule

ROOT = Path(__file__).parents[1]

project = "bascule"
version = release = bascule.__version__
root_doc = "docs/index"
extensions = ["myst_nb"]  # Markdown and notebooks, by one parser
nb_execution_mode = "off"  # docs/run_notebooks.py runs them, and a test does
include_patterns = [
    "docs/**",
    "notes/*.md",
    "notes/**/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CREDITS.md",
]
exclude_patterns = ["docs/_build", "docs/**/.ipynb_checkpoints"]
html_theme = "furo"
html_title = "bascule"
html_extra_path = ["site"]  # index.html, which leads to docs/index.html
html_show_copyright = False
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
highlight_language = "none"  # a block without a language is a command or what it prints


def setup(app: Any) -> None:
    """Write the reference before each build, and make links to folders plain text."""
    app.connect("config-inited", lambda app, config: registries.write(REFERENCE))
    app.connect("source-read", without_folders)


REFERENCE = ROOT / "docs" / "reference" / "generated"
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s#:]+)\)")


def without_folders(app: Any, page: str, source: list[str]) -> None:
    """A site has no page for a folder or a program: such a link becomes its text alone."""

    def told(link: re.Match[str]) -> str:
        target = (ROOT / page).parent / link[2]
        has_page = target.suffix in (".md", ".ipynb", ".png", ".json", ".csv")
        return link[0] if has_page or not target.exists() else link[1]

    source[0] = LINK.sub(told, source[0])
