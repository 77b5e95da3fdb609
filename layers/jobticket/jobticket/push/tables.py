"""The pushed table: one format for the push that writes it and for the pushes that find it again.

A column added at the end of ``ENDINGS`` is written and read from then on. Older tables are still found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from jobticket.dataclass import dataclass
from jobticket.jira.documents.macros import macros
from jobticket.jira.documents.model import Document, TextTable, one_line, strong
from jobticket.jira.documents.wiki import unescape

FIRST = "Date"
#: The columns behind the steps, each with those before it.
ENDINGS = ("Completed",)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_COUNT = re.compile(r"[0-9]+")
_STRONG = re.compile(r"\*(.+)\*|\{\*\}(.+)\{\*\}")
_BAR = re.compile(r"(?<!\\)\|")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Content:
    """What a pushed table says."""

    path: str
    header: tuple[str, ...]
    row: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A pushed table with the name above it, from start to end: nodes of a document, or characters."""

    start: int
    end: int
    content: Content


def section(path: str, steps: Sequence[str], day: date, counts: Sequence[int], *endings: int) -> Document:
    """Return a path's name and table: how many serials stand at each step, and what the last columns say."""
    row = (day.isoformat(), *(str(count) for count in (*counts, *endings)))
    header = (FIRST, *map(one_line, steps), *ENDINGS)
    return (strong(path), TextTable(header, (row,)))


def table_of(content: Content) -> Document:
    """Return a found table as it is written again, with its name above it."""
    return (strong(content.path), TextTable(content.header, (content.row,)))


def _content(path: str, header: Sequence[str], row: Sequence[str]) -> Content | None:
    """Return the content of a table that a push wrote, None for any other."""
    first, *names = header or [""]
    # Markup that Jira Cloud once converted may have more header cells than columns: a bar in a name was one.
    if first != FIRST or not 2 <= len(row) <= len(header):
        return None
    if not any(tuple(names[-count:]) == ENDINGS[:count] for count in range(1, len(ENDINGS) + 1)):
        return None
    day, *counts = row
    if not _DAY.fullmatch(day) or not all(map(_COUNT.fullmatch, counts)):
        return None
    return Content(path, tuple(header), tuple(row))


def find_tables(document: Mapping[str, Any] | None) -> list[OwnTable]:
    """Find the pushed tables among the top nodes of a document, from the first to the last."""
    nodes = (document or {}).get("content") or []
    found = []
    for number, (above, below) in enumerate(pairwise(nodes)):
        path = _strong_text(above)
        rows = _rows(below)
        if path and len(rows) == 2 and (content := _content(path, *rows)):
            found.append(OwnTable(number, number + 2, content))
    return found


def _strong_text(node: Mapping[str, Any]) -> str:
    """Return the text of a paragraph that is strong throughout, else ''."""
    inlines = node.get("content") or []
    if node.get("type") != "paragraph" or not all(map(_is_strong, inlines)):
        return ""
    return "".join(map(_shown, inlines)).strip()


def _is_strong(inline: Mapping[str, Any]) -> bool:
    # A name that went through markup once may hold an emoji or a mention, which have no marks.
    if inline.get("type") != "text" or not inline.get("text", "").strip():
        return True
    return any(mark.get("type") == "strong" for mark in inline.get("marks") or ())


def _rows(table: Mapping[str, Any]) -> list[list[str]]:
    """Return the texts of a header row and a row of cells, nothing for another table."""
    rows = table.get("content") or []
    if table.get("type") != "table" or len(rows) != 2:
        return []
    kinds = ("tableHeader", "tableCell")
    cells = [
        [_cell(cell, kind) for cell in row.get("content") or []]
        for row, kind in zip(rows, kinds, strict=True)
    ]
    if any(text is None for row in cells for text in row):
        return []
    return [[text or "" for text in row] for row in cells]


def _cell(cell: Mapping[str, Any], kind: str) -> str | None:
    attributes = cell.get("attrs") or {}
    blocks = cell.get("content") or []
    merged = attributes.get("colspan", 1) != 1 or attributes.get("rowspan", 1) != 1
    if cell.get("type") != kind or merged or [block.get("type") for block in blocks] != ["paragraph"]:
        return None
    return "".join(map(_shown, blocks[0].get("content") or [])).strip()


def _shown(inline: Mapping[str, Any]) -> str:
    attributes = inline.get("attrs") or {}
    return str(inline.get("text") or attributes.get("text") or attributes.get("shortName") or "")


def find_tables_in_markup(description: str | None) -> list[OwnTable]:
    """Find the pushed tables in a description of Data Center, from the first to the last.

    One inside a macro (``{code}``, ``{quote}``) is something that a person quoted.
    """
    markup = description or ""
    quoted = [(macro.start, macro.end) for macro in macros(markup) if macro.end is not None]
    starts = [start for start, _ in quoted]

    def is_quoted(at: int) -> bool:
        nearest = bisect_right(starts, at) - 1
        return nearest >= 0 and at < quoted[nearest][1]

    return [table for table in _tables(list(_lines(markup))) if not is_quoted(table.start)]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without the white space around it, and where it starts and ends."""

    start: int
    end: int
    text: str


def _lines(markup: str) -> Iterator[_Line]:
    for found in _LINE.finditer(markup):
        text = found[0].strip()
        start = found.start() + (len(found[0]) - len(found[0].lstrip()) if text else 0)
        yield _Line(start, start + len(text), text)


def _tables(lines: Sequence[_Line]) -> Iterator[OwnTable]:
    for number, line in enumerate(lines):
        name = _STRONG.fullmatch(line.text)
        if not name or (number and lines[number - 1].text):
            continue
        below = number + 1
        while below < len(lines) and not lines[below].text:
            below += 1  # Jira Cloud puts a blank line between name and table
        rows = below
        while rows < len(lines) and lines[rows].text.startswith("|"):
            rows += 1
        if rows - below == 2:
            header, row = _cells(lines[below].text, "||"), _cells(lines[below + 1].text, "|")
            if content := _content(unescape(name[1] or name[2]), header, row):
                yield OwnTable(line.start, lines[below + 1].end, content)


def _cells(line: str, bar: str) -> list[str]:
    """Return the texts of a row's cells, nothing if it is a row of another kind."""
    inner = line[len(bar) : -len(bar)]
    bounded = len(line) >= 2 * len(bar) and line.startswith(bar) and line.endswith(bar)
    if not bounded or inner.startswith("|"):
        return []
    bars = re.compile(_BAR.pattern + r"\|") if bar == "||" else _BAR
    return [_header_text(cell) if bar == "||" else cell.strip() for cell in bars.split(inner)]


def _header_text(cell: str) -> str:
    text = cell.strip()
    bold = _STRONG.fullmatch(text)  # as Jira Cloud writes header cells
    return unescape((bold[1] or bold[2]) if bold else text)
