"""Whether a JSON value is a document that Jira would take."""

from __future__ import annotations

from typing import Any, Final

from local.atlassian.adf.schema import KINDS, MARKS, Shape

_MEMBERS: Final = frozenset(("type", "attrs", "content", "marks"))
_BESIDE_CODE: Final = frozenset(("code", "link", "annotation"))
_ALONE: Final = frozenset(("alignment", "indentation"))


def is_document(value: Any) -> bool:
    """Tell whether a value claims to be a document: what is in it is another question."""
    return isinstance(value, dict) and value.get("type") == "doc" and value.get("version") == 1


def is_valid(document: Any) -> bool:
    """Tell whether a document is built of known nodes that stand where they may."""
    if not is_document(document) or not isinstance(document.get("content"), list):
        return False
    return document.keys() <= {"type", "version", "content"} and _content_fits(KINDS["doc"], document)


def _node_fits(node: Any, allowed: frozenset[str]) -> bool:
    if not isinstance(node, dict) or not isinstance(node.get("type"), str) or node["type"] not in allowed:
        return False
    kind = node["type"]
    if kind == "text":
        return node.keys() <= {"type", "text", "marks"} and _text_fits(node)
    shape = KINDS[kind]
    return (
        node.keys() <= _MEMBERS
        and shape.fits(node.get("attrs", {}))
        and _marks_fit(node, shape)
        and _content_fits(shape, node)
        and _special(node)
    )


def _text_fits(node: dict[str, Any]) -> bool:
    if not isinstance(node.get("text"), str) or not node["text"] or not _marks_fit(node, KINDS["text"]):
        return False
    names = {mark["type"] for mark in node.get("marks", [])}
    return "code" not in names or names <= _BESIDE_CODE


def _marks_fit(node: dict[str, Any], shape: Shape) -> bool:
    marks = node.get("marks", [])
    if not isinstance(marks, list) or not all(_mark_fits(mark, shape.marks) for mark in marks):
        return False
    return len(_ALONE & {mark["type"] for mark in marks}) < len(_ALONE)


def _mark_fits(mark: Any, allowed: frozenset[str]) -> bool:
    if not isinstance(mark, dict) or not isinstance(mark.get("type"), str) or mark["type"] not in allowed:
        return False
    return mark.keys() <= {"type", "attrs"} and MARKS[mark["type"]].fits(mark.get("attrs", {}))


def _content_fits(shape: Shape, node: dict[str, Any]) -> bool:
    if shape.content is None:
        return not node.get("content")
    content = node.get("content", [])
    if not isinstance(content, list) or len(content) < shape.least:
        return False
    if shape.most is not None and len(content) > shape.most:
        return False
    return all(_node_fits(child, shape.content) for child in content)


def _special(node: dict[str, Any]) -> bool:
    """Check what one table of shapes cannot say."""
    attrs, content = node.get("attrs", {}), node.get("content", [])
    match node["type"]:
        case "codeBlock":
            return not any(child.get("marks") for child in content)
        case "media":
            return bool(
                "url" in attrs if attrs["type"] == "external" else {"id", "collection"} <= attrs.keys()
            )
        case "mediaSingle":
            return [child["type"] for child in content] in (["media"], ["media", "caption"])
        case "inlineCard" | "blockCard":
            return bool(attrs.keys() & {"url", "data", "datasource"})
        case "taskList":
            return bool(content[0]["type"] != "taskList")
    return True
