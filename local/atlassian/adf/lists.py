"""Lists: lines that begin with ``*``, ``#`` or ``-``, and the lines that continue an item."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from local.atlassian.adf.keywords import MAX_LIST_DEPTH, macro_keyword
from local.atlassian.adf.macros import heading_in_a_list
from local.atlassian.adf.nodes import (
    SPACES,
    MisfitError,
    Node,
    content_of,
    element,
    normalised,
    paragraph,
    plain_text,
)
from local.atlassian.adf.reader import Found, Kind, Reader, line_end

_ITEM: Final = re.compile(rf" *([*\-#]{{1,{MAX_LIST_DEPTH}}}) ")
_EMPTY_LINE: Final = re.compile(r"[ \t]*\r?\n")
_RULER: Final = re.compile(r"-{4,5}")
_PLAIN: Final = re.compile(r"[^\r\n{]+")
_IGNORED: Final = frozenset((Kind.FOUR_DASHES, Kind.LIST, Kind.TABLE))
_IN_ITEMS: Final = frozenset(("paragraph", "orderedList", "bulletList", "mediaSingle", "codeBlock"))
_LISTS: Final = frozenset(("bulletList", "orderedList", "taskList"))


@dataclass(eq=False, slots=True)
class _Item:
    above: _List
    content: list[Node] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _List:
    kind: str
    above: _Item | None = None
    items: list[_Item] = field(default_factory=list)


def _kind(signs: str) -> str:
    return "orderedList" if signs.endswith("#") else "bulletList"


class _Builder:
    """Puts items under each other by the number of signs that they begin with."""

    def __init__(self, signs: str) -> None:
        self._root = _List(_kind(signs))
        self._depth = 1
        self._last = self._root

    @property
    def kind(self) -> str:
        return self._root.kind

    def add(self, signs: str, content: list[Node]) -> None:
        depth, kind = len(signs), _kind(signs)
        if depth > self._depth:
            self._descend(depth - self._depth, kind)
        elif depth < self._depth:
            self._ascend(self._depth - depth)
        self._depth = depth
        self._add(kind, content)

    def _add(self, kind: str, content: list[Node]) -> None:
        if self._last.kind != kind:
            above = self._last.above
            if above is None:
                raise MisfitError("a list of two kinds")
            self._last = _List(kind, above)
            above.lists.append(self._last)
        self._last.items.append(_Item(self._last, content))

    def _descend(self, levels: int, kind: str) -> None:
        for _ in range(levels):
            if not self._last.items:
                self._last.items.append(_Item(self._last))
            item = self._last.items[-1]
            item.lists = [_List(kind, item)]
            self._last = item.lists[0]

    def _ascend(self, levels: int) -> None:
        for _ in range(levels):
            if self._last.above is not None:
                self._last = self._last.above.above

    def build(self) -> list[Node]:
        return _list_nodes(self._root)


def _list_nodes(tree: _List) -> list[Node]:
    """Return a list, in pieces around what a list item cannot hold."""
    output: list[Node] = []
    items: list[Node] = []
    attrs = {"order": 1} if tree.kind == "orderedList" else None
    for item in tree.items:
        for node in _item_nodes(item):
            if node["type"] == "listItem":
                items.append(node)
                continue
            output += [element(tree.kind, items, attrs)] if items else []
            output.append(node)
            items = []
    return output + ([element(tree.kind, items, attrs)] if items else [])


def _item_nodes(item: _Item) -> list[Node]:
    output: list[Node] = []
    inside: list[Node] = []
    nested = [node for each in item.lists for node in _list_nodes(each)]
    for node in [*item.content, *nested]:
        if _is_blank(node):
            continue
        if node["type"] in _IN_ITEMS:
            inside.append(node)
        else:
            output += [_list_item(inside), node]
            inside = []
    return output + ([_list_item(inside)] if inside else [])


def _is_blank(node: Node) -> bool:
    if node["type"] != "paragraph":
        return False
    return all(child["type"] == "text" for child in content_of(node)) and not plain_text(node).strip(SPACES)


def _list_item(content: list[Node]) -> Node:
    first = content[0]["type"] if content else ""
    if first not in ("paragraph", "mediaSingle") and first not in _LISTS:
        content = [paragraph(), *content]
    return element("listItem", content)


class _Lines:
    """Goes through the lines of a list."""

    def __init__(self, reader: Reader, text: str, at: int) -> None:
        self._reader = reader
        self._text = text
        self.at = at
        self._signs = ""
        self._collected: list[str] = []
        self._builder: _Builder | None = None
        self.output: list[Node] = []

    def read(self) -> None:
        while self.at < len(self._text):
            self._line_begins()
            if _EMPTY_LINE.match(self._text, self._line_start):
                break
            self._rest_of_line()
        if self._builder is not None:
            self._item_ends(always=True)
            self.output += self._builder.build()

    def _line_begins(self) -> None:
        self._line_start = self.at
        match = _ITEM.match(self._text, self.at)
        if match is None or self._is_ruler(match[1]):
            return
        signs = match[1]
        if self._builder is None:
            self._builder = _Builder(signs)
        else:
            self._item_ends()
            if len(signs) == 1 and _kind(signs) != self._builder.kind:
                self.output += self._builder.build()
                self._builder = _Builder(signs)
        self._signs = signs
        self.at = match.end()

    def _is_ruler(self, signs: str) -> bool:
        dashes = _RULER.match(signs)
        return dashes is not None and bool(_EMPTY_LINE.match(self._text, self.at + len(dashes[0])))

    def _item_ends(self, *, always: bool = False) -> None:
        raw = "".join(self._collected)
        self._collected = []
        if self._builder is not None and (raw or always):
            nodes = self._reader.parse(raw, _IGNORED, leading_space=True)
            self._builder.add(self._signs, _fitting(normalised(nodes)))

    def _rest_of_line(self) -> None:
        while self.at < len(self._text):
            length = line_end(self._text, self.at)
            ends = length > 0
            if not ends and (run := _PLAIN.match(self._text, self.at)):
                length = len(run[0])
            elif not ends:
                kind = macro_keyword(self._text, self.at)
                length = self._reader.token(kind, self._text, self.at).length if kind else 1
            self._collected.append(self._text[self.at : self.at + length])
            self.at += length
            if ends:
                return


def _fitting(nodes: list[Node]) -> list[Node]:
    """Turn quotes and headings into what an item can hold."""
    result: list[Node] = []
    for node in nodes:
        if node["type"] == "blockquote":
            result += content_of(node)
        else:
            result.append(heading_in_a_list(node) if node["type"] == "heading" else node)
    return result


def _read(reader: Reader, text: str, at: int) -> Found:
    lines = _Lines(reader, text, at)
    lines.read()
    return Found(lines.at - at, lines.output)


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {Kind.LIST: _read}
