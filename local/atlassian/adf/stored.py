"""Nodes as they come out of an ``{adf}`` macro: with the attributes that Jira adds."""

from __future__ import annotations

from typing import Any, Final

from local.atlassian.adf.nodes import Node
from local.atlassian.adf.schema import KINDS

_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "table": {"isNumberColumnEnabled": False, "layout": "default"},
    "tableCell": {},
    "tableHeader": {},
    "codeBlock": {},
    "orderedList": {"order": 1},
    "heading": {"level": 1},
    "panel": {"panelType": "info"},
}


def completed(given: Any) -> Node:
    """Return a node of any kind, or raise ValueError if it is not one."""
    if not isinstance(given, dict) or given.get("type") not in KINDS:
        raise ValueError("not a node")
    if given["type"] == "text":
        if not isinstance(given.get("text"), str) or not given["text"]:
            raise ValueError("an empty text")
        return given
    content = given.get("content") or []
    if not isinstance(content, list):
        raise ValueError("content is not a list")  # noqa: TRY004  # bad JSON is bad JSON
    node: Node = {"type": given["type"]}
    attrs = given.get("attrs") or {}
    if attrs or given["type"] in _DEFAULTS:
        node["attrs"] = {**_DEFAULTS.get(given["type"], {}), **attrs}
    if content or given["type"] in ("paragraph", "heading"):
        node["content"] = [completed(child) for child in content]
    return {**node, "marks": given["marks"]} if given.get("marks") else node
