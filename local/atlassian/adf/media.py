"""Pictures and files in a text: ``!photo.png|width=200!``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from local.atlassian.adf.macros import attributes
from local.atlassian.adf.marks import Signs, delimited
from local.atlassian.adf.nodes import Node, element, mark
from local.atlassian.adf.reader import Found, Kind, Reader

_ELSEWHERE: Final = re.compile(
    r"(?:https?://|ftps?://|irc://|mailto:)[\w?!~^/\\#$%&'()*+,\-.:;<=@]*[\w~^/\\#$%&'()*+,\-:;<=@]",
    re.IGNORECASE | re.ASCII,
)
_NUMBER: Final = re.compile(r"\s*([+-]?\d+)")
_DEFAULT_SIZE: Final = {"height": 183, "width": 200}


def _read(reader: Reader, text: str, at: int) -> Found:
    return delimited(reader, text, at, Signs("!", "!"), _picture)


def _picture(reader: Reader, raw: str, length: int) -> Found:
    name, _, rest = raw.partition("|")
    given = attributes(rest.partition("|")[0], ",")
    single, size = _sizes(given)
    if given.get("alt"):
        size["alt"] = _unquoted(given["alt"])
    source: dict[str, Any] = {"type": "file", "id": reader.media.id_of(name), "collection": ""}
    if _ELSEWHERE.match(name):
        source = {"type": "external", "url": name}
    media: Node = element("media", attrs={**source, **size})
    if given.get("href"):
        media["marks"] = [mark("link", href=_unquoted(given["href"]))]
    return Found(length, [element("mediaSingle", [media], single)])


def _sizes(given: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes of the frame and of the picture: a width in per cent is the frame's."""
    width = _number(given.get("width"))
    if given.get("width", "").endswith("%"):
        frame = {} if width is None else {"width": min(max(width, 0), 100)}
        return {**frame, "layout": "center"}, {}
    height = _number(given.get("height"))
    size: dict[str, Any] = dict(_DEFAULT_SIZE)
    if width is not None:
        size["width"] = width
    if height is not None:
        size["height"] = height
    return {"layout": "center"}, size


def _number(given: str | None) -> int | None:
    match = _NUMBER.match(given or "")
    return int(match[1]) if match else None


def _unquoted(value: str) -> str:
    match = re.fullmatch(r'"([^\n\r]+)"', value)
    return match[1] if match else value


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {Kind.MEDIA: _read}
