"""JavaScript modules as one classic script.

Browsers load no module from a page that is a file. The board's modules import and export in few
plain forms, so each becomes a function that returns what it exports. Anything else is refused here,
not in a reader's browser.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import (?P<what>\{[^}]*\}|\w+) from "\./(?P<path>[\w./-]+)";$', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (?P<name>\w+))", re.M)
DEFAULT = re.compile(r"^export \{ (?P<name>\w+) as default \};$", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def bundle(folder: Path, *entries: str) -> str:
    """The modules ``entries`` of ``folder`` and all that they import, each once, imports first.

    Raises :class:`ValueError` for a form of ``import`` or ``export`` that is not known here.
    """
    done: dict[str, str] = {}

    def add(path: str) -> None:
        if path in done:
            return
        done[path] = ""  # a circle of imports would end here, and its names be missing
        text = (folder / path).read_text(encoding="utf-8")
        for found in IMPORT.finditer(text):
            add(found["path"])
        done[path] = done.pop(path) + _as_function(path, text)

    for entry in entries:
        add(entry)
    return "\n".join(done.values())


def _as_function(path: str, text: str) -> str:
    if default := DEFAULT.search(text):
        given, text = f"{{default: {default['name']}}}", DEFAULT.sub("", text)
    else:
        given = f"{{{', '.join(found['name'] for found in EXPORT.finditer(text))}}}"
        text = EXPORT.sub("", text)
    text = IMPORT.sub(_taken, text)
    for left in re.finditer(r"^(import|export)\b.*", COMMENT.sub("", text), re.M):
        raise ValueError(f"{path}: cannot bundle {left[0]!r}")
    return f"const {_name(path)} = (() => {{\n{text}\nreturn {given};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    what = found["what"] if found["what"].startswith("{") else f"{{default: {found['what']}}}"
    return f"const {what} = {_name(found['path'])};"


def _name(path: str) -> str:
    return "module_" + re.sub(r"\W", "_", path.rpartition("/")[2])
