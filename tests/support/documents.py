"""Documents of Jira as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def read(written: Any) -> str:
    """The text of a document of Jira's, each block a line, a rule as three hyphens; markup as it is."""
    return written if isinstance(written, str) else "\n".join(_lines(written))


def _lines(node: dict[str, Any]) -> Iterator[str]:
    if node["type"] == "rule":
        yield "---"
    elif node["type"] == "paragraph":
        yield "".join(child["text"] for child in node.get("content", []))
    for child in node.get("content", []):
        lines = _lines(child)
        yield from (f"- {line}" for line in lines) if child["type"] == "listItem" else lines
