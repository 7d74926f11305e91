"""A page as GitHub-flavoured Markdown, which is also readable as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bascule.reports.page import (
    Block,
    Drawing,
    Gallery,
    Lines,
    Page,
    Pictures,
    Samples,
    Table,
    Text,
)


def render(page: Page, stem: str) -> str:
    """The whole page. It links to drawings in ``figures/STEM-*.png`` and grids in ``samples/``."""
    return "\n\n".join(_parts(page, stem)) + "\n"


def text(words: str) -> str:
    """Text with HTML characters escaped."""
    return words.replace("<", "&lt;")


def cell(words: str) -> str:
    """Text of a table cell: on one line, with bars escaped."""
    return text(" ".join(words.split())).replace("|", "\\|")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of text cells."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell(c) for c in line)} |" for line in lines)


def quote(lines: str) -> str:
    """Lines as a block quote that keeps the line breaks."""
    return "\n".join(f"> {text(line)}  " for line in lines.splitlines())


def _parts(page: Page, stem: str) -> Iterator[str]:
    yield f"# {cell(page.title)}"
    if page.answer:
        if page.answer.finding:
            yield f"**{text(page.answer.finding)}**"
        yield f"**Verdict: {page.answer.word.upper()}** ({text(page.answer.why)})"
        if page.answer.chips:
            yield "\n".join(f"- **{c.word}**: {text(c.text)}" for c in page.answer.chips)
    if page.hero:
        yield from _block(page.hero, stem)
    if page.answer:
        yield text(page.answer.meaning)
    for label, words in page.lead:
        first, *rest = words.paragraphs or [""]
        yield f"**{label}** {text(first)}"
        yield from map(text, rest)
    for section in page.sections:
        yield f"## {section.title}"
        for block in section.blocks:
            yield from _block(block, stem)


def _block(block: Block, stem: str) -> Iterator[str]:
    match block:
        case Text():
            yield from map(text, block.paragraphs)
        case Lines(body, code=True):
            yield f"```sh\n{body}\n```"
        case Lines(body):
            yield from _quoted(body)
        case Pictures():
            yield "\n".join(f"- {text(name)}" for name, _ in block.rows)
        case Table():
            yield table(block.columns, block.rows)
            if block.caption:
                yield f"*{text(block.caption)}*"
        case Drawing():
            yield f"![{cell(block.alt)}](figures/{stem}-{block.name}.png)"
            numbers = f" [The numbers](figures/{stem}-{block.name}.csv)" if block.data else ""
            yield f"*{text(block.caption)}*{numbers}"
        case Gallery():
            yield f"![{cell(block.alt)}](figures/{stem}-{block.name}.png)"
            yield f"*{text(block.caption)}*"
        case Samples():
            for picture in block.pictures:
                yield f"![{cell(picture.caption)}](samples/{picture.file})"
                yield f"*{cell(picture.caption)}*"
            yield from _quoted(block.credit)


def _quoted(lines: str) -> Iterator[str]:
    if lines.strip():
        yield quote(lines)
