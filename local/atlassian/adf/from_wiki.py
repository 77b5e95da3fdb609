"""Wiki markup to a document: what a Cloud site keeps of a text that REST v2 writes."""

from __future__ import annotations

from local.atlassian.adf.nodes import Node, element, normalised, paragraph
from local.atlassian.adf.reader import Media
from local.atlassian.adf.scanner import Scanner

_NO_MEDIA = Media()


def to_document(markup: str, media: Media = _NO_MEDIA) -> Node:
    """Return the document that a text in wiki markup becomes.

    Raises
    ------
    MisfitError
        If the text names a node that cannot stand in a document by itself.
    """
    nodes = normalised(Scanner(media).parse(markup.replace("\0", "")))
    content = element("doc", [_for_a_document(node) for node in nodes]).get("content", [])
    return {"version": 1, "type": "doc", "content": [] if content == [paragraph()] else content}


def _for_a_document(node: Node) -> Node:
    return {**node, "type": "expand"} if node["type"] == "nestedExpand" else node
