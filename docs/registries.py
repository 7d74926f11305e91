"""Writes the reference pages from what the program itself knows: its verbs, classes and numbers.

    python docs/registries.py docs/reference/generated

Nothing there is typed by hand. `docs/conf.py` calls :func:`write` before each build.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from math import isinf
from pathlib import Path
from typing import Any

import bascule
from bascule.cli import GROUPS, parser
from bascule.cli.one_line import facts
from bascule.cli.verbs import Parser, verbs_of
from bascule.core.described import Described, described


def write(folder: Path) -> list[Path]:
    """All pages, into ``folder``; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.stem not in PAGES:
            old.unlink()
    written = []
    for name, page in PAGES.items():
        path, text = folder / f"{name}.md", page()
        if not path.exists() or path.read_text("utf-8") != text:  # so that Sphinx keeps what stands
            path.write_text(text, "utf-8")
        written.append(path)
    return written


def verbs() -> str:
    """Every verb of the command line with its arguments and examples."""
    top = parser()
    parts = verbs_of(top).choices
    text = ["# Verbs", "`bascule VERB --help` prints the same. These options come before a verb:"]
    text.append(arguments(top))
    for group, names in GROUPS.items():
        text.append(f"## {group[0].upper()}{group[1:]}")
        for name in names:
            text += verb(name, parts[name])
    return joined(text)


def verb(name: str, part: Parser, level: int = 3) -> Iterable[str]:
    """A verb, and then its parts."""
    yield f"{'#' * level} bascule {name}"
    yield sentence(part.description or helped(name, part))
    yield arguments(part)
    if part.examples:
        yield "```\n" + "\n".join(part.examples) + "\n```"
    for action in part._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner, one in action.choices.items():
                yield from verb(f"{name} {inner}", one, level + 1)


def helped(name: str, part: Parser) -> str:
    """The line that the help of all verbs has for this one."""
    first, _, last = name.rpartition(" ")
    above = parser()
    for word in first.split():
        above = verbs_of(above).choices[word]
    lines = {a.dest: a.help for a in verbs_of(above)._get_subactions()}
    return lines.get(last) or ""


def arguments(part: argparse.ArgumentParser) -> str:
    """A table of the arguments of a verb; empty if it takes none."""
    rows = []
    for action in part._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        value = part._get_formatter()._format_args(action, (action.metavar or action.dest).upper())
        names = ", ".join(action.option_strings)
        given = " ".join(filter(None, [names, value if action.nargs != 0 else ""]))
        rows.append((f"`{given}`", (action.help or "").replace("%%", "%")))
    return table(("argument", "what it says"), rows) if rows else ""


def presets() -> str:
    """Every preset: its verb, its facts, where it is from and what departs from it."""
    from bascule.presets import ABOUT, SDPC_PRESETS, trained

    rows = []
    for name, recipe in (trained() | SDPC_PRESETS).items():
        command = "sdpc fit" if name in SDPC_PRESETS else "train"
        rows.append((f"`{name}`", f"`{command}`", facts(recipe), ABOUT.get(name, "")))
    told = "`bascule presets` prints the same. A field that is not named has its default."
    columns = ("preset", "verb", "what it is", "source, and what departs from it")
    return joined(["# Presets", told, table(columns, rows)])


def experiments() -> str:
    """Every experiment and search that comes with the program, and its question."""
    from bascule.experiments.files import known_files, verb_and_question

    rows = []
    for name, path in known_files().items():
        kind, question = verb_and_question(path)
        if kind:
            rows.append((f"`bascule {kind} {name}`", question))
    told = (
        "`bascule experiments` prints the same, and yours too. `bascule experiments copy NAME` "
        "copies one here, to begin your own from."
    )
    return joined(["# Experiments", told, table(("command", "question"), rows)])


def metrics() -> str:
    """Every number that can be measured or predicted."""
    from bascule.metrics.measured import METRICS
    from bascule.metrics.numbers import NUMBERS

    rows = [
        (m.name, m.better, limits(m.limits), f"{m.at_least}", m.explained or doc(type(m)))
        for m in METRICS.values()
    ]
    others = [
        (q.name, q.better or "–", limits(q.limits), q.explained or q.more) for q in NUMBERS.values()
    ]
    text = [
        "# Metrics and numbers",
        'Predictions name them as they stand here: `Lower("D_x", ...)`. What they mean, and when '
        "they mislead: [What each number means](../../measuring.md).",
        "## Metrics of fakes",
        "Each stands beside its floor: the same number of held-out real images. *Better* says "
        "which way is better; *floor* is the nearer to it. *At least* is the fewest images.",
        table(("metric", "better", "limits", "at least", "what it is"), rows),
        "## Other numbers",
        "Of training, diagnostics, attributes, translations and codes.",
        table(("number", "better", "limits", "what it is"), others),
    ]
    return joined(text)


def interventions() -> str:
    """Every intervention with its fields."""
    from bascule.interventions.known import known_interventions

    told = 'Each changes one rule of training: `--set "interventions=InstanceNoise(0.1)"`.'
    return classes("Interventions", told, known_interventions())


def objectives() -> str:
    """Objectives and penalties."""
    from bascule.gan import objectives as of
    from bascule.gan import penalties

    kinds = [
        *subclasses(of.Objective, of),
        of.TopK,
        *subclasses(penalties.Penalty, penalties),
        *subclasses(penalties.GeneratorPenalty, penalties),
    ]
    told = "What D and G minimise, and what they pay beside it: `--set penalties=R1(1.0)`."
    return classes("Objectives and penalties", told, kinds)


def predictions() -> str:
    """Every prediction with its fields."""
    from bascule import experiments as of

    known = [getattr(of, name) for name in of.__all__]
    told = "A prediction claims a region for one number of the runs, before they are trained."
    return classes("Predictions", told, [k for k in known if hasattr(k, "claim")])


def recipes() -> str:
    """Every kind of recipe, and the experiment with its measures."""
    from bascule.aae.recipe import AAERecipe
    from bascule.experiments.experiment import (
        Experiment,
        Measure,
        MeasureCoding,
        MeasureTranslation,
    )
    from bascule.flow.recipe import FlowRecipe
    from bascule.gan.recipe import GANRecipe
    from bascule.sdpc.hybrid.recipe import HybridRecipe
    from bascule.sdpc.recipe import SDPCRecipe
    from bascule.translation.cut.recipe import ContrastiveRecipe
    from bascule.translation.cyclegan.recipe import CycleRecipe
    from bascule.translation.pix2pix.recipe import PairedRecipe

    kinds = [GANRecipe, AAERecipe, FlowRecipe, CycleRecipe, ContrastiveRecipe, PairedRecipe]
    kinds += [SDPCRecipe, HybridRecipe, Experiment, Measure, MeasureCoding, MeasureTranslation]
    told = "A recipe holds everything that decides what a run computes; `--set` sets any field."
    return classes("Recipes and experiments", told, kinds)


def data() -> str:
    """Sources of images, augmentations of reals, and schedules."""
    from bascule.core import schedules
    from bascule.data import augment
    from bascule.data.faces import Faces
    from bascule.data.fractals import Fractals
    from bascule.data.imported import Imported
    from bascule.translation.domains import TwoSets
    from bascule.translation.pairs import CartoonPair

    kinds = [Faces, Fractals, Imported, CartoonPair, TwoSets]
    kinds += subclasses(augment.Augmentation, augment)
    kinds += [schedules.Uniform, schedules.Anneal, schedules.Cosine]
    told = "`--set data=Faces(n=500)`, `--set augment=Flip()`, `--set lr_D=Anneal(2e-4, 0, 100)`."
    return classes("Images and schedules", told, kinds)


def models() -> str:
    """Every pair of networks."""
    from bascule import presets
    from bascule.models.projected import Projected
    from bascule.models.san import SAN

    known = {type(r.model): r.model for r in {**presets.trained(), **presets.SDPC_PRESETS}.values()}
    kinds = [*(k for k in known if k.__module__.startswith("bascule")), Projected, SAN]
    return classes("Networks", "`--set model=DCGAN(width=32)`, `--set model.width=32`.", kinds)


def python() -> str:
    """Every public name of ``import bascule as bl``."""
    text = ["# Python", "`import bascule as bl`. A name is loaded when it is first used."]
    of_values = []
    for name, module in sorted(bascule._public().items()):
        found = getattr(bascule, name)
        if module.startswith("bascule.api") and inspect.isfunction(found):
            text += [f"## bl.{name}", signature(f"bl.{name}", found), prose(found.__doc__ or "")]
        elif module.startswith("bascule.api"):
            text += [f"## bl.{name}", prose(found.__doc__ or "")]
            for member, value in public_members(found):
                told = prose(value.__doc__ or "")
                call = "" if isinstance(value, property) else signature(member, value)
                text += [f"### bl.{name}.{member}", call, told]
        else:
            of_values.append((f"`bl.{name}`", f"`{module}`", doc(found)))
    text += ["## Values", table(("name", "from", "what it is"), of_values)]
    return joined(text)


PAGES = {
    "verbs": verbs,
    "presets": presets,
    "experiments": experiments,
    "recipes": recipes,
    "interventions": interventions,
    "objectives": objectives,
    "predictions": predictions,
    "metrics": metrics,
    "data": data,
    "models": models,
    "python": python,
}


def classes(title: str, told: str, kinds: Iterable[type]) -> str:
    """A page with each class: its docstring and a table of its fields."""
    text = [f"# {title}", told]
    for kind in kinds:
        text += [f"## {kind.__name__}", prose(without_fields(kind))]
        if dataclasses.is_dataclass(kind) and (rows := [field(f) for f in described(kind)]):
            text.append(table(("field", "type and default", "what it is"), rows))
    return joined(text)


def field(f: Described) -> tuple[str, str, str]:
    """The row of a field in a table."""
    default = "" if f.default is None else f" = {f.default}"
    allowed = f"expected: {f.allowed}" if f.allowed else ""
    return f"`{f.name}`", f"`{f.type}{default}`", "; ".join(filter(None, [f.about, allowed]))


def subclasses(base: type, module: Any) -> list[type]:
    """The public classes of a module that derive from ``base``, in the order of the file."""
    found = [v for v in vars(module).values() if inspect.isclass(v) and issubclass(v, base)]
    own = [v for v in found if v.__module__ == module.__name__ and v is not base]
    return [v for v in own if not v.__name__.startswith("_")]


def public_members(kind: type) -> Iterable[tuple[str, Any]]:
    """The methods and properties that a class itself defines for its users."""
    for name, value in vars(kind).items():
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            yield name, value


def signature(name: str, call: Any) -> str:
    """How it is called, as a block of code."""
    told = re.sub(r"<[^>]*>", "...", str(inspect.signature(call))).replace("self, ", "")
    return f"```python\n{name}{told.replace('(self)', '()').replace(chr(39), '')}\n```"


def without_fields(kind: type) -> str:
    """A docstring without its list of fields, which the table shows."""
    names = {f.name for f in described(kind)} if dataclasses.is_dataclass(kind) else set()
    kept: list[str] = []
    inside = False
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        found = re.match(r"(\w+(?:, \w+)*) {2,}\S", line)
        if found and set(found[1].split(", ")) <= names:
            inside = True
        elif not (inside and re.match(r" {2,}\S", line)):
            inside = False
            kept.append(line)
    return "\n".join(kept)


def prose(docstring: str) -> str:
    """A docstring as Markdown: its blocks of code fenced, its lists of names as lists."""
    text = without_roles(docstring)
    shown: list[str] = []
    fenced = listed = False
    for line in text.splitlines():
        if fenced and line.strip() and not line.startswith("    "):
            shown[-1:] = [*(["```", ""] if shown[-1] == "" else [shown[-1], "```"])]
            fenced = False
        found = re.match(r"([\w, ]+?) {2,}(\S.*)", line)
        if fenced:
            shown.append(line.removeprefix("    "))
        elif line.rstrip().endswith("::"):
            shown += [line.rstrip()[:-1].replace("::", ":"), "", "```python"]
            fenced = True
        elif found:
            shown += [*([] if listed else [""]), f"- `{found[1]}`: {escaped(found[2])}"]
            listed = True
            continue
        elif listed and re.match(r" {2,}\S", line):
            shown[-1] += " " + escaped(line.strip())
            continue
        else:
            shown.append(escaped(line.strip()))
        listed = listed and not line.strip()
    return "\n".join([*shown, "```"] if fenced else shown).replace("```python\n\n", "```python\n")


def doc(thing: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    if not (inspect.isclass(thing) or callable(thing)):
        return ""
    first = without_roles(thing.__doc__ or "").partition("\n\n")[0]
    return " ".join(first.split())


def without_roles(docstring: str) -> str:
    """Code and references as Markdown writes code: :class:`~a.B` becomes `B`."""
    text = re.sub(
        r":\w+:`~?([^`]*)`",
        lambda m: f"`{m[1].rpartition('.')[2]}`",
        inspect.cleandoc(docstring),
    )
    return text.replace("``", "`")


def limits(pair: tuple[float, float]) -> str:
    """``0 to 1``, ``at least 0``, or nothing where any number is possible."""
    low, high = pair
    if isinf(low) and isinf(high):
        return "any"
    return f"at least {low:g}" if isinf(high) else f"{low:g} to {high:g}"


def escaped(text: str) -> str:
    """Text whose signs Markdown must not read, outside of code."""
    parts = text.split("`")
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"([\\*_<>\[\]])", r"\\\1", parts[k])
    return "`".join(parts)


def sentence(text: str) -> str:
    """``text`` with a capital at its head and a full stop at its end."""
    text = " ".join(escaped(text).split())
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "")) else ".")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a cell that begins with a backtick is code."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [cell if cell.startswith("`") else escaped(cell) for cell in row]
        told = [" ".join(cell.split()).replace("|", "\\|") for cell in cells]
        lines.append("| " + " | ".join(told) + " |")
    return "\n".join(lines)


def joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
