"""Wiki markup to document (REST v3 answers) and back (REST v3 requests)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from local.atlassian import wiki, wiki_inline
from local.atlassian.wiki_inline import Break, Inline, Link, Marked, Text

Node = dict[str, Any]


def is_document(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("type") == "doc"
        and value.get("version") == 1
        and isinstance(value.get("content"), list)
    )


def from_markup(text: str) -> Node:
    """Return the document that a text in wiki markup stands for."""
    return {"type": "doc", "version": 1, "content": [_node(block) for block in wiki.parse(text)]}


def to_markup(document: Node) -> str:
    """Return a document as wiki markup; what it cannot express is kept in an ``{adf}`` block."""
    return "\n\n".join(_markup(node) for node in document["content"])


def _node(block: wiki.Block) -> Node:
    match block:
        case wiki.Paragraph(text):
            return _paragraph(text)
        case wiki.Heading(level, text):
            return {"type": "heading", "attrs": {"level": level}, "content": _texts(text)}
        case wiki.ListBlock(items):
            return _list_nodes(list(items), 0)[0]
        case wiki.Table(rows):
            return {"type": "table", "content": [_row_node(row) for row in rows]}
        case wiki.Code(_, parameters, text):
            node: Node = {
                "type": "codeBlock",
                "attrs": {},
                "content": [{"type": "text", "text": text}] if text else [],
            }
            if parameters:
                node["attrs"] = {"language": parameters.split("|")[0]}
            return node
        case wiki.Quote(text):
            return {"type": "blockquote", "content": [_paragraph(text)]}
        case wiki.Rule():
            return {"type": "rule"}


def _paragraph(text: str) -> Node:
    return {"type": "paragraph", "content": _texts(text)}


def _row_node(row: tuple[wiki.Cell, ...]) -> Node:
    cells: list[Node] = [
        {
            "type": "tableHeader" if cell.header else "tableCell",
            "attrs": {},
            "content": [_paragraph(cell.text)],
        }
        for cell in row
    ]
    return {"type": "tableRow", "content": cells}


def _list_nodes(items: list[wiki.Item], depth: int) -> list[Node]:
    """Nest items by their markers; items of a level that share a marker share a list."""
    lists: list[Node] = []
    while items:
        marker = items[0].markers[min(depth, len(items[0].markers) - 1)]
        kind = "orderedList" if marker == "#" else "bulletList"
        if not lists or lists[-1]["type"] != kind:
            lists.append({"type": kind, "content": []})
        first = items.pop(0)
        entry: Node = {"type": "listItem", "content": [_paragraph(first.text)]}
        deeper: list[wiki.Item] = []
        while items and len(items[0].markers) > depth + 1:
            deeper.append(items.pop(0))
        entry["content"] += _list_nodes(deeper, depth + 1)
        lists[-1]["content"].append(entry)
    return lists


def _texts(source: str) -> list[Node]:
    return [node for piece in wiki_inline.parse(source) for node in _inline_nodes(piece, [])]


def _inline_nodes(piece: Inline, marks: list[Node]) -> Iterable[Node]:
    match piece:
        case Text(text):
            yield {"type": "text", "text": text, **({"marks": marks} if marks else {})}
        case Break():
            yield {"type": "hardBreak"}
        case Marked(mark, children):
            name = {"sup": "subsup", "sub": "subsup"}.get(mark, mark)
            own: Node = {"type": name, "attrs": {"type": mark}} if name == "subsup" else {"type": name}
            yield from (node for child in children for node in _inline_nodes(child, [*marks, own]))
        case Link(url, children):
            own = {"type": "link", "attrs": {"href": url}}
            yield from (node for child in children for node in _inline_nodes(child, [*marks, own]))


def _markup(node: Node) -> str:
    writer = _WRITERS.get(node.get("type", ""))
    return writer(node) if writer else "{adf}" + json.dumps(node, separators=(",", ":")) + "{adf}"


def _content(node: Node) -> list[Node]:
    content = node.get("content", [])
    return content if isinstance(content, list) else []


def _inline_markup(node: Node) -> str:
    return "".join(_text_markup(each) for each in _content(node))


def _text_markup(node: Node) -> str:
    match node.get("type"):
        case "text":
            return _with_marks(str(node.get("text", "")), node.get("marks", []))
        case "hardBreak":
            return "\n"
        case "inlineCard":
            return f"[{node.get('attrs', {}).get('url', '')}]"
        case _:
            return str(node.get("attrs", {}).get("text", ""))


def _with_marks(text: str, marks: list[Node]) -> str:
    names = {mark.get("type"): mark for mark in marks}
    if "code" in names:
        return f"{{{{{text}}}}}"
    text = re.sub(r"[\\{}\[\]|*!]", lambda found: "\\" + found[0], text)
    for name, sign in (("em", "_"), ("strike", "-"), ("strong", "*"), ("underline", "+")):
        if name in names:
            text = f"{sign}{text}{sign}"
    if "link" in names:
        text = f"[{text}|{names['link'].get('attrs', {}).get('href', '')}]"
    return text


def _list_markup(node: Node, prefix: str = "") -> str:
    marker = prefix + ("#" if node["type"] == "orderedList" else "*")
    lines: list[str] = []
    for entry in _content(node):
        for part in _content(entry):
            if part.get("type") in ("bulletList", "orderedList"):
                lines.append(_list_markup(part, marker))
            else:
                lines.append(f"{marker} {_inline_markup(part)}")
    return "\n".join(lines)


def _table_markup(node: Node) -> str:
    return "\n".join(_row_markup(row) for row in _content(node))


def _row_markup(row: Node) -> str:
    line, sign = "", "|"
    for cell in _content(row):
        sign = "||" if cell.get("type") == "tableHeader" else "|"
        line += sign + ("\n".join(_markup(part) for part in _content(cell)) or " ")
    return line + sign


def _code_markup(node: Node) -> str:
    language = (node.get("attrs") or {}).get("language")
    text = "".join(str(each.get("text", "")) for each in _content(node))
    return f"{{code:{language}}}\n{text}\n{{code}}" if language else f"{{noformat}}\n{text}\n{{noformat}}"


def _heading_markup(node: Node) -> str:
    return f"h{node.get('attrs', {}).get('level', 1)}. {_inline_markup(node)}"


def _quote_markup(node: Node) -> str:
    return "{quote}\n" + "\n".join(_markup(part) for part in _content(node)) + "\n{quote}"


_WRITERS: dict[str, Callable[[Node], str]] = {
    "paragraph": _inline_markup,
    "heading": _heading_markup,
    "bulletList": _list_markup,
    "orderedList": _list_markup,
    "table": _table_markup,
    "codeBlock": _code_markup,
    "blockquote": _quote_markup,
    "rule": lambda _: "----",
}
