r"""Wiki markup as blocks, as a Data Center renders it.

A Data Center stores the markup itself. Inline text keeps its escapes (``\|``, ``\*``, ``\{``) here: they are
read where the text in a line is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"^h([1-6])\.\s+(.*)$")
_LIST_ITEM = re.compile(r"^\s*([*#]+|-)\s+(\S.*)$")
_RULE = re.compile(r"^\s*-{4,5}\s*$")
_FENCE = re.compile(r"^\s*\{(code|noformat)(:[^}\n]*)?\}")
_QUOTE = re.compile(r"^\s*\{quote\}")
#: A macro with its body, which begins a block of its own wherever in a line it stands.
_MACRO = re.compile(
    r"(?<![\\{])\{(?:(code|noformat)(?::[^}\n]*)?|(quote))\}.*?(?:\{(?:\1|\2)\}|\Z)", re.DOTALL
)
_EN_DASH = re.compile(r"(?<![^\s])--(?![^\s])")
_EM_DASH = re.compile(r"(?<![^\s])---(?![^\s])")


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A list item; ``markers`` is one of ``*`` and ``#`` for each level down to it."""

    markers: str
    text: str


@dataclass(frozen=True, slots=True)
class ListBlock:
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    header: bool
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A ``{code}`` or ``{noformat}`` block; ``parameters`` is what follows the colon."""

    macro: str
    parameters: str
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    pass


Block = Paragraph | Heading | ListBlock | Table | Code | Quote | Rule


class _Lines:
    """The lines of a text with a position."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.at = 0

    @property
    def current(self) -> str | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def take(self) -> str:
        self.at += 1
        return self.lines[self.at - 1]


def parse(text: str) -> list[Block]:
    """Take a text apart into blocks. Any text parses: what is not understood is a paragraph."""
    lines = _Lines(_MACRO.sub(_on_its_own_line, text))
    return list(_blocks(lines))


def _on_its_own_line(macro: re.Match[str]) -> str:
    before = macro.string[: macro.start()].rpartition("\n")[2].strip()
    return macro[0] if not before or before.startswith("|") else f"\n{macro[0]}"


def _blocks(lines: _Lines) -> Iterator[Block]:
    while (line := lines.current) is not None:
        if not line.strip():
            lines.take()
        elif _starts_block(line):
            yield _special(lines)
        else:
            yield _paragraph(lines)


def _starts_block(line: str) -> bool:
    patterns = (_HEADING, _LIST_ITEM, _RULE, _FENCE, _QUOTE)
    return line.lstrip().startswith("|") or any(pattern.match(line) for pattern in patterns)


def _special(lines: _Lines) -> Block:
    line = lines.lines[lines.at]
    if line.lstrip().startswith("|"):
        return _table(lines)
    if _FENCE.match(line):
        return _code(lines)
    if _QUOTE.match(line):
        return _quote(lines)
    if _LIST_ITEM.match(line):
        return _list(lines)
    lines.take()
    if heading := _HEADING.match(line):
        return Heading(int(heading[1]), _dashes(heading[2].strip()))
    return Rule()


def _paragraph(lines: _Lines) -> Paragraph:
    text: list[str] = []
    while (line := lines.current) is not None and line.strip() and not (text and _starts_block(line)):
        text.append(_dashes(lines.take().strip()))
    return Paragraph("\n".join(text))


def _list(lines: _Lines) -> ListBlock:
    items: list[Item] = []
    while (line := lines.current) is not None and line.strip():
        if match := _LIST_ITEM.match(line):
            items.append(Item(match[1].replace("-", "*"), _dashes(match[2].strip())))
        elif _starts_block(line):
            break
        else:
            items[-1] = Item(items[-1].markers, f"{items[-1].text}\n{_dashes(line.strip())}")
        lines.take()
    return ListBlock(tuple(items))


def _code(lines: _Lines) -> Block:
    first = lines.take()
    match = _FENCE.match(first)
    assert match is not None
    end = "{" + match[1] + "}"
    collected: list[str] = []
    rest: str | None = first[match.end() :]
    while rest is not None:
        before, found, after = rest.partition(end)
        if found:
            collected.append(before)
            _push_back(lines, after)
            break
        collected.append(rest)
        rest = lines.take() if lines.current is not None else None
    text = "\n".join(line.rstrip() for line in collected).strip("\n")
    return Code(match[1], (match[2] or "").removeprefix(":"), text)


def _quote(lines: _Lines) -> Block:
    rest = lines.take().strip().removeprefix("{quote}")
    collected: list[str] = []
    while "{quote}" not in rest:
        collected.append(rest.strip())
        if lines.current is None:
            return Quote("\n".join(collected).strip())
        rest = lines.take()
    before, _, after = rest.partition("{quote}")
    collected.append(before.strip())
    _push_back(lines, after)
    return Quote("\n".join(collected).strip())


def _push_back(lines: _Lines, rest: str) -> None:
    """Leave what stands behind a closing macro as the next line."""
    if rest.strip():
        lines.at -= 1
        lines.lines[lines.at] = rest


def _table(lines: _Lines) -> Table:
    rows: list[tuple[Cell, ...]] = []
    while (line := lines.current) is not None and line.lstrip().startswith("|"):
        row = lines.take().strip()
        # A cell may hold line breaks: the row goes on until a line closes it.
        while not _closed(row) and (more := lines.current) is not None and _continues(more):
            row += "\n" + lines.take().strip()
        rows.append(_cells(row))
    return Table(tuple(rows))


def _continues(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("|")


def _closed(row: str) -> bool:
    return len(row) > 1 and row.endswith("|") and not _ends_in_escape(row[:-1])


def _ends_in_escape(text: str) -> bool:
    """Tell whether a backslash at the end would escape whatever came next."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _cells(row: str) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    at = 0
    while at < len(row):
        header = row.startswith("||", at)
        at += 2 if header else 1
        end = _cell_end(row, at)
        if end < len(row) or row[at:end].strip():
            cells.append(Cell(header, _dashes(row[at:end].strip())))
        if not row[end:].strip("|"):
            break
        at = end
    return tuple(cells)


def _cell_end(row: str, at: int) -> int:
    """Find the bar that ends a cell: not an escaped one, nor one inside a link or a macro."""
    closing: str | None = None
    while at < len(row):
        char = row[at]
        if char == "\\":
            at += 1
        elif closing is None and char in "[{":
            closing = {"[": "]", "{": "}"}[char] if _has_closing(row, at) else None
        elif char == closing:
            closing = None
        elif char == "|" and closing is None:
            return at
        at += 1
    return len(row)


def _has_closing(row: str, at: int) -> bool:
    """Tell whether a bracket opens something: ``[text|url]`` or ``{macro}``, on the same line."""
    pattern = r"\[[^\[\]\n]+\]" if row[at] == "[" else r"\{[^{}\n|]+\}"
    return re.match(pattern, row[at:]) is not None


def _dashes(text: str) -> str:
    """Replace two and three free-standing hyphens as Jira does: they are dashes, not rules."""
    if "--" not in text:
        return text
    return _EN_DASH.sub("–", _EM_DASH.sub("—", text))
