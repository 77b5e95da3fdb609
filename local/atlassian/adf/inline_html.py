"""What stands in a line of a document, as safe HTML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from local.atlassian.adf.nodes import Node, attrs_of, marks_of
from local.atlassian.adf.reader import Media
from local.atlassian.adf.web import anchor, attachment, is_colour, tint

_TAGS: Final = {"strong": "b", "em": "i", "underline": "u", "strike": "s", "code": "code"}
_ATLASSIAN: Final = {
    "check_mark": "✔",
    "cross_mark": "✖",
    "warning": "⚠",
    "info": "\u2139",
    "plus": "✚",
    "minus": "\u2212",
    "question_mark": "?",
    "light_bulb_on": "☀",
    "light_bulb_off": "☼",
    "yellow_star": "★",
    "red_star": "★",
    "green_star": "★",
    "blue_star": "★",
    "flag_on": "⚑",
    "flag_off": "⚐",
}
_STATUS_COLOURS: Final = frozenset(("neutral", "purple", "blue", "red", "yellow", "green"))


def inline(node: Node, media: Media) -> str:
    """Render a node of a line."""
    writer = _WRITERS.get(node["type"])
    return writer(node, media) if writer else _unknown(node, media)


def _text(node: Node, _media: Media) -> str:
    html = escape(str(node.get("text", "")))
    for mark in marks_of(node):
        html = _marked(html, mark["type"], attrs_of(mark))
    return html


def _marked(html: str, kind: str, attrs: dict[str, Any]) -> str:
    if kind in _TAGS:
        return f"<{_TAGS[kind]}>{html}</{_TAGS[kind]}>"
    match kind:
        case "subsup":
            tag = "sub" if attrs.get("type", "sub") == "sub" else "sup"
            return f"<{tag}>{html}</{tag}>"
        case "link":
            return anchor(str(attrs.get("href", "")), html)
        case "textColor" if is_colour(attrs.get("color")):
            return f'<span style="color:{attrs["color"]}">{html}</span>'
        case "backgroundColor":
            return f"<span{tint(attrs.get('color'))}>{html}</span>"
    return html


def _mention(node: Node, _media: Media) -> str:
    attrs = attrs_of(node)
    name = str(attrs.get("text") or attrs.get("id") or "")
    return f'<span class="mention">@{escape(name.removeprefix("@"))}</span>'


def _emoji(node: Node, _media: Media) -> str:
    attrs = attrs_of(node)
    own = _ATLASSIAN.get(str(attrs.get("id") or "").removeprefix("atlassian-"))
    name = str(attrs.get("shortName") or "")
    return f'<span role="img" title="{escape(name)}">{escape(own or str(attrs.get("text") or name))}</span>'


def _date(node: Node, _media: Media) -> str:
    given = str(attrs_of(node).get("timestamp") or "")
    try:
        at = datetime.fromtimestamp(int(given) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f'<span class="date">{escape(given)}</span>'
    return f'<time class="date" datetime="{at:%Y-%m-%d}">{at.day} {at:%b} {at.year}</time>'


def _status(node: Node, _media: Media) -> str:
    attrs = attrs_of(node)
    colour = attrs.get("color")
    text = escape(str(attrs.get("text") or ""))
    if is_colour(colour):
        return f'<span class="lozenge" style="background:{colour};color:#172b4d">{text}</span>'
    return f'<span class="lozenge {colour if colour in _STATUS_COLOURS else "neutral"}">{text}</span>'


def _card(node: Node, _media: Media) -> str:
    url = str(attrs_of(node).get("url") or "")
    return anchor(url, escape(url), "smart") if url else '<span class="file">Card</span>'


def _unknown(node: Node, _media: Media) -> str:
    attrs = attrs_of(node)
    name = str(attrs.get("text") or attrs.get("extensionKey") or node["type"])
    return f'<span class="file">{escape(name)}</span>'


_WRITERS: Final[dict[str, Callable[[Node, Media], str]]] = {
    "text": _text,
    "hardBreak": lambda _node, _media: "<br>",
    "mention": _mention,
    "emoji": _emoji,
    "date": _date,
    "status": _status,
    "inlineCard": _card,
    "mediaInline": attachment,
}
