"""Tables: rows of cells between bars, ``||heading||`` and ``|cell|``. Nothing protects a bar in a cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from local.atlassian.adf.emoji import TOKENS as EMOJI
from local.atlassian.adf.keywords import macro_keyword
from local.atlassian.adf.links import read_link
from local.atlassian.adf.media import TOKENS as MEDIA
from local.atlassian.adf.nodes import (
    SPACES,
    Node,
    content_of,
    element,
    mark,
    marked,
    normalised,
    paragraph,
)
from local.atlassian.adf.reader import DASHES, Found, Kind, Reader, line_end

_BARS: Final = re.compile(r"([ \t]*)(\|+)")
_EMPTY_LINE: Final = re.compile(r"[ \t]*\r?\n")
_PLAIN: Final = re.compile(r"[^|\r\n\[!:;({]+")
_IGNORED: Final = DASHES | {Kind.TABLE, Kind.RULER}
_LAYOUT: Final = {"isNumberColumnEnabled": False, "layout": "default"}


class _Rows:
    """Goes through the rows of a table."""

    def __init__(self, reader: Reader, text: str, at: int) -> None:
        self._reader = reader
        self._text = text
        self.at = at
        self._bars = ""
        self._collected: list[str] = []
        self._cells: list[Node] = []
        self.rows: list[Node] = []

    def read(self) -> None:
        while match := _BARS.match(self._text, self.at):
            self._bars = match[2]
            self.at = match.end()
            if not self._row():
                break
        self._row_ends()

    def _row(self) -> bool:
        """Read a row; False if the table ends with it."""
        while self.at < len(self._text):
            length = line_end(self._text, self.at)
            if not length:
                self._step()
                continue
            start = self._text.rfind("|", 0, self.at + 1) + 1
            before = self._text[start : self.at]
            self.at += length
            if not before or _EMPTY_LINE.match(before):
                self._row_ends()
                return True
            self._collected.append(self._text[self.at - length : self.at])
            if self.at >= len(self._text):
                break
            if _EMPTY_LINE.match(self._text, self.at):
                self._cell_ends()
                return False
            if _BARS.match(self._text, self.at):
                self._row_ends()
                return True
        self._row_ends()
        return False

    def _step(self) -> None:
        char = self._text[self.at]
        if char == "|":
            self._cell_ends()
            match = _BARS.match(self._text, self.at)
            assert match is not None
            self._bars = match[2]
            self.at = match.end()
            return
        run = _PLAIN.match(self._text, self.at)
        found = Found(len(run[0])) if run else self._passed_over(char)
        whole = self._text[self.at : self.at + found.length]
        self._collected.append(found.text if char == "[" and found.nodes is None else whole)
        self.at += found.length

    def _passed_over(self, char: str) -> Found:
        """Read what may hold a bar that ends no cell: a link, a picture, a macro."""
        if char == "[":
            return read_link(self._reader, self._text, self.at)
        if char == "!":
            return MEDIA[Kind.MEDIA](self._reader, self._text, self.at)
        if char in ":;(":
            return EMOJI[Kind.EMOJI](self._reader, self._text, self.at)
        kind = macro_keyword(self._text, self.at)
        return self._reader.token(kind, self._text, self.at) if kind else Found(1)

    def _cell_ends(self) -> None:
        raw = "".join(self._collected)
        self._collected = []
        if raw:
            nodes = self._reader.parse(raw, _IGNORED)
            header = self._bars == "||"
            content = normalised([_strong(node) for node in nodes] if header else nodes)
            kind = "tableHeader" if "||" in self._bars else "tableCell"
            self._cells.append(element(kind, content, {}))

    def _row_ends(self) -> None:
        if "".join(self._collected).strip(SPACES):
            self._cell_ends()
        self._collected = []
        if self._cells:
            self.rows.append(element("tableRow", self._cells))
        self._cells = []


def _strong(node: Node) -> Node:
    """Mark all text of a heading cell as strong. The texts stay apart: nothing joins them again."""
    if node["type"] == "text":
        return marked(node, mark("strong"))
    if node["type"] == "codeBlock" or not content_of(node):
        return node
    return {**node, "content": [_strong(child) for child in content_of(node)]}


def _read(reader: Reader, text: str, at: int) -> Found:
    table = _Rows(reader, text, at)
    table.read()
    rows = table.rows or [element("tableRow", [element("tableCell", [paragraph()], {})])]
    return Found(table.at - at, [element("table", rows, _LAYOUT)])


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {Kind.TABLE: _read}
