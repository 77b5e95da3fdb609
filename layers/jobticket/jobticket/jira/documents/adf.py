"""Documents as Jira Cloud takes them (Atlassian Document Format, REST v3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jobticket.jira.documents.model import (
    Block,
    BulletList,
    HorizontalRule,
    Inline,
    Link,
    Paragraph,
    Text,
    TextTable,
)

Node = dict[str, Any]


def to_adf(document: Iterable[Block]) -> Node:
    """Return a whole document."""
    return {"type": "doc", "version": 1, "content": to_nodes(document)}


def to_nodes(document: Iterable[Block]) -> list[Node]:
    """Return the nodes of a document, to append to those that people wrote."""
    return [_block(block) for block in document if block != BulletList(())]


def _block(block: Block) -> Node:
    match block:
        case Paragraph(content):
            return _paragraph(content)
        case BulletList(items):
            nodes = [{"type": "listItem", "content": [_paragraph(item)]} for item in items]
            return {"type": "bulletList", "content": nodes}
        case HorizontalRule():
            return {"type": "rule"}
        case TextTable(header, rows):
            cells = [_row("tableHeader", header), *(_row("tableCell", row) for row in rows)]
            attributes = {"isNumberColumnEnabled": False, "layout": "default"}
            return {"type": "table", "attrs": attributes, "content": cells}


def _row(kind: str, cells: Sequence[str]) -> Node:
    nodes = [{"type": kind, "attrs": {}, "content": [_paragraph([Text(cell)])]} for cell in cells]
    return {"type": "tableRow", "content": nodes}


def _paragraph(content: Iterable[Inline]) -> Node:
    # Jira refuses a text node without text.
    return {"type": "paragraph", "content": [node for inline in content if (node := _inline(inline))["text"]]}


def _inline(inline: Inline) -> Node:
    match inline:
        case Link(url):
            return {"type": "text", "text": url, "marks": [{"type": "link", "attrs": {"href": url}}]}
        case Text(text, True):
            return {"type": "text", "text": text, "marks": [{"type": "strong"}]}
        case Text(text):
            return {"type": "text", "text": text}
