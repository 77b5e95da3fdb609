"""Descriptions and comments: stored in the writer's form, shown in the reader's.

A Cloud site keeps documents; its REST v2 speaks wiki markup and converts. A Data Center keeps the markup that
it was given. One emulated site can be both at a time, so a text is converted when it is read.
"""

from __future__ import annotations

import json
from typing import Any

from local.atlassian.adf import from_wiki, to_wiki
from local.atlassian.adf.nodes import MisfitError, Node, content_of, plain_text
from local.atlassian.adf.reader import Media
from local.atlassian.adf.validity import is_document, is_valid
from local.atlassian.model import Issue, RichText
from local.atlassian.routing import Call

_NOT_A_DOCUMENT = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
_UNSUPPORTED = (
    "We can't create this issue for you right now, it could be due to unsupported content you've entered "
    "into one or more of the issue fields. If this situation persists, contact your administrator as "
    "they'll be able to access more specific information in the log file."
)


class FieldError(Exception):
    """A value that a field refuses."""


class ContentError(FieldError):
    """A document that Jira does not take. It says so in a code, for the request as a whole."""


def too_long(limit: int) -> str:
    return f"The entered text is too long. It exceeds the allowed limit of {limit:,} characters."


def media_of(issue: Issue | None) -> Media:
    return Media(issue.attachments if issue else {})


def read(call: Call, value: Any) -> RichText | None:
    """Check a description or comment and return it as it is stored; None if it is empty."""
    if value is None:
        return None
    if call.documents:
        return _read_document(value, call.controls.text_limit)
    if not isinstance(value, str):
        raise FieldError("Operation value must be a string")
    if len(value) > call.controls.text_limit:
        raise FieldError(too_long(call.controls.text_limit))
    if call.data_center:
        return value or None
    return written_in_markup(value, media_of(call.named_issue))


def _read_document(value: Any, limit: int) -> Node | None:
    if not is_document(value):
        raise FieldError(_NOT_A_DOCUMENT)
    if not _is_valid(value):
        raise ContentError("INVALID_INPUT")
    # How Jira counts a document is not published. Its JSON is the longest form it can count.
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) > limit:
        raise ContentError("CONTENT_LIMIT_EXCEEDED")
    return value if value["content"] else None


def _is_valid(value: Any) -> bool:
    try:
        return is_valid(value)
    except RecursionError:
        return False


def written_in_markup(markup: str, media: Media) -> Node | None:
    """Return the document that a Cloud site makes of markup; None if nothing is in it."""
    try:
        document = from_wiki.to_document(markup, media)
    except (MisfitError, RecursionError) as error:
        raise FieldError(_UNSUPPORTED) from error
    return document if document["content"] else None


def as_markup(stored: RichText, media: Media) -> str:
    return stored if isinstance(stored, str) else to_wiki.to_markup(stored, media)


def as_document(stored: RichText, media: Media) -> Node:
    return from_wiki.to_document(stored, media) if isinstance(stored, str) else stored


def show(call: Call, issue: Issue, stored: RichText | None) -> RichText | None:
    """Return a text in the form that the caller's version of the API has."""
    if stored is None:
        return None
    media = media_of(issue)
    if call.data_center:
        return as_markup(stored, media)
    document = as_document(stored, media)
    return document if call.documents else as_markup(document, media)


def settle(issue: Issue, *, data_center: bool) -> None:
    """Bring an issue's description into the form of the site that edits it: both versions must compare."""
    if issue.description is not None:
        convert = as_markup if data_center else as_document
        issue.description = convert(issue.description, media_of(issue))


def words(stored: RichText | None) -> str:
    """Return what a search finds."""
    return stored if isinstance(stored, str) else plain_text(stored) if stored else ""


def has_content(stored: RichText) -> bool:
    """Tell whether there is anything to see: blanks in paragraphs are nothing."""
    if isinstance(stored, str):
        return bool(stored.strip())
    return any(block["type"] != "paragraph" or _fills(block) for block in content_of(stored))


def _fills(paragraph: Node) -> bool:
    shown = (node for node in content_of(paragraph) if node["type"] != "hardBreak")
    return any(node["type"] != "text" or node["text"].strip() for node in shown)
