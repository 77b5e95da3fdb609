"""Nodes of a document as plain JSON objects, and the rules by which the converter puts them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from local.atlassian.adf.schema import INLINE, KINDS

Node = dict[str, Any]

SPACES: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What the converter takes for white space. Python's own idea of it differs in a few characters."""


class MisfitError(Exception):
    """A node that may not stand where it was to be put."""


def is_block(node: Node) -> bool:
    return node["type"] not in INLINE


def content_of(node: Node) -> list[Node]:
    content: list[Node] = node.get("content") or []
    return content


def attrs_of(node: Node) -> dict[str, Any]:
    attrs: dict[str, Any] = node.get("attrs") or {}
    return attrs


def marks_of(node: Node) -> list[Node]:
    marks: list[Node] = node.get("marks") or []
    return marks


def text(value: str, *marks: Node) -> Node:
    node: Node = {"type": "text", "text": value}
    return {**node, "marks": list(marks)} if marks else node


def texts(value: str) -> list[Node]:
    """Return a text as nodes: an empty text is no node."""
    return [text(value)] if value else []


def mark(kind: str, **attrs: Any) -> Node:
    return {"type": kind, "attrs": attrs} if attrs else {"type": kind}


def marked(node: Node, added: Node) -> Node:
    """Put a mark on a text that does not have it yet; code carries no other marks."""
    if node["type"] != "text" or {each["type"] for each in marks_of(node)} & {added["type"], "code"}:
        return node
    return {**node, "marks": [*marks_of(node), added]}


def element(kind: str, content: Iterable[Node] = (), attrs: Mapping[str, Any] | None = None) -> Node:
    """Return a node with its content, in which neighbouring texts of the same marks have become one."""
    children = _joined(content)
    allowed = KINDS[kind].content
    if allowed is not None and any(child["type"] not in allowed for child in children):
        raise MisfitError(kind)
    node: Node = {"type": kind}
    if attrs is not None:
        node["attrs"] = dict(attrs)
    if children or kind in ("paragraph", "heading"):
        node["content"] = children
    return node


def paragraph(content: Iterable[Node] = ()) -> Node:
    return element("paragraph", content)


def title(value: str) -> Node:
    """Return the paragraph that a macro's title becomes."""
    return paragraph([text(value, mark("strong"))])


def plain_text(node: Node) -> str:
    """Return the text of a node and of all that it holds."""
    if node["type"] == "text":
        return str(node["text"])
    return "".join(plain_text(child) for child in content_of(node))


def _joined(nodes: Iterable[Node]) -> list[Node]:
    result: list[Node] = []
    for node in nodes:
        last = result[-1] if result else None
        if last is not None and last["type"] == node["type"] == "text" and marks_of(last) == marks_of(node):
            result[-1] = {**last, "text": last["text"] + node["text"]}
        else:
            result.append(node)
    return result


def normalised(nodes: Sequence[Node]) -> list[Node]:
    """Wrap what stands in a line in paragraphs, so that only blocks are left."""
    output: list[Node] = []
    line: list[Node] = []
    for node in _media_groups_merged(nodes):
        if is_block(node):
            output += _line_paragraph(line)
            output.append(node)
            line = []
        else:
            line.append(node)
    output += _line_paragraph(line)
    return output or [paragraph()]


def _line_paragraph(line: list[Node]) -> list[Node]:
    return [paragraph(line)] if any(node["type"] != "hardBreak" for node in line) else []


def _media_groups_merged(nodes: Sequence[Node]) -> list[Node]:
    """Make one group of neighbouring groups of one file each; a space or one line break parts them not."""
    output: list[Node] = []
    group: list[Node] = []
    between: list[Node] = []
    for node in nodes:
        if node["type"] == "mediaGroup" and len(content_of(node)) == 1:
            group += content_of(node)
            between = []
        elif not group:
            output.append(node)
        elif _separates(node, between):
            output += [element("mediaGroup", group), *between, node]
            group, between = [], []
        else:
            between.append(node)
    if group:
        output.append(element("mediaGroup", group))
    return output + between


def _separates(node: Node, between: list[Node]) -> bool:
    second_break = node["type"] == "hardBreak" and any(each["type"] == "hardBreak" for each in between)
    return second_break or node["type"] == "mediaGroup" or bool(plain_text(node).strip(SPACES))
